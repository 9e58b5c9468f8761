"""What a plan is made of: steps, and what is at hand to make them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from mitherm.model.operation import StepKind, StepRecord
from mitherm.ops.files.images import ImageRequest, SelectedImage

Build: TypeAlias = Literal["c", "other"]
"""Of stock 2.1.1_0159."""


@dataclass(frozen=True, slots=True)
class Activate:
    """Register the unit (generation 1): it gets new keys, which are in the vault before it commits them."""

    kind: ClassVar = StepKind.ACTIVATE
    reason: str


@dataclass(frozen=True, slots=True)
class SaveRecords:
    """Copy the Mi records of a pvvx unit into the vault and read them back from disk."""

    kind: ClassVar = StepKind.SAVE_KEYS
    reason: str


@dataclass(frozen=True, slots=True)
class EraseRecords:
    """Erase DID and keys on a pvvx unit (command 17)."""

    kind: ClassVar = StepKind.ERASE_MI_RECORDS
    reason: str


@dataclass(frozen=True, slots=True)
class Flash:
    """Transfer an image and verify that the unit runs it. `area_kib`: to an area that is cleared first (command 73)."""

    kind: ClassVar = StepKind.FLASH
    image: SelectedImage
    reason: str
    login: bool = False
    area_kib: int | None = None


Step: TypeAlias = Activate | SaveRecords | EraseRecords | Flash


def record_of(step: Step) -> StepRecord:
    """The step as the journal keeps it."""
    if not isinstance(step, Flash):
        return StepRecord(step.kind)
    image = step.image
    return StepRecord(step.kind, family=image.family, version=image.version, build=image.inspection.build or None)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a step that people see on its own: FLASH shows its login, its clearing and its verification."""

    record: StepRecord
    reason: str


def stages_of(step: Step) -> Iterator[Stage]:
    """The stages of a step in their order."""
    if isinstance(step, Flash) and step.login:
        yield Stage(StepRecord(StepKind.LOGIN), "stock firmware takes an update only from a logged-in central")
    if isinstance(step, Flash) and step.area_kib is not None:
        loss = f"{step.area_kib} KiB above the banks: all stored measurements go, and Mi data may go with them"
        yield Stage(StepRecord(StepKind.CLEAR_AREA), loss)
    yield Stage(record_of(step), step.reason)
    if isinstance(step, Flash):
        yield Stage(StepRecord(StepKind.VERIFY), f"see it advertise again and run {step.image.label}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order; `notes` are for people."""

    goal: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The plan as people read it: one entry for each thing they see happen, verification included."""
        return tuple(stage for step in self.steps for stage in stages_of(step))


@dataclass(frozen=True, slots=True)
class Assets:
    """What is at hand besides the unit."""

    can_log_in: bool = False
    """Whether the vault has a token of the unit."""
    records_saved: bool = False
    """Whether the vault holds the records that the unit shows now."""
    may_replace_keys: bool = False
    """H9 was waived: a bound unit may be registered anew."""
    build: Build | None = None
    """Build of 2.1.1_0159 by what happened before: c took its image, another one did not."""
    known_board: str | None = None
    """Board revision that the unit told at an earlier time."""
    find_image: Callable[[ImageRequest], SelectedImage] = field(default=lambda request: _no_image(request))


def _no_image(request: ImageRequest) -> SelectedImage:
    raise NotImplementedError(f"no images at hand for {request}")
