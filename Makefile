# Everything a developer runs. Needs git, make and a python3 (3.11 or newer) with venv; the rest comes into .venv.

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
HASS ?= $(HOME)/.cache/mitherm-hass

.PHONY: help demo test coverage lint format docs wheel realstack homeassistant lock bench sweep mutants matrix clean

help:            ## This list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(READY)   ## Two stories told with virtual units, under a minute
	@$(BIN)/python tools/demo.py

test: lint docs wheel  ## Everything CI checks
	@mkdir -p build
	$(BIN)/python -m slipcover -m pytest -n $(WORKERS)
	@$(BIN)/python tools/coverage_report.py --floor

coverage: $(READY) ## Lines and branches that the last `make test` did not reach
	@$(BIN)/python tools/coverage_report.py

sweep: $(READY)  ## Cut link and power after every message of flash and bring (half an hour)
	MITHERM_SWEEP=full $(BIN)/python -m pytest -n $(WORKERS) tests/ops/test_sweep.py tests/ops/test_sweep_updates.py

mutants: $(READY) ## Break lines that safety hangs on, see whether tests notice (hours); NAMES='mitherm.store.vault.*' for less
	@$(BIN)/python tools/mutants.py $(NAMES)

matrix: $(READY) ## Every guard's verdict for devices, states, images and batteries
	@$(BIN)/python tools/matrix.py

lint: $(READY)   ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)   ## docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -n -b html docs docs/_build/html

wheel: $(READY)  ## Build the wheel, install it in a clean environment, use it
	bash tools/smoke_wheel.sh $(BIN)

realstack: $(READY) ## The commands over genuine BlueZ in a virtual machine; installs qemu and others with apt
	tools/realstack.sh build/realstack $(BIN)/python -m pytest -v -p no:cacheprovider tests/realstack/test_real_stack.py

homeassistant: $(READY) ## What the real Home Assistant shows of `monitor --mqtt`; puts it and Debian testing into a folder first
	tools/homeassistant.sh $(HASS)
	MITHERM_HASS=$(HASS) $(BIN)/python -m pytest -v -p no:cacheprovider tests/homeassistant

bench: $(READY)  ## Every benchmark, as tables
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lock: $(READY)   ## Write requirements/dev.txt anew; add UPGRADE=--upgrade for newer versions
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --all-extras --group dev --group bench $(UPGRADE) pyproject.toml -o requirements/dev.txt

clean:           ## Remove what these targets made
	rm -rf $(VENV) build dist mutants docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests tools benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Once, and again when the lock or the project's metadata changes.
$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mitherm needs Python 3.11 or newer: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/uv --version 2>/dev/null | grep -qF ' $(UV_VERSION)' || $(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@
