"""What an operation is given to work with. Nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mitherm.device.observation import Observation
from mitherm.image.catalogue import Catalogue
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.operation import Outcome
from mitherm.model.unit_state import UnitState
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Entropy
from mitherm.protocol.events import Event, Notice
from mitherm.radio.gatt import Radio
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Stores:
    """The durable places."""

    vault: Vault
    journal: Journal
    inventory: Inventory
    library: Library


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the same work did to a virtual twin of the unit."""

    outcome: Outcome
    seconds: float
    """What it took the twin, and what the air would add for the blocks of images."""
    writes: int
    reads: int
    notifications: int
    final: UnitState
    """The twin afterwards."""


class Work(Protocol):
    """What came of work on a unit, as far as a rehearsal reports it."""

    @property
    def outcome(self) -> Outcome:
        """How it ended."""

    @property
    def seconds(self) -> float:
        """How long it took."""


class Rehearse(Protocol):
    """Does work on a virtual twin of `unit` instead. `settings`: commands for 1F1F that set the twin up like the unit."""

    def __call__(
        self, bench: Bench, unit: Observation, settings: tuple[bytes, ...], work: Callable[[Bench], Awaitable[Work]]
    ) -> Awaitable[Rehearsal]:
        """The twin has a bench of its own: copies of the stores, and leave to do everything. Raises what `work` raises."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Radio, stores, and the present: clock, entropy, the people who watch and answer."""

    radio: Radio
    stores: Stores
    entropy: Entropy
    wall: Callable[[], datetime]
    """The present moment, aware."""
    clock: Callable[[], float]
    """Seconds of the event loop's clock, for durations."""
    tell: Callable[[Event], None]
    ask: Callable[[str], bool]
    ask_token: Callable[[str], Secret | None] | None = None
    """Asks somebody for a token, hidden; None where nobody can be asked."""
    timeout_s: float = 30.0
    waivers: frozenset[str] = field(default=frozenset())
    """Rule ids that the user waived by name."""
    allow_synthetic: bool = False
    catalogue: Catalogue = field(default_factory=shipped_catalogue)
    """What is known of published firmware files."""
    dry_run: bool = False
    """Look, plan and judge, but write nothing to units."""
    rehearse: Rehearse | None = None
    """For dry runs of updates; None where there is nobody to play a twin."""

    def note(self, text: str, hint: str | None = None) -> None:
        """Something worth knowing."""
        self.tell(Notice("info", text, hint))

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something a person should act on."""
        self.tell(Notice("warning", text, hint))
