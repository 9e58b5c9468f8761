"""--dry-run: the real procedure on a virtual twin, and not one byte for the unit."""

import json
from pathlib import Path

import pytest

from helpers import assert_document
from mitherm.cli.app import run


def folder(tmp_path: Path, spec: str) -> Path:
    """A folder with one unit, and the images a cure needs."""
    units = tmp_path / "units"
    assert run(["virtual", "create", str(units), "--unit", spec]) == 0
    for kind in ("pvvx-5.8", "stock-1.0.0_0130"):
        assert run(["firmware", "synth", kind, "--add"]) == 0
    return units


def flash_of(units: Path) -> bytes:
    """The flash of the unit."""
    return next(units.glob("*/flash.bin")).read_bytes()


@pytest.mark.parametrize(
    ("spec", "goal", "final"),
    [
        ("stock-1.0.0_0130", "pvvx", "pvvx 5.8"),
        ("stock-1.0.0_0109,bound=flasher", "mi-home-ready", "stock 1.0.0_0130"),
        ("pvvx-5.8,bound=flasher", "mi-home-ready", "stock 1.0.0_0130"),
        ("atc1441", "pvvx", "pvvx 5.8"),
    ],
)
def test_a_rehearsal_reaches_the_goal_and_leaves_the_unit_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, goal: str, final: str
) -> None:
    """The twin ends where the unit would; flash and vault are as before."""
    units = folder(tmp_path, spec)
    before = flash_of(units)
    capsys.readouterr()
    arguments = ["--radio", f"virtual:{units}", "bring", "A4:C1:38:00:00:01", "--to", goal, "--dry-run", "--json"]
    assert run(arguments) == 0
    text = capsys.readouterr().out
    assert_document(text, "bring")
    result = json.loads(text)["result"]
    assert result["outcome"] == "dry-run"
    assert result["changed"] is False
    assert result["rehearsal"]["final"]["runs"] == final
    assert result["rehearsal"]["writes"] > 5000
    assert flash_of(units)[:0x50000] == before[:0x50000]
    assert flash_of(units)[0x78000:] == before[0x78000:]
    assert run(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["keys"] == []
