"""What a plan is made of: steps, and what is at hand to make them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mitherm.ops.files.images import ImageRequest, SelectedImage

Build: TypeAlias = Literal["c", "other"]
"""Of stock 2.1.1_0159."""


@dataclass(frozen=True, slots=True)
class Activate:
    """Register the unit (generation 1): it gets new keys, which are in the vault before it commits them."""

    reason: str
    name: str = "activate"


@dataclass(frozen=True, slots=True)
class SaveRecords:
    """Copy the Mi records of a pvvx unit into the vault and read them back from disk."""

    reason: str
    name: str = "save-keys"


@dataclass(frozen=True, slots=True)
class EraseRecords:
    """Erase DID and keys on a pvvx unit (command 17)."""

    reason: str
    name: str = "erase-mi-records"


@dataclass(frozen=True, slots=True)
class Flash:
    """Transfer an image and verify that the unit runs it. `area_kib`: to an area that is cleared first (command 73)."""

    image: SelectedImage
    reason: str
    login: bool = False
    area_kib: int | None = None

    @property
    def name(self) -> str:
        """flash pvvx 5.8"""
        return f"flash {self.image.label}"

    def lines(self) -> list[dict[str, str]]:
        """The step with what belongs to it."""
        lines = [{"step": self.name, "reason": self.reason}]
        if self.area_kib is not None:
            clear = f"{self.area_kib} KiB above the banks: all stored measurements go, and Mi data may go with them"
            lines.insert(0, {"step": "clear-area", "reason": clear})
        if self.login:
            lines.insert(0, {"step": "login", "reason": "stock firmware takes an update only from a logged-in central"})
        return [*lines, {"step": "verify", "reason": f"see it advertise again and run {self.image.label}"}]


Step: TypeAlias = Activate | SaveRecords | EraseRecords | Flash


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order; `notes` are for people."""

    goal: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[dict[str, str]]:
        """The plan as scripts and people read it: one entry per visible step, verification included."""
        lines: list[dict[str, str]] = []
        for step in self.steps:
            lines += step.lines() if isinstance(step, Flash) else [{"step": step.name, "reason": step.reason}]
        return lines


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
