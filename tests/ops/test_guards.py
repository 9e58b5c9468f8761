"""Every hazard: refused with nothing written, waived by its own switch, and green when all is well (product-needs.md 6)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import made_images
import pytest

from mitherm.errors import GuardRefused, ImageCorrupt, NotVerified, UsageProblem
from mitherm.image.synth import package
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepKind, StepRecord, StepState
from mitherm.ops.guards import RULES
from mitherm.ops.keys.records import erase_records
from mitherm.ops.updating.flash import flash
from mitherm.virtual.firmware.pvvx import PvvxFirmware
from mitherm.virtual.unit import Unit
from rig import UNIT, Rig, wall

Image = Callable[[], bytes]


@dataclass(frozen=True)
class Hazard:
    """A unit and an image that must not meet, and how it ends when the user insists."""

    rule: str
    name: str
    spec: str
    image: Image
    ends: str | None = "verified"
    """After the waiver; None: there is no waiver."""
    also: frozenset[str] = frozenset()
    """Other waivers that the situation needs anyway."""
    more: dict[str, object] = field(default_factory=dict)
    prepare: Callable[[Unit], None] | None = None
    on_air: Callable[[Unit], None] = lambda unit: None
    """See Rig."""


def kind(name: str, model: str = "LYWSD03MMC") -> Image:
    """A short synthetic file."""
    return lambda: made_images.small(name, model)


def garbled_board(unit: Unit) -> None:
    """The hardware string was overwritten by something."""
    unit.chip.flash.data[0x55000:0x55018] = b"V_14" + b"x" * 20


def another_unit(unit: Unit) -> None:
    """Command 10 tells another address than the adverts."""
    assert isinstance(unit.firmware, PvvxFirmware)
    record = Address.parse("A4:C1:38:00:00:02").reversed + bytes(2)
    unit.firmware.state.mac = unit.firmware.keys.mac_record = record


def empty_cell(unit: Unit) -> None:
    """1950 mV under load."""
    unit.chip.cell.millivolts = 2050


SIGNED = "stock-2.1.1_0159,bound=mi-home"

HAZARDS = (
    Hazard("H16", "another address than was named", "pvvx-5.8", kind("pvvx-5.7"), on_air=another_unit),
    Hazard("H1", "image of another model, LCD", "pvvx-5.8", kind("pvvx-5.8", "CGDK2")),
    Hazard("H1", "image of another model, dead", "pvvx-5.8", kind("pvvx-5.8", "MHO-C401"), "dark"),
    Hazard("H1", "stock of another model", "stock-1.0.0_0130,bound=mi-home", kind("stock-1.0.0_0130", "CGG1"), "dark"),
    Hazard("H2", "larger than a bank, on stock", "stock-1.0.0_0130,bound=mi-home", made_images.large, None),
    Hazard("H2", "larger than a bank, on atc1441", "atc1441", made_images.large, None),
    Hazard("H2", "larger than a bank, on an early pvvx", "pvvx-4.5", made_images.large, None),
    Hazard("H2", "larger than the area", "pvvx-5.8", lambda: made_images.large(0x34004), None, frozenset({"H11"})),
    Hazard(
        "H4", "weak cell before a relocation", "pvvx-5.8,battery_mv=2700", made_images.large, None, frozenset({"H11"})
    ),
    Hazard("H5", "weak cell", "pvvx-5.8,battery_mv=2600", kind("pvvx-5.7")),
    Hazard("H5", "3.0 V idle, 2.1 V connected, pvvx", "pvvx-5.8,sag_mv=900", kind("pvvx-5.7")),
    Hazard("H5", "3.0 V idle, 2.1 V connected, 0130", "stock-1.0.0_0130,sag_mv=900,bound=mi-home", kind("pvvx-5.8")),
    Hazard("H5", "3.0 V idle, 2.1 V connected, 0109", "stock-1.0.0_0109,sag_mv=900,bound=mi-home", kind("pvvx-5.8")),
    Hazard("H5", "3.0 V idle, 2.1 V connected, atc1441", "atc1441,sag_mv=900", kind("pvvx-5.8")),
    Hazard("H5", "empty cell", "stock-1.0.0_0130,bound=mi-home", kind("pvvx-5.8"), None, prepare=empty_cell),
    Hazard("H6", "unsigned on 0159", "stock-2.1.1_0159,bound=mi-home", kind("stock-1.0.0_0130"), "old-firmware"),
    Hazard(
        "H6",
        "build B1.6 on 0159",
        "stock-2.1.1_0159,bound=mi-home,hardware=B1.6-2025",
        kind("stock-2.1.1_0159_B1.6"),
        "old-firmware",
    ),
    Hazard("H6", "tail for build c on B1.6", "stock-2.1.1_0159_B1.6,bound=mi-home", made_images.forged, "old-firmware"),
    Hazard("H6", "damaged signature", SIGNED, lambda: made_images.tail_changed(0x4C + 200, 0x11), "same-version"),
    Hazard("H6", "tail of another product", SIGNED, lambda: made_images.tail_changed(0x12, 0x63), "same-version"),
    Hazard("H6", "forged tail on 0130", "stock-1.0.0_0130,bound=mi-home", made_images.forged),
    Hazard("H6", "forged tail on pvvx", "pvvx-5.7", made_images.forged),
    Hazard("H7", "no keys for the way back", "atc1441", kind("stock-2.1.1_0159")),
    Hazard("H11", "extended update", "pvvx-5.8", lambda: made_images.large(0x20004, "pvvx-5.7")),
    Hazard("H11", "Zigbee", "pvvx-5.8", made_images.zigbee, "dark", frozenset({"H1", "H20"})),
    Hazard("H11", "devbis", "pvvx-5.8", lambda: made_images.zigbee(56085), None, frozenset({"H1", "H20"})),
    Hazard("H20", "nobody knows the image", "pvvx-5.7", made_images.nobodys),
    Hazard("SYN", "synthetic on a real radio", "pvvx-5.7", kind("pvvx-5.8"), None, more={"allow_synthetic": False}),
    Hazard(
        "SYN", "synthetic tail", "pvvx-5.7", made_images.forged, None, frozenset({"H6"}), {"allow_synthetic": False}
    ),
    Hazard("F4", "the board of 2025", "pvvx-5.8,hardware=B1.6-2025", kind("stock-1.0.0_0130")),
    Hazard("F4", "0109 on a B1.9", "pvvx-5.8,hardware=B1.9", kind("stock-1.0.0_0109")),
    Hazard("F4", "old pvvx on a B1.6", "pvvx-5.8,hardware=B1.6", kind("pvvx-3.2")),
    Hazard("F4", "implausible revision", "stock-1.0.0_0130,bound=mi-home", kind("pvvx-5.8"), prepare=garbled_board),
    Hazard("F4", "0109 from atc1441, board not told", "atc1441", kind("stock-1.0.0_0109")),
)


def staged(tmp_path: Path, hazard: Hazard) -> Rig:
    """The unit of a hazard, and the image as a file."""
    rig = Rig(tmp_path, hazard.spec)
    rig.hand_over_keys()
    (tmp_path / "image.bin").write_bytes(hazard.image())
    if hazard.prepare is not None:
        change = hazard.prepare
        rig.world(lambda world: change(world.find(UNIT)))
    rig.on_air = hazard.on_air
    return rig


def attempt(rig: Rig, tmp_path: Path, hazard: Hazard, *waivers: str) -> str:
    """How it ends: the outcome, what was found instead, or the error is raised."""
    image, chosen = str(tmp_path / "image.bin"), frozenset(waivers) | hazard.also
    try:
        return rig.run(lambda bench: flash(bench, str(UNIT), image), waivers=chosen, **hazard.more).outcome
    except NotVerified as problem:
        return str(problem.transfer)


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: f"{hazard.rule}: {hazard.name}")
def test_red(tmp_path: Path, hazard: Hazard) -> None:
    """Exit 4 by the right rule, its waiver named, every other rule judged, not one packet of an update, flash as before."""
    rig = staged(tmp_path, hazard)
    before = rig.flash()[:0x40000]
    with pytest.raises(GuardRefused) as refusal:
        attempt(rig, tmp_path, hazard)
    error = refusal.value
    rule = next(rule for rule in RULES if rule.id == hazard.rule)
    assert (error.rule, error.exit_code, error.device) == (hazard.rule, 4, "unchanged")
    assert error.waiver == (rule.waiver if hazard.ends else None)
    assert (error.hint == "no switch lifts this rule") == (hazard.ends is None)
    assert {judgement.rule.id for judgement in error.result} == {rule.id for rule in RULES}
    assert rig.updates_begun == 0
    assert rig.flash()[:0x40000] == before


CONSEQUENCES = {
    "weak cell": "the battery is too weak: ",
    "empty cell": "the battery is empty: ",
    "image of another model, LCD": "its display would stay dark",
    "image of another model, dead": "it would not start there",
    "stock of another model": "it would not start there",
    "unsigned on 0159": "it has no signature tail",
    "tail for build c on B1.6": "cannot verify: the unit seems to run build B1.6, and this tail is for build c",
    "damaged signature": "its certificates lead to no root",
    "tail of another product": "product 0x0563",
}


@pytest.mark.parametrize("hazard", [one for one in HAZARDS if one.name in CONSEQUENCES], ids=lambda hazard: hazard.name)
def test_a_refusal_says_what_would_happen(tmp_path: Path, hazard: Hazard) -> None:
    """Not only that: why, in the words of this image and this unit."""
    rig = staged(tmp_path, hazard)
    with pytest.raises(GuardRefused) as refusal:
        attempt(rig, tmp_path, hazard)
    assert CONSEQUENCES[hazard.name] in refusal.value.message


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: f"{hazard.rule}: {hazard.name}")
def test_waived(tmp_path: Path, hazard: Hazard) -> None:
    """The one switch lifts the one rule, and is in the journal; where nothing lifts it, the switch of that name neither."""
    rig = staged(tmp_path, hazard)
    if hazard.ends is None:
        with pytest.raises(GuardRefused) as refusal:
            attempt(rig, tmp_path, hazard, hazard.rule)
        assert (refusal.value.rule, rig.updates_begun) == (hazard.rule, 0)
        return
    assert attempt(rig, tmp_path, hazard, hazard.rule) == hazard.ends
    assert hazard.rule in rig.stores.journal.runs(address=UNIT)[-1].waivers


GREEN = (
    ("stock-1.0.0_0109,bound=mi-home", "pvvx-5.8"),
    ("stock-1.0.0_0130,bound=mi-home", "stock-2.1.1_0159"),
    ("stock-2.1.1_0159,bound=mi-home", "pvvx-5.8"),
    ("stock-2.1.1_0159,bound=mi-home", "stock-2.1.1_0159"),
    ("atc1441", "stock-1.0.0_0130"),
    ("pvvx-5.8,bound=mi-home", "stock-2.1.1_0159"),
    ("pvvx-5.8,hardware=B1.6-2025,bound=mi-home", "stock-2.1.1_0159_B1.6"),
    ("pvvx-5.8,hardware=B2.0,battery_mv=2640", "pvvx-5.5"),
)


@pytest.mark.parametrize(("spec", "image"), GREEN)
def test_green(tmp_path: Path, spec: str, image: str) -> None:
    """All rules are content, and say why."""
    hazard = Hazard("", "", spec, kind(image))
    rig = staged(tmp_path, hazard)
    file = str(tmp_path / "image.bin")
    done = rig.run(lambda bench: flash(bench, str(UNIT), file))
    assert done.outcome == "verified"
    assert all(judgement.verdict.ruling == "ok" and judgement.verdict.evidence for judgement in done.rules)
    assert rig.world(lambda world: world.find(UNIT).display) == "ok"


def test_damaged_files_are_refused_before_anything_else(tmp_path: Path) -> None:
    """H17: a flipped bit is exit 2 without a single connection."""
    rig = Rig(tmp_path, "pvvx-5.8")
    data = bytearray(package("pvvx-5.7"))
    data[5000] ^= 1
    (tmp_path / "image.bin").write_bytes(data)
    file = str(tmp_path / "image.bin")
    with pytest.raises(ImageCorrupt):
        rig.run(lambda bench: flash(bench, str(UNIT), file))
    assert rig.links == 0


def test_unsaved_records_are_not_erased(tmp_path: Path) -> None:
    """H10: the records must be in the vault first."""
    rig = Rig(tmp_path, "pvvx-5.8,bound=mi-home")
    with pytest.raises(GuardRefused) as refusal:
        rig.run(lambda bench: erase_records(bench, UNIT))
    assert (refusal.value.rule, refusal.value.waiver) == ("H10", "--allow-unsaved-keys")
    assert rig.keys[UNIT].record in rig.flash()[0x78000:0x79000]


def test_two_units_of_one_name(tmp_path: Path) -> None:
    """H16: the nearer one is not simply taken; both addresses are named and nobody is connected to."""
    rig = Rig(tmp_path, "pvvx-5.8,name=Cellar,rssi_dbm=-40", "pvvx-5.8,name=Cellar,rssi_dbm=-80")
    rig.shelve("pvvx-5.7")
    with pytest.raises(UsageProblem) as problem:
        rig.run(lambda bench: flash(bench, "Cellar", "pvvx-5.7"))
    assert "A4:C1:38:00:00:01" in problem.value.message
    assert "A4:C1:38:00:00:02" in problem.value.message
    assert rig.links == 0


# --- the journal ------------------------------------------------------------------------------------------------------

SIGNED_IMAGE = StepRecord(StepKind.FLASH, StepState.VERIFIED, Family.STOCK, "2.1.1_0159", "c")
LIES = (
    (SIGNED_IMAGE,),
    (replace(SIGNED_IMAGE, build="B1.6"),),
    (SIGNED_IMAGE.but(StepState.NOT_ACCEPTED), SIGNED_IMAGE),
    (StepRecord(StepKind.SAVE_KEYS, StepState.VERIFIED), StepRecord(StepKind.ACTIVATE, StepState.VERIFIED)),
)
"""Steps of an operation that never was."""


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: f"{hazard.rule}: {hazard.name}")
def test_a_lying_journal_opens_no_guard(tmp_path: Path, hazard: Hazard) -> None:
    """Whatever was tried before, by what the journal says: the same rule refuses, or the plan believes that nothing is
    left to do. Nothing is ever sent.
    """
    rig = staged(tmp_path, hazard)
    for steps in LIES:
        with rig.stores.journal.operation("bring", UNIT, wall) as entry:
            for step in steps:
                entry.step(step)
            entry.outcome(Outcome.VERIFIED)
        try:
            assert attempt(rig, tmp_path, hazard) == Outcome.NOTHING_TO_DO
        except GuardRefused as refusal:
            assert refusal.rule == hazard.rule
        assert rig.updates_begun == 0
