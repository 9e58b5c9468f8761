"""The one thing a unit cannot tell and the journal can: which build of 2.1.1_0159 it seems to run.

Only what happened last counts, and both mistakes are harmless: a needless detour over the genuine image, or one try whose
image the unit does not accept.
"""

from __future__ import annotations

from typing import Final

from mitherm.image.recognise import SIGNED_VERSION
from mitherm.model.address import Address
from mitherm.ops.updating.steps import Build
from mitherm.store.journal import Journal

VERIFIED: Final = "verified: "
"""Before the name of a step: it was done, and seen to be done."""
NOT_ACCEPTED: Final = "not accepted: "
"""Before the name of a step: the old firmware was back."""


def remembered_build(journal: Journal, address: Address) -> Build | None:
    """What the steps of all earlier operations on this unit say; the last one that says anything decides."""
    build: Build | None = None
    for run in journal.runs(address=address):
        for step in run.steps:
            if step.startswith(NOT_ACCEPTED):
                build = "other"
            elif step.startswith(f"{VERIFIED}flash "):
                build = _after(step.removeprefix(f"{VERIFIED}flash "))
    return build


def _after(label: str) -> Build | None:
    if not label.startswith(f"stock {SIGNED_VERSION}"):
        return None
    return "c" if label == f"stock {SIGNED_VERSION}" else "other"
