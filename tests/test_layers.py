"""The layers of the package (pyproject.toml, [tool.importlinter]) hold."""

from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parent.parent

configure()


def test_every_import_respects_the_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No module imports what its layer forbids."""
    monkeypatch.chdir(ROOT)
    kept = lint_imports(cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out
