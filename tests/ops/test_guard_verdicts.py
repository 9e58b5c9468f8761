"""Verdicts that no command reaches today, because something before them refuses already: the second wall holds too."""

from __future__ import annotations

from dataclasses import replace

import made_images
import pytest

from mitherm.device.identify import Identity
from mitherm.device.observation import Observation
from mitherm.image.inspect import inspect
from mitherm.image.synth import package
from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.guards import RULES, Case
from mitherm.ops.guards.rule import Action, Ruling, judge
from rig import UNIT


def unit(model: str | None = "LYWSD03MMC", version: str | None = "5.8", family: Family = Family.PVVX) -> Observation:
    """A unit of which nothing else is known."""
    return Observation(UNIT, Identity(family, version, model), GattTable(()))


def image(data: bytes) -> SelectedImage:
    """A file as it would be sent."""
    return SelectedImage("image.bin", data, inspect(data))


def changed(at: int, byte: int) -> bytes:
    """A pvvx image with one byte changed and the check sum as it was."""
    data = bytearray(package("pvvx-5.7"))
    data[at] = byte
    return bytes(data)


def verdict(rule: str, case: Case) -> tuple[Ruling, str]:
    """What one rule says."""
    (judgement,) = [one for one in judge(RULES, case) if one.rule.id == rule]
    return judgement.verdict.ruling, judgement.verdict.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (package("sign-2.1.1_0159"), "not an image for this transfer"),
        (changed(0x1000, 0x5A), "the file is damaged"),
        (package("pvvx-5.7") + bytes(5000), "5000 bytes follow"),
    ],
    ids=["sign file", "damaged", "something behind it"],
)
def test_h17(data: bytes, words: str) -> None:
    """A file that is no sound image is refused by the guard too."""
    ruling, message = verdict("H17", Case("flash", UNIT, unit(), image(data)))
    assert ruling is Ruling.REFUSE
    assert words in message


def test_h1_wants_a_known_model() -> None:
    """Unknown is not OK, on either side."""
    ruling, message = verdict("H1", Case("flash", UNIT, unit(model=None), image(package("pvvx-5.7"))))
    assert (ruling, message) == (Ruling.CANNOT_VERIFY, "the model of the unit could not be read")
    plain = image(package("pvvx-5.7"))
    nameless = replace(
        plain, inspection=replace(plain.inspection, identity=replace(plain.inspection.identity, model=None))
    )
    ruling, message = verdict("H1", Case("flash", UNIT, unit(), nameless))
    assert ruling is Ruling.CANNOT_VERIFY
    assert "the unit is a LYWSD03MMC" in message


def test_h6_wants_a_known_firmware() -> None:
    """Nothing is sent to what nobody can read."""
    for seen in (unit(family=Family.ZIGBEE), unit(family=Family.STOCK, version=None)):
        ruling, _ = verdict("H6", Case("flash", UNIT, seen, image(package("pvvx-5.7"))))
        assert ruling is Ruling.CANNOT_VERIFY


@pytest.mark.parametrize(
    ("rule", "action", "allowed"),
    [("H12", "pin", {"pin_recorded": True}), ("H13", "wire", {"dumped": True}), ("H14", "configure", {"hides": ()})],
)
def test_what_must_be_there_before(rule: str, action: Action, allowed: dict[str, object]) -> None:
    """A PIN in the records, a dump on disk, nothing that hides the unit."""
    case = Case(action, UNIT, unit(), hides=("advertising_type",))
    assert verdict(rule, case)[0] is Ruling.REFUSE
    assert verdict(rule, replace(case, **allowed))[0] is Ruling.OK


def test_h10_without_sight_of_the_records() -> None:
    """Records that could not be read may be there."""
    case = Case("erase", UNIT, unit())
    assert verdict("H10", case)[0] is Ruling.CANNOT_VERIFY
    assert verdict("H10", replace(case, records_saved=True))[0] is Ruling.OK


def test_small_images_are_told_from_large_ones() -> None:
    """H2 by the padded length: the bank's limit is refused one byte beyond, not before."""
    fitting = Case("flash", UNIT, unit(version="4.5"), image(made_images.large(0x20000 - 12)))
    assert verdict("H2", fitting)[0] is Ruling.OK
    assert verdict("H2", replace(fitting, image=image(made_images.large(0x20004))))[0] is Ruling.REFUSE
