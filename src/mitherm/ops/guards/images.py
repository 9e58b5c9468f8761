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
    found = case.inspection
    if found is None or case.image is None:
        return ok("no image")
    if not found.kind.sendable:
        return refuse(f"{case.image.name} is a {found.kind}, not an image for this transfer")
    if not found.crc_ok:
        return refuse("the check sum of the image is wrong: the file is damaged")
    if not found.flag_ok:
        return refuse("the image does not announce its check sum (bytes 6 and 7): units would not check it")
    if found.stray_length > _TAIL_LIMIT:
        return refuse(f"{found.stray_length} bytes follow the image that are no signature tail")
    return ok("length and check sum are right", f"SHA-256 {found.sha256}")


def synthetic(case: Case) -> Verdict:
    """SYN."""
    found = case.inspection
    if found is None:
        return ok("no image")
    if not (found.synthetic or found.provenance is Provenance.SYNTHETIC):
        return ok("no synthetic image")
    if case.synthetic_allowed:
        return ok("a synthetic image, and the unit is virtual")
    return refuse("a synthetic image boots nothing but virtual units")


def right_family(case: Case) -> Verdict:
    """H1."""
    found, model = case.inspection, case.seen.identity.model
    if found is None:
        return ok("no image")
    bad = case.known_bad("H1")
    if bad:
        return refuse(bad[0].text, f"source: {bad[0].source}")
    if model is None:
        return cannot_verify("the model of the unit could not be read")
    if found.model is None:
        return cannot_verify(f"the file does not say which model it is for; the unit is a {model}")
    if not same_model(found.model, model):
        return refuse(f"the image is for {found.model}, the unit is a {model}{_consequence(found, model)}")
    if case.seen.product_model not in (None, model):
        return cannot_verify(f"the unit calls itself {model}, but advertises as {case.seen.product_model}")
    if not found.startup_ok:
        return cannot_verify("the start-up code is not that of a thermometer image")
    if (
        found.family is Family.PVVX
        and found.device_id is not None
        and (other := _other_board(found.device_id, case.seen.identity.boards)) is not None
    ):
        return other
    return ok(f"image and unit are both {model}", *_identifiers(case, found))


def _other_board(device_id: int, boards: tuple[Model, ...]) -> Verdict | None:
    """A pvvx build is for one board, and two boards may share a model name (MHO-C401 of 2020 and 2022)."""
    fits = image_fits(device_id, boards)
    labels = " or ".join(model.label for model in boards)
    if not boards or fits:
        return None
    if fits is None:
        return cannot_verify(f"the image is for one of {labels}, and nothing tells which board this is")
    return refuse(f"the image is for another board than {labels}")


def _consequence(found: Inspection, model: str) -> str:
    if model != LYWSD03MMC:
        return ""
    if found.family is Family.PVVX and found.device_id not in CRASHING_PVVX:
        return "; its display would stay dark"
    return "; it would not start there, and only the wire would help"


def _identifiers(case: Case, found: Inspection) -> tuple[str, ...]:
    told = (
        f"device id {found.device_id:#04x} in the image" if found.device_id is not None else None,
        f"product id {found.product_id:#06x} in the image" if found.product_id is not None else None,
        f"hardware id {case.seen.hardware_id}" if case.seen.hardware_id is not None else None,
        f"product id {case.seen.product_id:#06x} on the air" if case.seen.product_id is not None else None,
    )
    return tuple(text for text in told if text)


def fits(case: Case) -> Verdict:
    """H2."""
    found = case.inspection
    if found is None:
        return ok("no image")
    size = found.padded_length
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
        return refuse(f"{size} bytes need the extended update of {EXTENDED_BY}; {case.seen.label} runs")
    wanted = area_kib(size, version=0xFF)
    if wanted >= LIMIT_KIB:
        return refuse(f"{size} bytes are more than the extended update takes ({LIMIT_KIB - 1} KiB)")
    return ok(f"{wanted} KiB of an area of {LIMIT_KIB - 1} KiB, which {case.seen.label} clears first")


def not_known_bad(case: Case) -> Verdict:
    """H3."""
    bad = case.known_bad("H3")
    if bad:
        return refuse(bad[0].text, *(f"source: {row.source}" for row in bad))
    return ok("not in the table of bad combinations")


def known_image(case: Case) -> Verdict:
    """H20."""
    found = case.inspection
    if found is None:
        return ok("no image")
    if found.provenance is Provenance.UNKNOWN:
        return cannot_verify("the image is not in the catalogue: nobody vouches for it", f"SHA-256 {found.sha256}")
    return ok("a synthetic image" if found.provenance is Provenance.SYNTHETIC else "the image is in the catalogue")


def zigbee(case: Case) -> Verdict:
    """H11: what the way to Zigbee, or an update over the history area, destroys must be wanted."""
    found = case.inspection
    if found is None:
        return ok("no image")
    bad = case.known_bad("H11")
    if bad:
        return refuse(bad[0].text, f"source: {bad[0].source}", final=True)
    if found.entry is not None and found.entry.no_ota:
        return refuse("a unit that runs this image takes no update over Bluetooth any more")
    if found.family is Family.ZIGBEE:
        return refuse(
            "Zigbee firmware erases the Mi data and all measurements, and the unit leaves Bluetooth: "
            "only a Zigbee coordinator or the wire brings it back"
        )
    if case.extended:
        return refuse("an extended update erases the stored measurements, and the Mi data may go with them")
    return ok("no Zigbee firmware, and the history area stays")
