"""Causes around an update: F3, F4, F13, F14, F16 (product-needs.md 2)."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.device.boards import NEW_BOARD, remembered_board
from mitherm.errors import DeviceNotFound, LinkLost, LinkTimeout, NotVerified, TransferFailed
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.model.operation import Outcome, StepKind, StepRecord, StepState
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import Proof, because, cause
from mitherm.store.journal import Run

_BROKEN: Final = frozenset(
    {
        *(error.__name__ for error in (TransferFailed, LinkLost, LinkTimeout, DeviceNotFound)),
        *(error.__name__ for error in (KeyboardInterrupt, CancelledError)),
        None,
    }
)
"""How an operation ends that broke off in its transfer; None: the program was killed."""
_STATUS: Final = {
    1: "a packet was lost: repeat, slower",
    2: "a packet was damaged: repeat, slower",
    3: "flash could not be written: fresh cell, or the bank was not blank; repeat",
    4: "packets were missing at the end: repeat, slower",
    5: "it took too long or the end was lost: repeat, slower",
    6: "the image file is damaged: get it anew",
}


@cause(
    "F3",
    title="The upload reached 100 %, but the old firmware is back: the signature was not accepted",
    remedy="The unit is unharmed. Builds of 2.1.1_0159 differ: put the genuine signed 2.1.1_0159 on it, then repeat.",
    command="mitherm flash {unit} stock-2.1.1_0159",
    symptoms=("old-firmware",),
    also=("F14",),
)
def signature_refused(evidence: Evidence) -> Proof | None:
    unit = evidence.generation_2
    if unit is None or not (_came_back(evidence) or evidence.says("old-firmware")):
        return None
    return because(f"{unit.label} still runs and accepts signed images only", _transferred(evidence))


@cause(
    "F13",
    title="A transfer broke off",
    remedy="Harmless: the old firmware goes on. Go nearer, use a fresh cell, start again.",
    command="mitherm bring {unit} --to pvvx",
    symptoms=("transfer-breaks",),
)
def transfer_broke(evidence: Evidence) -> Proof | None:
    update = _failed_update(evidence)
    if update is None or evidence.observation is None or update.error not in _BROKEN:
        return None
    return because(
        f"{update.steps[-1].label} was {'cut off' if update.error is None else f'ended by {update.error}'}",
        f"{evidence.observation.label} runs: the unit is unharmed",
        f"signal {evidence.air.rssi_dbm} dBm" if evidence.air.rssi_dbm is not None else None,
        f"supply {evidence.observation.battery_mv} mV under load"
        if evidence.observation.battery_mv is not None
        else None,
        command=_again(update),
    )


@cause(
    "F14",
    title="An update ended with a status code, or was not taken",
    remedy="Start again, slower.",
    command="mitherm bring {unit} --to pvvx",
    symptoms=("ota-status",),
)
def status_code(evidence: Evidence) -> Proof | None:
    status = evidence.complaint.status
    update = _failed_update(evidence)
    if status is not None:
        return because(f"status {status}: {_STATUS[status]}", "units never send the code: the program inferred it")
    if update is None or not _came_back(evidence) or evidence.generation_2 is not None or evidence.observation is None:
        return None
    return because(
        f"{update.steps[-1].label} was transferred completely, but {evidence.observation.label} runs",
        "this firmware checks no signature: the end was lost (status 5), or the image damaged (6)",
        command=_again(update),
    )


@cause(
    "F4",
    title="The display is blank: this firmware does not know the board's display",
    remedy="The radio works, so the unit can be flashed again: take an image that knows the board.",
    command="mitherm bring {unit} --to pvvx",
    symptoms=("blank-display",),
)
def blank_display(evidence: Evidence) -> Proof | None:
    unit = evidence.observation
    if unit is None:
        return None
    rows = _blank_rows(evidence)
    board = f"board {_board(evidence) or 'not known'}, {unit.label}"
    if rows:
        return because(board, *rows, command=_image_for(evidence))
    if evidence.says("blank-display"):
        return because(board, "the radio works, so the unit lives", "no rule knows this board and image as blank")
    return None


@cause(
    "F16",
    title="The hardware revision is not readable",
    remedy="Keep the true string in your records and do not choose an image by it; pvvx finds the board by itself.",
    command="mitherm bring {unit} --to pvvx",
    symptoms=("hardware-string",),
    also=("mi-home-29/5",),
)
def hardware_string(evidence: Evidence) -> Proof | None:
    if evidence.observation is None or evidence.observation.identity.hardware is not None:
        return None
    text = evidence.observation.identity.hardware_string
    if text is None:
        return None
    return because(f"2A27 says {text!r}, which is no board revision", "the string area is blank or overwritten")


def _board(evidence: Evidence) -> str | None:
    """As the unit tells it, else as it once did."""
    board = Abilities.of(evidence.observation).board if evidence.observation is not None else None
    return board or remembered_board(evidence.known)


def _blank_rows(evidence: Evidence) -> list[str]:
    unit = evidence.observation
    if unit is None or not unit.family.updatable:
        return []
    facts = UnitFacts(model=unit.identity.model, hardware=_board(evidence))
    rows = known_bad(evidence.catalogue, Abilities.of(unit).running, facts)
    return [row.text for row in rows if row.verdict == "blank"]


def _image_for(evidence: Evidence) -> str | None:
    return "mitherm flash {unit} pvvx-5.8" if _board(evidence) == NEW_BOARD else None


def _failed_update(evidence: Evidence) -> Run | None:
    update = evidence.last_update
    if update is None or update.outcome not in (None, Outcome.FAILED, Outcome.INTERRUPTED):
        return None
    step = update.steps[-1]
    unfinished = step.kind is StepKind.FLASH and step.state is not StepState.VERIFIED
    return update if unfinished and not _runs_it(evidence, step) else None


def _came_back(evidence: Evidence) -> bool:
    """Whether an image was transferred, and something else runs."""
    update = _failed_update(evidence)
    return update is not None and update.error == NotVerified.__name__


def _runs_it(evidence: Evidence, step: StepRecord) -> bool:
    """Whether the unit runs the image of the step."""
    if evidence.observation is None or step.family is None:
        return False
    return Abilities.of(evidence.observation).runs(step.family, step.version, step.build)


def _transferred(evidence: Evidence) -> str | None:
    update = _failed_update(evidence)
    return f"{update.steps[-1].label} was transferred completely, but not taken" if update is not None else None


def _again(update: Run) -> str:
    """The command that does it again; after an interruption it goes on from what the unit shows."""
    family = update.steps[-1].family
    return f"mitherm bring {{unit}} --to {family}" if family is not None and family.updatable else "mitherm journal"
