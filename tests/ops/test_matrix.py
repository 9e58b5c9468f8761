"""The matrix of devices, states, images and batteries: no cell is left unconsidered, and what goes ahead would work."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mitherm.device.boards import BOARDS
from mitherm.image.boot_rules import boot_verdict, runs_on
from mitherm.image.shipped import shipped_catalogue
from mitherm.ops.guards import RULES, Ruling

TOOL = Path(__file__).resolve().parents[2] / "tools" / "matrix.py"
IDS = [rule.id for rule in RULES]


@pytest.fixture(scope="module")
def matrix() -> Iterator[ModuleType]:
    """The tool as a module."""
    spec = importlib.util.spec_from_file_location("matrix", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["matrix"] = module
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("matrix")


@pytest.fixture(scope="module")
def cells(matrix: ModuleType) -> list:
    """All cells."""
    return list(matrix.cells())


def test_every_hazard_has_a_rule() -> None:
    """H1 to H20, the display, synthetic images; each id once."""
    assert {f"H{number}" for number in range(1, 21)} | {"F4", "SYN"} == set(IDS)
    assert len(IDS) == len(set(IDS))


def test_switches_are_their_own() -> None:
    """No two rules share a switch."""
    switches = [rule.waiver for rule in RULES if rule.waiver]
    assert len(switches) == len(set(switches))


def test_no_cell_is_unconsidered(cells: list) -> None:
    """Every rule says something with a reason in every cell."""
    assert len(cells) > 5000
    for cell in cells:
        assert [judgement.rule.id for judgement in cell.judgements] == IDS
        for judgement in cell.judgements:
            verdict = judgement.verdict
            assert verdict.message if verdict.ruling is not Ruling.OK else verdict.evidence, (str(cell), judgement)


def test_what_goes_ahead_boots_and_is_seen(cells: list) -> None:
    """Where no rule stands, the image runs on that board, and a known board's display works with it."""
    ahead = [cell for cell in cells if not cell.standing]
    assert ahead
    for cell in ahead:
        verdict = boot_verdict(cell.case.image.data, shipped_catalogue())
        board = cell.case.abilities.board
        result = runs_on(verdict, cell.case.unit.identity.model, board or "B1.4", shipped_catalogue())
        assert result.runs, str(cell)
        assert result.display == "ok" or board not in BOARDS, str(cell)


def test_nothing_goes_ahead_on_a_weak_cell(cells: list) -> None:
    """Below 2520 mV, and where the battery cannot be read."""
    for cell in cells:
        if cell.battery_mv is None or cell.battery_mv < 2520:
            assert "H5" in [judgement.rule.id for judgement in cell.standing]


def test_nothing_goes_ahead_on_unknown_firmware(cells: list) -> None:
    """Zigbee, PHY62x2 and unknown firmware are never written to."""
    for cell in cells:
        if cell.state in ("Zigbee", "PHY62x2", "other or unknown"):
            assert cell.standing


def test_the_tool_prints_lines(matrix: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A line per cell, the rules above, the sum below."""
    assert matrix.main(["B1.4", "2600 mV", "Zigbee of devbis", "pvvx 4.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "X" in lines[1]
