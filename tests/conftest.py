"""Shared fixtures: no test touches the user's files or a real adapter."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """MITHERM_HOME of this test."""
    folder = tmp_path / "mitherm-home"
    monkeypatch.setenv("MITHERM_HOME", str(folder))
    monkeypatch.delenv("MITHERM_RADIO", raising=False)
    yield folder
