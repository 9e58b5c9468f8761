"""What an operation is given to work with. Nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from mitherm.image.catalogue import Catalogue
from mitherm.image.shipped import shipped_catalogue
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

    def note(self, text: str, hint: str | None = None) -> None:
        """Something worth knowing."""
        self.tell(Notice("info", text, hint))

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something a person should act on."""
        self.tell(Notice("warning", text, hint))
