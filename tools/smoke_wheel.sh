#!/usr/bin/env bash
# Build the wheel, install it with its dependencies from the lock in a clean environment, and use it as a stranger would.
# Usage: tools/smoke_wheel.sh BIN   (BIN = folder with uv and python)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${1:-.venv/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bin/uv" build -q --wheel --python "$bin/python" -o "$work/dist" .
"$bin/python" tools/check_wheel.py "$work"/dist/mitherm-*.whl

"$bin/uv" venv -q --python "$bin/python" "$work/venv"
"$bin/uv" pip install -q --python "$work/venv/bin/python" --constraint requirements/dev.txt "$work"/dist/mitherm-*.whl

cd "$work"
export MITHERM_HOME="$work/home"
mitherm="$work/venv/bin/mitherm"
"$mitherm" --version
"$mitherm" --help > /dev/null
"$mitherm" virtual create demo --unit stock-1.0.0_0130,address=A4:C1:38:00:00:01 > /dev/null
"$mitherm" --radio virtual:demo scan --json > scan.json
"$work/venv/bin/python" - <<'CHECK'
import json

document = json.load(open("scan.json"))
assert document["ok"], document
assert [unit["address"] for unit in document["result"]["units"]] == ["A4:C1:38:00:00:01"], document
CHECK
echo "the wheel works"
