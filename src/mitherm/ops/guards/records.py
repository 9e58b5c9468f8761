"""Rules about keys, records, PIN, and what is beyond the radio."""

from __future__ import annotations

from mitherm.model.family import Family
from mitherm.ops.guards.rule import Case, Verdict, cannot_verify, ok, refuse


def keys_not_replaced(case: Case) -> Verdict:
    """H9."""
    if case.goal == "mi-home-ready":
        return ok("the plan ends the binding and says so")
    if case.unit.registered is None:
        return cannot_verify("whether the unit is bound could not be found out; new keys would replace the old ones")
    if case.unit.registered:
        return refuse("the unit is bound; activating it replaces keys that somebody may use")
    return ok("the unit is not bound", "new keys are in the vault before the unit stores them")


def records_saved(case: Case) -> Verdict:
    """H10."""
    records = case.unit.records
    if case.unit.family is not Family.PVVX:
        return ok("this firmware shows no Mi records")
    if case.records_saved:
        return ok("the Mi records are in the vault, read back from disk")
    if records is None:
        return cannot_verify("the Mi records of the unit could not be read")
    if records.empty:
        return ok("the unit holds no Mi records")
    return refuse("the unit holds Mi records that are not in the vault")


def pin_recorded(case: Case) -> Verdict:
    """H12."""
    if case.pin_recorded:
        return ok("the PIN is in the user's records")
    return refuse("the PIN would be nowhere but in the unit: whoever forgets it needs the wire")


def dumped(case: Case) -> Verdict:
    """H13."""
    if case.dumped:
        return ok("a dump of the whole flash is on disk")
    return refuse("no dump of the flash is on disk: address, calibration and hardware string would be lost for good")


def stays_in_reach(case: Case) -> Verdict:
    """H14."""
    if case.hides:
        return refuse(f"this computer may not find the unit again after: {', '.join(case.hides)}")
    return ok("nothing that hides the unit is changed")


def own_hardware(case: Case) -> Verdict:
    """H15."""
    if case.hardware:
        return refuse(f"{', '.join(case.hardware)} claims another board; the unit finds out itself which it has")
    board = case.abilities.board
    if case.display and board is None:
        return cannot_verify(f"the board of the unit is not known, and {', '.join(case.display)} depends on it")
    return ok(f"board {board}" if board else "no setting depends on the board")


def interruption(case: Case) -> Verdict:
    """H18: informs only."""
    return ok("an interrupted transfer is harmless: the running firmware stays until the last packet; repeat")


def secrets_masked(case: Case) -> Verdict:
    """H19: informs only; `Secret` never shows its bytes, and files of the vault are readable by their owner alone."""
    return ok("keys are masked in every message, result and journal")
