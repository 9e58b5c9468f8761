"""The rules of the first order: identity, image, size, battery, keys."""

from __future__ import annotations

from typing import Final

from mitherm.errors import ImageForOtherModel, ImageTooLarge
from mitherm.ops.guards.rule import Case, Rule, Verdict, cannot_verify, ok, refuse
from mitherm.ops.plan import needs_signature
from mitherm.protocol.telink_ota import BANK_SIZE

MINIMUM_MV: Final = 2520
"""40 % on pvvx' scale of 2200 to 3000 mV, which its author asks for before an update (product-needs.md H5)."""
MINIMUM_STOCK_PCT: Final = 40

_FLASH: Final = frozenset({"flash"})
_ANY: Final = frozenset({"flash", "activate", "erase"})


def _same_unit(case: Case) -> Verdict:
    wrong = [f"{how}: {address}" for how, address in case.seen.proofs if address != case.chosen]
    if wrong:
        return refuse(f"the unit says that it is not {case.chosen}", *wrong)
    if not case.seen.proofs:
        return cannot_verify(f"nothing that the unit sends proves that it is {case.chosen}")
    return ok(*(f"{how}: {address}" for how, address in case.seen.proofs))


def _right_family(case: Case) -> Verdict:
    image, model = case.image, case.seen.identity.model
    if image is None:
        return ok()
    if model is None:
        return cannot_verify("the model of the unit could not be read")
    if image.inspection.model is None:
        return cannot_verify(f"the file does not say which model it is for; the unit is a {model}")
    if image.inspection.model != model:
        return refuse(f"the image is for {image.inspection.model}, the unit is a {model}")
    return ok(f"image and unit are both {model}")


def _fits(case: Case) -> Verdict:
    if case.image is None:
        return ok()
    size = len(case.image.data)
    padded = size + -size % 16
    if padded > BANK_SIZE:
        return refuse(
            f"{padded} bytes do not fit the bank of {BANK_SIZE} bytes: the transfer would run into the running firmware"
        )
    return ok(f"{padded} of {BANK_SIZE} bytes")


def _runs_something_known(case: Case) -> Verdict:
    seen = case.seen
    if seen.family == "stock" and not seen.version:
        return cannot_verify("the version of the running firmware could not be read")
    if case.image is None or seen.family != "stock" or not needs_signature(case.seen):
        return ok(f"{seen.label} runs")
    if case.image.inspection.tail is None:
        return refuse(f"stock {seen.version} accepts only signed images; this one has no signature tail")
    return ok(f"{seen.label} runs, the image has a signature tail")


def _battery(case: Case) -> Verdict:
    millivolts, percent = case.seen.battery_mv, case.seen.battery_pct
    if millivolts is not None:
        text = f"{millivolts} mV while connected"
        return (
            ok(text)
            if millivolts >= MINIMUM_MV
            else refuse(f"the battery is too weak: {text}, {MINIMUM_MV} are needed")
        )
    if percent is None:
        return cannot_verify("the battery could not be read")
    if percent < MINIMUM_STOCK_PCT:
        return refuse(f"the battery is too weak: {percent} %, {MINIMUM_STOCK_PCT} % are needed")
    return ok(f"{percent} %")


def _keys_not_replaced(case: Case) -> Verdict:
    if case.seen.registered is None:
        return cannot_verify("whether the unit is bound could not be found out; new keys would replace the old ones")
    if case.seen.registered:
        return refuse("the unit is bound; activating it replaces keys that somebody may use")
    return ok("the unit is not bound")


def _records_saved(case: Case) -> Verdict:
    records = case.seen.records
    if case.seen.family != "pvvx":
        return ok("this firmware shows no Mi records")
    if case.records_saved:
        return ok("the Mi records are in the vault")
    if records is None:
        return cannot_verify("the Mi records of the unit could not be read")
    if records.empty:
        return ok("the unit holds no Mi records")
    return refuse("the unit holds Mi records that are not in the vault")


def _sound(case: Case) -> Verdict:
    if case.image is None:
        return ok()
    seen = case.image.inspection
    if seen.kind != "telink":
        return refuse(f"{case.image.name} is a {seen.kind}, not an image for this transfer")
    if not seen.crc_ok:
        return refuse("the check sum of the image is wrong: the file is damaged")
    return ok("length and check sum are right")


def _known_image(case: Case) -> Verdict:
    if case.image is None:
        return ok()
    catalogue = case.image.inspection.catalogue
    if catalogue == "synthetic":
        if case.synthetic_allowed:
            return ok("a synthetic image, and the unit is virtual")
        return refuse("a synthetic image boots nothing but virtual units")
    if catalogue == "unknown":
        return cannot_verify("the image is not in the catalogue: nobody vouches for it")
    return ok("the image is in the catalogue")


RULES: Final[tuple[Rule, ...]] = (
    Rule("H16", "The unit is the one that was chosen", _ANY, "--allow-other-address", _same_unit),
    Rule("H17", "The image is sound", _FLASH, None, _sound),
    Rule("H1", "The image is for this model", _FLASH, "--allow-other-model", _right_family, ImageForOtherModel),
    Rule("H2", "The image fits the bank", _FLASH, None, _fits, ImageTooLarge),
    Rule(
        "H6",
        "The running firmware is known and will accept the image",
        _FLASH,
        "--allow-unknown-version",
        _runs_something_known,
    ),
    Rule("H20", "The image is one that somebody knows", _FLASH, "--allow-unknown-image", _known_image),
    Rule("H5", "The battery is strong enough", _FLASH, "--allow-low-battery", _battery),
    Rule("H9", "No keys in use are replaced", frozenset({"activate"}), "--replace-keys", _keys_not_replaced),
    Rule(
        "H10",
        "Keys are saved before anything can lose them",
        frozenset({"flash", "erase"}),
        "--allow-unsaved-keys",
        _records_saved,
    ),
)
"""In the order in which they are judged."""
