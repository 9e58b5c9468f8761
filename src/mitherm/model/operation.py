"""What an operation consists of and how it may end: words that the journal stores and results carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from mitherm.model.family import Family


class Outcome(StrEnum):
    """How an operation ended. The words stand in results and in the journal."""

    VERIFIED = "verified"
    """Done, and seen on the unit."""
    CLAMPED = "clamped"
    """Written, and the unit made something else of it."""
    ACTIVATED = "activated"
    IMPORTED = "imported"
    SAVED = "saved"
    FETCHED = "fetched"
    RIGHT = "right"
    """At least one of the keys that were tested is the unit's."""
    NOT_PROVEN = "not proven"
    NOTHING_TO_DO = "nothing-to-do"
    DRY_RUN = "dry-run"
    TRANSFERRED = "transferred"
    """Sent to the last byte, and not seen to run: the outcome in the result of NotVerified."""
    ENDED = "ended"
    """Done, and the operation says no more about it."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def changed(self) -> bool:
        """Whether something is not as it was before: the unit, or for IMPORTED and SAVED the vault."""
        return self in _CHANGES


_CHANGES = frozenset(
    {Outcome.VERIFIED, Outcome.CLAMPED, Outcome.ACTIVATED, Outcome.IMPORTED, Outcome.SAVED, Outcome.TRANSFERRED}
)


class StepKind(StrEnum):
    """What a step does."""

    LOGIN = "login"
    KEYS = "keys"
    """The keys of an activation go into the vault."""
    ACTIVATE = "activate"
    SAVE_KEYS = "save-keys"
    WRITE_KEYS = "write-keys"
    ERASE_MI_RECORDS = "erase-mi-records"
    CLEAR_AREA = "clear-area"
    FLASH = "flash"
    TRANSFER = "transfer"
    VERIFY = "verify"
    SET_CLOCK = "set-clock"
    WRITE_SETTINGS = "write-settings"
    RESET_SETTINGS = "reset-settings"
    CLEAR_HISTORY = "clear-history"


class StepState(StrEnum):
    """How far a step got."""

    BEGUN = "begun"
    VERIFIED = "verified"
    """Done, and seen to be done."""
    NOT_ACCEPTED = "not-accepted"
    """The image was transferred, and the old firmware was back."""


_PREFIX = {StepState.BEGUN: "", StepState.VERIFIED: "verified: ", StepState.NOT_ACCEPTED: "not accepted: "}


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as the journal keeps it. `family`, `version` and `build` are those of the image that FLASH is about."""

    kind: StepKind
    state: StepState = StepState.BEGUN
    family: Family | None = None
    version: str | None = None
    build: str | None = None

    def but(self, state: StepState) -> StepRecord:
        """The same step, further on."""
        return replace(self, state=state)

    @property
    def label(self) -> str:
        """flash stock 2.1.1_0159_B1.6"""
        version = full_version(self.version, self.build)
        return " ".join(part for part in (self.kind, self.family, version) if part)

    @property
    def text(self) -> str:
        """With its state, for people: `verified: flash pvvx 5.8`. Nobody reads it back."""
        return _PREFIX[self.state] + self.label


RARE_BUILD = "B1.6"
"""The build of stock 2.1.1_0159 for the boards of 2025: its version is told with it, that of the common build c without."""


def full_version(version: str | None, build: str | None) -> str | None:
    """The version with the build where that is not the common one: 2.1.1_0159_B1.6."""
    return f"{version}_{RARE_BUILD}" if version and build == RARE_BUILD else version
