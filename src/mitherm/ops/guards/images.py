"""Rules about the image itself: sound, synthetic, for this model, small enough, known, not known to be bad, Zigbee."""

from __future__ import annotations

from typing import Final

from mitherm.image.boot_rules import CRASHING_PVVX
from mitherm.image.inspection import Inspection, Provenance
from mitherm.model.family import Family
from mitherm.model.models import EXTENDED_BY, LYWSD03MMC, Model, image_fits, same_model
from mitherm.ops.guards.rule import Case, Verdict, cannot_verify, ok, refuse
from mitherm.protocol.ota.extended import LIMIT_KIB, area_kib

_TAIL_LIMIT: Final = 4096
"""Bytes behind an image that are no signature tail: more is another kind of file (firmware-image.md 8, 9)."""


def sound(case: Case) -> Verdict:
    """H17."""
    inspection = case.inspection
    if inspection is None or case.image is None:
        return ok("no image")
    if not inspection.kind.sendable:
        return refuse(f"{case.image.name} is a {inspection.kind}, not an image for this transfer")
    if not inspection.crc_ok:
        return refuse("the check sum of the image is wrong: the file is damaged")
    if not inspection.flag_ok:
        return refuse("the image does not announce its check sum (bytes 6 and 7): units would not check it")
    if inspection.stray_length > _TAIL_LIMIT:
        return refuse(f"{inspection.stray_length} bytes follow the image that are no signature tail")
    return ok("length and check sum are right", f"SHA-256 {inspection.sha256}")


def synthetic(case: Case) -> Verdict:
    """SYN."""
    inspection = case.inspection
    if inspection is None:
        return ok("no image")
    if not (inspection.synthetic or inspection.provenance is Provenance.SYNTHETIC):
        return ok("no synthetic image")
    if case.synthetic_allowed:
        return ok("a synthetic image, and the unit is virtual")
    return refuse("a synthetic image boots nothing but virtual units")


def right_family(case: Case) -> Verdict:
    """H1."""
    inspection, model = case.inspection, case.unit.identity.model
    if inspection is None:
        return ok("no image")
    bad = case.known_bad("H1")
    if bad:
        return refuse(bad[0].text, f"source: {bad[0].source}")
    if model is None:
        return cannot_verify("the model of the unit could not be read")
    if inspection.model is None:
        return cannot_verify(f"the file does not say which model it is for; the unit is a {model}")
    if not same_model(inspection.model, model):
        return refuse(f"the image is for {inspection.model}, the unit is a {model}{_consequence(inspection, model)}")
    if case.unit.product_model not in (None, model):
        return cannot_verify(f"the unit calls itself {model}, but advertises as {case.unit.product_model}")
    if not inspection.startup_ok:
        return cannot_verify("the start-up code is not that of a thermometer image")
    if (
        inspection.family is Family.PVVX
        and inspection.device_id is not None
        and (other := _other_board(inspection.device_id, case.unit.identity.boards)) is not None
    ):
        return other
    return ok(f"image and unit are both {model}", *_identifiers(case, inspection))


def _other_board(device_id: int, boards: tuple[Model, ...]) -> Verdict | None:
    """A pvvx build is for one board, and two boards may share a model name (MHO-C401 of 2020 and 2022)."""
    fits = image_fits(device_id, boards)
    labels = " or ".join(model.label for model in boards)
    if not boards or fits:
        return None
    if fits is None:
        return cannot_verify(f"the image is for one of {labels}, and nothing tells which board this is")
    return refuse(f"the image is for another board than {labels}")


def _consequence(inspection: Inspection, model: str) -> str:
    if model != LYWSD03MMC:
        return ""
    if inspection.family is Family.PVVX and inspection.device_id not in CRASHING_PVVX:
        return "; its display would stay dark"
    return "; it would not start there, and only the wire would help"


def _identifiers(case: Case, inspection: Inspection) -> tuple[str, ...]:
    identifiers = (
        f"device id {inspection.device_id:#04x} in the image" if inspection.device_id is not None else None,
        f"product id {inspection.product_id:#06x} in the image" if inspection.product_id is not None else None,
        f"hardware id {case.unit.hardware_id}" if case.unit.hardware_id is not None else None,
        f"product id {case.unit.product_id:#06x} on the air" if case.unit.product_id is not None else None,
    )
    return tuple(text for text in identifiers if text)


def fits(case: Case) -> Verdict:
    """H2."""
    inspection = case.inspection
    if inspection is None:
        return ok("no image")
    size = inspection.padded_length
    if case.extended:
        return _fits_area(case, size)
    limit = case.abilities.bank_size
    if size > limit:
        return refuse(
            f"{size} bytes do not fit the bank of {limit} bytes: the transfer would run into the running firmware"
        )
    return ok(f"{size} of {limit} bytes")


def _fits_area(case: Case, size: int) -> Verdict:
    if not case.abilities.extended:
        return refuse(f"{size} bytes need the extended update of {EXTENDED_BY}; {case.unit.label} runs")
    area = area_kib(size, version=0xFF)
    if area >= LIMIT_KIB:
        return refuse(f"{size} bytes are more than the extended update takes ({LIMIT_KIB - 1} KiB)")
    return ok(f"{area} KiB of an area of {LIMIT_KIB - 1} KiB, which {case.unit.label} clears first")


def not_known_bad(case: Case) -> Verdict:
    """H3."""
    bad = case.known_bad("H3")
    if bad:
        return refuse(bad[0].text, *(f"source: {row.source}" for row in bad))
    return ok("not in the table of bad combinations")


def known_image(case: Case) -> Verdict:
    """H20."""
    inspection = case.inspection
    if inspection is None:
        return ok("no image")
    if inspection.provenance is Provenance.UNKNOWN:
        return cannot_verify("the image is not in the catalogue: nobody vouches for it", f"SHA-256 {inspection.sha256}")
    return ok("a synthetic image" if inspection.provenance is Provenance.SYNTHETIC else "the image is in the catalogue")


def zigbee(case: Case) -> Verdict:
    """H11: what the way to Zigbee, or an update over the history area, destroys must be wanted."""
    inspection = case.inspection
    if inspection is None:
        return ok("no image")
    bad = case.known_bad("H11")
    if bad:
        return refuse(bad[0].text, f"source: {bad[0].source}", final=True)
    if inspection.entry is not None and inspection.entry.no_ota:
        return refuse("a unit that runs this image takes no update over Bluetooth any more")
    if inspection.family is Family.ZIGBEE:
        return refuse(
            "Zigbee firmware erases the Mi data and all measurements, and the unit leaves Bluetooth: "
            "only a Zigbee coordinator or the wire brings it back"
        )
    if case.extended:
        return refuse("an extended update erases the stored measurements, and the Mi data may go with them")
    return ok("no Zigbee firmware, and the history area stays")
