"""--dry-run: the real procedure on a virtual twin, and not one byte for the unit."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mitherm
from helpers import assert_document
from mitherm.cli.app import run
from mitherm.cli.documents import Document
from mitherm.cli.documents.updates import update
from mitherm.protocol.events import Event, Progress, StepEnd


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


def displays(
    units: Path, capsys: pytest.CaptureFixture[str], image: str, *options: str, address: str = "A4:C1:38:00:00:01"
) -> tuple[str, str]:
    """What the rehearsal of a flash says of the display at its end, and what the unit shows after the real one."""
    command = ["--radio", f"virtual:{units}", "flash", address, image, "--yes", *options]
    capsys.readouterr()
    assert run([*command, "--dry-run", "--json"]) == 0
    rehearsed = json.loads(capsys.readouterr().out)["result"]["rehearsal"]["final"]
    assert run(command) == 0
    capsys.readouterr()
    assert run(["virtual", "list", str(units), "--json"]) == 0
    (unit,) = json.loads(capsys.readouterr().out)["result"]["units"]
    assert rehearsed["runs"] == unit["runs"]
    return rehearsed["display"], unit["display"]


BLANK = "--allow-blank-display"


@pytest.mark.parametrize(
    ("spec", "model", "image", "options", "display"),
    [
        pytest.param(
            "stock-1.0.0_0130,hardware=B1.6-2025",
            "",
            "pvvx-4.5",
            [BLANK],
            "blank",
            id="2025, told by the serial number",
        ),
        pytest.param("stock-1.0.0_0130,hardware=B1.6", "", "pvvx-4.5", [], "ok", id="B1.6 of before"),
        pytest.param("pvvx-4.5,hardware=B1.6-2025", "", "pvvx-5.8", [], "ok", id="2025, told by pvvx"),
        pytest.param("pvvx-2.2,hardware=B1.6-2025", "", "pvvx-4.5", [BLANK], "blank", id="2025, told by 2A25 of pvvx"),
        pytest.param("pvvx-2.0,hardware=B1.6-2025", "", "pvvx-5.8", [], "ok", id="not told, no matter"),
        pytest.param("pvvx-5.8,hardware=B1.6-2025", "", "stock-1.0.0_0130", [BLANK], "blank", id="2025, back to stock"),
        pytest.param("stock-1.0.0_0130,hardware=B1.9", "", "pvvx-3.2", [BLANK], "blank", id="B1.9 and an old pvvx"),
        pytest.param("pvvx-5.7,model=MHO-C401N", "MHO-C401N", "pvvx-5.8", [], "ok", id="the later e-paper of two"),
        pytest.param("pvvx-5.7,model=MHO-C401", "MHO-C401", "pvvx-5.8", [], "ok", id="the earlier e-paper of two"),
        pytest.param("pvvx-5.7,model=CGG1M", "CGG1M", "pvvx-5.8", [], "ok", id="CGG1M"),
    ],
)
def test_the_rehearsal_knows_the_display(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spec: str,
    model: str,
    image: str,
    options: list[str],
    display: str,
) -> None:
    """The twin has the board that was decided from all that the unit tells, not the one its hardware string names."""
    units = folder(tmp_path, f"{spec},address=A4:C1:38:00:00:01")
    assert run(["firmware", "synth", image, "--add", *(["--model", model] if model else [])]) == 0
    name = f"{image}-{model}.bin" if model else image
    assert displays(units, capsys, name, *options) == (display, display)


async def report_of(units: Path, home: Path, goal: str, events: list[Event]) -> Document:
    """What `bring --dry-run` does, in Python."""
    async with mitherm.open_bench(f"virtual:{units}", home=home, dry_run=True, tell=events.append) as bench:
        return update(await mitherm.bring(bench, "A4:C1:38:00:00:01", goal))


@pytest.mark.parametrize(
    ("spec", "goal", "real_time"),
    [
        ("atc1441", "pvvx", True),
        ("pvvx-5.8,bound=flasher", "mi-home-ready", False),
        ("stock-1.0.0_0130", "pvvx", False),
    ],
)
def test_command_line_and_python_rehearse_alike(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str], spec: str, goal: str, real_time: bool
) -> None:
    """A command and a program, also one in a loop of real time, get the same report, word for word."""
    units, events = folder(tmp_path, spec), list[Event]()
    shutil.copytree(home, tmp_path / "other-home")
    capsys.readouterr()
    words = ["--radio", f"virtual:{units}", "bring", "A4:C1:38:00:00:01", "--to", goal, "--dry-run", "--json"]
    assert run(words) == 0
    typed = json.loads(capsys.readouterr().out)["result"]
    work = report_of(units, tmp_path / "other-home", goal, events)
    called: Any = mitherm.run_program(work, f"virtual:{units}", real_time=real_time)
    for one in (typed, called):
        del one["seconds"]  # how long the look took: the clocks differ
        if spec.startswith("stock"):
            one["rehearsal"]["final"].pop("did")  # drawn at the activation
    seconds = [one["rehearsal"].pop("seconds") for one in (typed, called)]
    assert seconds[0] == pytest.approx(seconds[1], abs=1.0)  # pauses between adverts are drawn too
    assert called == typed
    assert any(isinstance(event, StepEnd) and (event.detail or "").startswith("twin: ") for event in events)


async def test_a_cancelled_rehearsal_ends_at_once(tmp_path: Path) -> None:
    """No thread goes on with the twin, and its folder is gone."""
    units = folder(tmp_path, "stock-1.0.0_0130")
    begun = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, Progress):
            begun.set()

    async with mitherm.open_bench(f"virtual:{units}", dry_run=True, tell=tell) as bench:
        work = asyncio.create_task(mitherm.bring(bench, "A4:C1:38:00:00:01", "pvvx"))
        await begun.wait()
        before = bench.clock()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert bench.clock() - before < 0.5


@pytest.mark.parametrize("firmware", ["pvvx-2.0", "atc1441"])
def test_a_rehearsal_does_not_guess_a_board(tmp_path: Path, capsys: pytest.CaptureFixture[str], firmware: str) -> None:
    """atc1441 tells no board and pvvx up to 2.1 no serial number: where the boards differ, the display is not known."""
    units = folder(tmp_path, f"{firmware},hardware=B1.6-2025,address=A4:C1:38:00:00:01")
    assert run(["firmware", "synth", "pvvx-4.5", "--add"]) == 0
    assert displays(units, capsys, "pvvx-4.5") == ("unknown", "blank")


def test_a_board_is_remembered_through_firmware_that_does_not_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A board of 2025 shows itself on stock; on atc1441 guard and rehearsal still know it."""
    units = folder(tmp_path, "stock-1.0.0_0130,hardware=B1.6-2025,address=A4:C1:38:00:00:01")
    for kind in ("atc1441", "pvvx-4.5"):
        assert run(["firmware", "synth", kind, "--add"]) == 0
    command = ["--radio", f"virtual:{units}", "flash", "A4:C1:38:00:00:01"]
    assert run([*command, "atc1441", "--yes", BLANK]) == 0
    assert run([*command, "pvvx-4.5", "--yes"]) == 4
    assert "2025 board needs pvvx 5.5" in capsys.readouterr().err
    assert displays(units, capsys, "pvvx-4.5", BLANK) == ("blank", "blank")
