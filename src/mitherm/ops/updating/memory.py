"""The one thing a unit cannot tell and the journal can: which build of 2.1.1_0159 it seems to run.

Only what happened last counts, and both mistakes are harmless: a needless detour over the genuine image, or one try whose
image the unit does not accept.
"""

from __future__ import annotations

from mitherm.image.recognise import SIGNED_VERSION
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import RARE_BUILD, StepKind, StepRecord, StepState
from mitherm.ops.updating.steps import Build
from mitherm.store.journal import Journal


def remembered_build(journal: Journal, address: Address) -> Build | None:
    """What the steps of all earlier operations on this unit say; the last one that says anything decides."""
    build: Build | None = None
    for run in journal.runs(address=address):
        for step in run.steps:
            if step.state is StepState.NOT_ACCEPTED:
                build = "other"
            elif step.state is StepState.VERIFIED and step.kind is StepKind.FLASH:
                build = _after(step)
    return build


def _after(step: StepRecord) -> Build | None:
    if (step.family, step.version) != (Family.STOCK, SIGNED_VERSION):
        return None
    return "other" if step.build == RARE_BUILD else "c"
