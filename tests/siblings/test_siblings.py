"""Virtual siblings of the LYWSD03MMC: made, seen, identified, updated, and kept from images of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_document
from mitherm.cli.app import run
from mitherm.image.synth import package
from mitherm.model import models
from mitherm.ops.updating.flash import flash
from mitherm.protocol import uuids
from mitherm.virtual.board.chip import AttError, Chip, Terminate
from mitherm.virtual.factory import make_unit
from mitherm.virtual.spec import parse_spec, with_address
from mitherm.virtual.unit import Unit
from rig import UNIT, Rig

ADDRESS = str(UNIT)
PVVX = ("MHO-C401", "MHO-C401N", "CGG1", "CGG1M", "CGDK2", "MJWSD05MMC", "MJWSD05MMC_EN", "MJWSD06MMC", "MHO-C122")
PVVX += ("LYWSD02MMC", "TS0201", "TH03", "ZTH01", "ZG-204ZV")
FIRST_CONFIG = {
    "MHO-C401": "07100a062808a93163015a",
    "MHO-C401N": "07100a062808a93163085a",
    "CGG1": "07100a062808a93163025a",
    "CGG1M": "07100a062804a9313107b4",
    "CGDK2": "03100a062804a9313106b4",
    "MJWSD05MMC": "87000a065004a93100095a",
    "MJWSD05MMC_EN": "87000a065004a931000c5a",
    "MJWSD06MMC": "87100a065004a931310d5a",
    "MHO-C122": "07100a062804a931310bb4",
    "LYWSD02MMC": "87100a063c04a931313178",
}
"""custom-firmware.md 5.4."""
STOCK = (
    ("MHO-C401", "1.0.0_0010", "1.0.0_0010"),
    ("MHO-C401N", "1.0.0_0016", "1.0.0_0016"),
    ("MJWSD05MMC", "2.0.0_0026", "0026"),
    ("MJWSD05MMC", "2.0.0_0005", "0005"),
    ("MJWSD06MMC", "2.1.1_0009", "0009"),
)


class Bench:
    """The command line over one folder of units."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "units"
        self.capsys = capsys

    def say(self, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json; its result, or its error."""
        radio = () if command.startswith(("virtual", "firmware")) else ("--radio", f"virtual:{self.folder}")
        assert run([*radio, *command.split(), *arguments, "--json"]) == code
        text = self.capsys.readouterr().out
        document = json.loads(text) if command.startswith("virtual") else assert_document(text, command)
        found: dict[str, Any] = document["result"] if code == 0 else document["error"]
        return found

    def make(self, spec: str, code: int = 0) -> dict[str, Any]:
        """A new unit."""
        return self.say("virtual create", str(self.folder), "--unit", spec, code=code)

    def image(self, kind: str, model: str) -> str:
        """A synthetic image as a file."""
        path = self.folder.parent / f"{kind}-{model}.bin"
        path.write_bytes(package(kind, model))
        return str(path)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("MITHERM_ALLOW_SYNTHETIC", "1")
    return Bench(tmp_path, capsys)


def powered(spec: str) -> Unit:
    """A unit that runs, without a folder around it."""
    chosen = with_address(parse_spec(spec), UNIT)
    unit = Unit(Chip(make_unit(chosen, bytes).flash, model=chosen.model, hardware=chosen.hardware))
    unit.power_up(0.0)
    unit.advance(10.0)
    return unit


@pytest.mark.parametrize("model", PVVX)
def test_pvvx_sibling(bench: Bench, model: str) -> None:
    """Name prefix, model, version, id and default configuration are those of the build."""
    board = models.boards(model)[0]
    bench.make(f"pvvx-5.8,model={model}")
    (seen,) = bench.say("scan")["units"]
    assert (seen["name"], seen["firmware"]["family"]) == (f"{board.prefix}000001", "pvvx")
    assert seen["model"] == models.named(seen["name"])
    unit = bench.say("info", ADDRESS)["unit"]
    assert (unit["model"], unit["firmware"]) == (board.name, {"family": "pvvx", "version": "5.8"})
    assert (unit["hardware"], unit["next"], unit["confidence"]) == (
        board.identity[:4] if board.identity_at != 0x55000 else "B1.4",
        "flash",
        "high",
    )


@pytest.mark.parametrize("model", PVVX)
def test_pvvx_tells_its_board(model: str) -> None:
    """Command 00, the configuration, the strings and the Mi product id."""
    board = models.boards(model)[0]
    unit = powered(f"pvvx-5.8,model={model}")
    unit.connect(10.0)
    config, _ = unit.read(10.0, uuids.CUSTOM_COMMAND)
    assert config[:2] == b"\x55\x58" and config[11] == board.device_id
    assert model not in FIRST_CONFIG or config[2:].hex() == FIRST_CONFIG[model]
    assert unit.read(10.0, uuids.MODEL_NUMBER)[0] == board.name.encode() + b"\0"
    answers = [action.data for action in unit.write(10.0, uuids.CUSTOM_COMMAND, b"\0") if hasattr(action, "data")]
    assert int.from_bytes(answers[0][2:4], "little") == board.device_id


@pytest.mark.parametrize("model", ["MHO-C401", "CGDK2", "MJWSD06MMC", "LYWSD02MMC"])
def test_mi_mode_names_the_board(bench: Bench, model: str) -> None:
    """The product id tells the model, except 0x055B, which pvvx sends for boards without one."""
    bench.make(f"pvvx-5.8,model={model}")
    unit = powered(f"pvvx-5.8,model={model}")
    unit.connect(10.0)
    config = unit.read(10.0, uuids.CUSTOM_COMMAND)[0][2:]
    bench.folder.joinpath("a4c138000001", "flash.bin").write_bytes(_configured(unit, bytes([config[0] & ~3 | 2])))
    (seen,) = bench.say("scan", "--duration", "30")["units"]
    assert (seen["beacon_format"], seen["firmware"]["family"], seen["model"]) == ("mibeacon", "pvvx", model)


def _configured(unit: Unit, config: bytes) -> bytes:
    unit.write(10.0, uuids.CUSTOM_COMMAND, b"\x55" + config)
    unit.disconnect(11.0)
    return bytes(unit.chip.flash.data)


@pytest.mark.parametrize(("model", "version", "reported"), STOCK)
def test_stock_sibling(bench: Bench, model: str, version: str, reported: str) -> None:
    """Model by product id and strings; the version as the model shows it; what is offered fits the model."""
    board = models.board(model, version=version)
    assert board is not None
    bench.make(f"stock-{version},model={model}")
    (seen,) = bench.say("scan")["units"]
    assert (seen["model"], seen["firmware"]["family"], seen["beacon_format"]) == (board.name, "stock", "mibeacon")
    unit = bench.say("info", ADDRESS)["unit"]
    assert (unit["model"], unit["firmware"]) == (board.name, {"family": "stock", "version": reported})
    assert not board.board or any(board.label in reason for reason in unit["evidence"])
    (again,) = bench.say("scan")["units"]
    group = board.stock_of(version)
    assert group is not None
    assert unit["next"] == again["next"] == ("keys-needed" if group.needs_login(bound=False) else "flash")


FOREIGN = (
    ("pvvx-5.8,model=MHO-C401", "pvvx-5.7", "LYWSD03MMC"),
    ("pvvx-5.8,model=CGDK2", "pvvx-5.7", "CGG1"),
    ("pvvx-5.8,model=TS0201", "pvvx-5.7", "TH03"),
    ("pvvx-5.8,model=MJWSD06MMC", "stock-1.0.0_0130", "LYWSD03MMC"),
    ("stock-1.0.0_0010,model=MHO-C401", "pvvx-5.7", "LYWSD03MMC"),
    ("pvvx-5.8", "pvvx-5.7", "MJWSD05MMC"),
)


@pytest.mark.parametrize(("spec", "kind", "model"), FOREIGN)
def test_foreign_images_are_refused(bench: Bench, spec: str, kind: str, model: str) -> None:
    """Rule H1, before the first written byte."""
    bench.make(spec)
    path = bench.folder / UNIT.compact / "flash.bin"
    before = path.read_bytes()
    refused = bench.say("flash", ADDRESS, bench.image(kind, model), "--yes", code=4)
    assert (refused["rule"], refused["device"]) == ("H1", "unchanged")
    assert path.read_bytes()[:0x40000] == before[:0x40000]


@pytest.mark.parametrize("model", ["CGG1", "CGDK2", "LYWSD02MMC", "MHO-C122", "SJWS01LM", "TS0201"])
def test_stock_nobody_described(bench: Bench, model: str) -> None:
    """No facts, no unit."""
    assert "no facts about its GATT" in bench.make(f"stock-1.0.0_0001,model={model}", code=2)["message"]
    assert not list(bench.folder.glob("*/flash.bin"))


@pytest.mark.parametrize("spec", ["pvvx-5.8,model=CGD1", "atc1441,model=MHO-C401", "pvvx-5.8,model=LYWSD99"])
def test_no_such_unit(bench: Bench, spec: str) -> None:
    """Models without this firmware, and unknown ones."""
    assert bench.make(spec, code=2)["device"] == "unchanged"


# --- the OTA gate -----------------------------------------------------------------------------------------------------


def _start(unit: Unit, at: float) -> list[Any]:
    unit.connect(at)
    return unit.write(at, uuids.OTA, bytes.fromhex("01ff"))


def _resets_after(unit: Unit, start: float) -> float:
    due = unit.wake_at()
    while due is not None and due < start + 20:
        unit.advance(due)
        if unit.last_update is not None:
            return due - start
        due = unit.wake_at()
    raise AssertionError("the unit never gave up")


def test_mho_c401_has_no_gate() -> None:
    """START without a login keeps the link; five seconds of silence end it."""
    unit = powered("stock-1.0.0_0010,model=MHO-C401")
    assert not any(isinstance(action, Terminate) for action in _start(unit, 20.0))
    assert 5.0 <= _resets_after(unit, 20.0) < 6.0


@pytest.mark.parametrize("spec", ["stock-2.1.1_0009,model=MJWSD06MMC", "stock-2.0.0_0005,model=MJWSD05MMC"])
def test_mjwsd_is_impatient_before_a_login(spec: str) -> None:
    """The link ends at once and the update after one second."""
    unit = powered(spec)
    assert any(isinstance(action, Terminate) for action in _start(unit, 20.0))
    assert 1.0 <= _resets_after(unit, 20.0) < 2.0


def test_large_banks() -> None:
    """The second bank of an MJWSD lies at 0x40000 and takes 148 KiB; rubbish there goes at the next boot."""
    unit = powered("stock-2.1.1_0009,model=MJWSD06MMC")
    unit.chip.flash.program(0x64000, b"rubbish")
    unit.chip.flash.program(0x65000, b"data")
    unit.power_down(30.0)
    unit.power_up(31.0)
    assert unit.chip.flash.is_blank(0x64000, 16)
    assert unit.chip.flash.read(0x65000, 4) == b"data"


def test_no_such_characteristic() -> None:
    """pvvx siblings have no vendor service."""
    unit = powered("pvvx-5.8,model=CGG1")
    unit.connect(10.0)
    with pytest.raises(AttError):
        unit.read(10.0, uuids.STOCK_MEASUREMENT)


def test_an_mho_c401_is_flashed(bench: Bench) -> None:
    """The right build goes on and is verified."""
    bench.make("stock-1.0.0_0010,model=MHO-C401")
    done = bench.say("flash", ADDRESS, bench.image("pvvx-5.8", "MHO-C401"), "--yes")
    assert done["outcome"] == "verified"
    assert done["after"]["firmware"] == {"family": "pvvx", "version": "5.8"}


def test_an_mjwsd_lands_in_its_far_bank_and_moves_down(tmp_path: Path) -> None:
    """After a login pvvx goes to 0x40000, copies itself to 0 and runs."""
    rig = Rig(tmp_path, "stock-2.1.1_0009,model=MJWSD06MMC,bound=mi-home")
    rig.hand_over_keys()
    image = tmp_path / "pvvx.bin"
    image.write_bytes(package("pvvx-5.9", "MJWSD06MMC"))
    done = rig.run(lambda bench: flash(bench, ADDRESS, str(image)))
    assert (done.outcome, done.after.label) == ("verified", "pvvx 5.9")
    assert rig.flash()[:86340] == package("pvvx-5.9", "MJWSD06MMC")
