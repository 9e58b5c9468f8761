"""The public names of the package: all there, typed, and free until they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mitherm

SOURCE = Path(mitherm.__file__).read_text()


@pytest.mark.parametrize("name", mitherm.__all__)
def test_every_public_name_exists(name: str) -> None:
    """What `__all__` promises can be imported."""
    assert getattr(mitherm, name) is not None


def test_public_names_are_sorted_and_listed() -> None:
    """`__all__`, `dir()` and the table of homes name the same things, in order."""
    assert mitherm.__all__ == sorted(mitherm.__all__)
    assert dir(mitherm) == mitherm.__all__
    assert set(mitherm._HOMES) == set(mitherm.__all__) - {"__version__"}


def test_type_checkers_see_what_runs() -> None:
    """The imports for type checkers and the table of homes agree."""
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mitherm.")
        for alias in node.names
    }
    homes = {}
    for name, home in mitherm._HOMES.items():
        module, _, attribute = home.partition(":")
        homes[name] = f"mitherm.{module}:{attribute or name}"
    assert seen == homes


def test_unknown_name_is_an_attribute_error() -> None:
    """A wrong name fails as in any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        mitherm.no_such_name  # noqa: B018


def test_import_is_free() -> None:
    """`import mitherm` loads no dependency, no event loop and nothing else of the package."""
    code = "import sys; import mitherm; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "bleak", "bumble", "click", "cryptography", "rich", "yaml"}
    assert not heavy & set(loaded)
    assert [name for name in loaded if name.startswith("mitherm")] == ["mitherm"]


def test_help_reads_no_catalogue() -> None:
    """What only some commands need, `--help` does not load."""
    code = "import sys; from mitherm.cli.app import run; run(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mitherm.image.shipped", "asyncio", "bleak", "cryptography"} & set(loaded)
