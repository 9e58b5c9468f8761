"""Rules about the unit: the right one, strong enough, and what its firmware will do with the image."""

from __future__ import annotations

from typing import Final

from mitherm.image.inspection import Inspection
from mitherm.image.signature import Signature
from mitherm.model.family import Family
from mitherm.model.models import PRODUCTS, account_line
from mitherm.ops.guards.rule import Case, Verdict, cannot_verify, ok, refuse

MINIMUM_MV: Final = 2520
"""40 % on pvvx' scale of 2200 to 3000 mV, which its author asks for before an update (product-needs.md H5)."""
MINIMUM_PCT: Final = 40
RELOCATION_MV: Final = 2700
"""For an update after which the firmware copies itself with no second try (H4): three quarters of a fresh cell."""
BROWN_OUT_MV: Final = 2000
"""Below this flash cannot be written; pvvx goes to sleep."""
FOUR_STEPS: Final = (
    "Builds of 2.1.1_0159 differ under one number. The road for all of them: the genuine signed 2.1.1_0159 first, wait, "
    "log in again with the same token, then the custom image. Put the genuine image into the library "
    "(mitherm firmware add FILE) and say `bring` again: it then goes that way"
)


def same_unit(case: Case) -> Verdict:
    """H16."""
    proofs = tuple(f"{how}: {address}" for how, address in case.unit.proofs)
    if any(address != case.address for _, address in case.unit.proofs):
        return refuse(f"the unit says that it is not {case.address}", *proofs)
    if not proofs:
        return cannot_verify(f"nothing that the unit sends proves that it is {case.address}")
    return ok(*proofs)


def battery(case: Case) -> Verdict:
    """H5, judged by the voltage under the load of a connection where the unit tells it."""
    millivolts, percent = case.unit.battery_mv, case.unit.battery_pct
    if millivolts is not None:
        return _voltage(millivolts)
    if percent is None:
        return cannot_verify("the battery could not be read")
    text = f"{percent} % while connected"
    if percent < MINIMUM_PCT:
        return refuse(f"the battery is too weak: {text}, {MINIMUM_PCT} % are needed", text)
    return ok(text)


def _voltage(millivolts: int) -> Verdict:
    text = f"{millivolts} mV while connected"
    if millivolts < BROWN_OUT_MV:
        return refuse(
            f"the battery is empty: {text}; flash cannot be written below {BROWN_OUT_MV} mV", text, final=True
        )
    if millivolts < MINIMUM_MV:
        return refuse(f"the battery is too weak: {text}, {MINIMUM_MV} are needed", text)
    return ok(text)


def relocation(case: Case) -> Verdict:
    """H4: power must not fail while the firmware copies itself down after an extended update."""
    if not case.extended:
        return ok("a plain update: the running firmware stays bootable until the new one is complete")
    millivolts = case.unit.battery_mv
    if millivolts is None:
        return cannot_verify("the voltage could not be read, and after this update a power failure kills the unit")
    if millivolts < RELOCATION_MV:
        return refuse(
            f"{millivolts} mV while connected, {RELOCATION_MV} are needed: a power failure after this update kills the unit"
        )
    return ok(f"{millivolts} mV while connected", "do not touch the unit until it advertises again")


def accepted(case: Case) -> Verdict:
    """H6: what runs is known, and it will take the image."""
    unit, inspection = case.unit, case.inspection
    if inspection is None:
        return ok("no image")
    if not unit.family.updatable:
        return cannot_verify(f"nothing is known of how {unit.label} takes an update")
    if unit.family is Family.STOCK and not unit.version:
        return cannot_verify("the version of the running firmware could not be read")
    if case.abilities.needs_signature:
        return _signed(case, inspection)
    if inspection.signature is Signature.FORGED:
        return refuse(f"the signature tail of this image is forged: it is for 2.1.1_0159 only, and {unit.label} runs")
    return ok(f"{unit.label} runs and checks no signature")


def _signed(case: Case, inspection: Inspection) -> Verdict:
    label, tail = case.unit.label, inspection.tail
    foreign = tail is not None and PRODUCTS.get(tail.product_id) != case.unit.identity.model
    if inspection.genuine and not foreign:
        return ok(f"{label} runs, the image is signed by its vendor")
    if inspection.exploit and not foreign:
        return _tricked(case)
    reason = case.abilities.refusal(inspection) if case.image else ""
    return refuse(
        f"{label} accepts only signed images: {reason}. It would stop at the signature check, and the old firmware would stay"
    )


def _tricked(case: Case) -> Verdict:
    """The tail fits one build of 2.1.1_0159 and is harmless on the others; the builds share their number."""
    if case.refused_before:
        return cannot_verify(f"this unit did not take such an image before. {FOUR_STEPS}")
    if case.abilities.build == "B1.6":
        return cannot_verify(f"the unit seems to run build B1.6, and this tail is for build c. {FOUR_STEPS}")
    return ok(
        f"{case.unit.label} runs, the image has a tail for its build c",
        "another build would keep the old firmware, unharmed; which one runs is not told",
    )


def way_back(case: Case) -> Verdict:
    """H7: from stock 2.x nothing leads away without keys."""
    inspection = case.inspection
    if inspection is None or inspection.family is not Family.STOCK or not account_line(inspection.version or ""):
        return ok("the way back needs nothing")
    if case.abilities.needs_signature:
        return ok(f"{case.unit.label} runs already")
    if case.goal == "mi-home-ready":
        return ok("Mi Home will give the unit new keys, and the owner's account shows them")
    if case.can_log_in:
        return ok("the vault has a token of this unit")
    return refuse(
        f"the way back from stock {inspection.version} needs a login, and the vault has no token of this unit",
        "the next change would need a token from the owner's account, or the wire; a bind key alone opens nothing",
    )


def vendor_update(case: Case) -> Verdict:
    """H8: informs only. The vendor's app may have changed the firmware since the unit was last seen."""
    before, now = case.known_version, case.unit.version
    if case.unit.family is Family.STOCK and before is not None and now is not None and before != now:
        return ok(f"stock {before} ran when the unit was last seen, {now} runs now: the app may have updated it")
    return ok("the same version as last time" if before else "not seen before")
