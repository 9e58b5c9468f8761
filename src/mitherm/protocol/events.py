"""What running work tells the people who watch: one small union, rendered by the command line, ignored by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mitherm.model.operation import StepKind


@dataclass(frozen=True, slots=True)
class StepStart:
    """A step of a plan begins."""

    step: StepKind
    reason: str
    label: str = ""
    """What people read where the word of the step is not enough: `flash pvvx 5.8`."""


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A step of a plan ended well."""

    step: StepKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` in `unit` (blocks, bytes, records, s)."""

    what: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know."""

    level: Literal["info", "warning"]
    text: str
    hint: str | None = None


Event: TypeAlias = StepStart | StepEnd | Progress | Notice
