"""What the project says about itself is true: version, licence, typed marker, data files, lock."""

import json
import re
import tomllib
from importlib.metadata import metadata, version
from importlib.resources import files
from pathlib import Path

import pytest

import mitherm

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements" / "dev.txt").read_text()


def canonical(name: str) -> str:
    """The name of a distribution as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_version_is_the_installed_one() -> None:
    """`mitherm.__version__` is what package tools see."""
    assert version("mitherm") == mitherm.__version__


def test_metadata() -> None:
    """Licence and Python version stand in the metadata."""
    found = metadata("mitherm")
    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == ">=3.11"
    assert (ROOT / "LICENSE").is_file()


def test_typed_marker() -> None:
    """Type checkers may trust the package."""
    assert files("mitherm").joinpath("py.typed").is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.json")), ids=lambda path: path.name)
def test_data_files_are_json(path: Path) -> None:
    """Every data file in the package can be read."""
    assert json.loads(path.read_text(encoding="utf-8"))


def _requirements() -> list[str]:
    project = PROJECT["project"]
    lines = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    for group in PROJECT["dependency-groups"].values():
        lines += [line for line in group if isinstance(line, str)]
    names = {re.split(r"[\[<>=!~ ;]", line)[0] for line in lines}
    return sorted(names - {"mitherm"})


@pytest.mark.parametrize("name", _requirements())
def test_every_requirement_is_locked(name: str) -> None:
    """What pyproject.toml wants stands in the lock with a version; `make lock` is the remedy."""
    assert re.search(rf"^{re.escape(canonical(name))}(\[[^]]*\])?==", LOCK, re.MULTILINE)


def test_every_locked_package_has_hashes() -> None:
    """The lock pins content, not only versions, and names no place to get it from."""
    pins = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", LOCK, re.MULTILINE | re.DOTALL)
    assert len(pins) > 30
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in LOCK
