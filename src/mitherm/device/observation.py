"""What was seen of one unit: facts with where they come from, never guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from mitherm.device.identify import Identity
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.model.keys import is_invented
from mitherm.model.models import PRODUCTS
from mitherm.protocol.pvvx.keys import MiRecords

NEW_BOARD: Final = "B1.6-2025"
BOARDS: Final = ("B1.4", "B1.5", "B1.6", "B1.7", "B1.9", "B2.0", NEW_BOARD)
"""Revisions of the LYWSD03MMC (virtual-unit.md 1.1); the last has another display than the B1.6 before it."""

_NEW_BOARD_ID: Final = 14
_NEW_BOARD_STRING: Final = "B1.1"
"""What pvvx calls the boards of 2025 in 2A27."""
_NEW_BOARD_SERIAL: Final = re.compile(r"F2\.0-\d-FY-")
"""Beginning of 2A25 on boards of 2025: the rest of the hardware string (flash-layout.md 2)."""
SERIAL_LENGTH: Final = 20
"""Characters of 2A25, except on build B1.6 of 2.1.1_0159."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a unit over a connection. None means: could not be read, not: no."""

    address: Address
    identity: Identity
    gatt: GattTable
    name: str | None = None
    rssi_dbm: int | None = None
    battery_mv: int | None = None
    """Supply voltage while connected, that is under load."""
    battery_pct: int | None = None
    did: str | None = None
    did_read: bool = False
    """Whether `did = None` means that there is none."""
    mi_generation: int | None = None
    registered: bool | None = None
    """Whether the unit holds a key record."""
    records: MiRecords | None = None
    """The Mi records as pvvx firmware gives them."""
    hardware_id: int | None = None
    serial: str | None = None
    """2A25 as it was read."""
    product_id: int | None = None
    """Xiaomi product id of the last MiBeacon frame; custom firmware may imitate it."""
    proofs: tuple[tuple[str, Address], ...] = field(default=())
    """Addresses that the unit itself told, and how."""

    @property
    def family(self) -> Family:
        """Kind of the firmware that runs."""
        return self.identity.family

    @property
    def version(self) -> str | None:
        """1.0.0_0130, 5.8; None where it cannot be read."""
        return self.identity.version

    @property
    def board(self) -> str | None:
        """Revision of the circuit board where it is told and known; B1.6 of 2025 is told from the older one."""
        text = self.identity.hardware
        if self.hardware_id == _NEW_BOARD_ID or text == _NEW_BOARD_STRING:
            return NEW_BOARD
        if text in ("B1.5", "B1.6") and _NEW_BOARD_SERIAL.match(self.serial or ""):
            return NEW_BOARD
        return text if text in BOARDS else None

    @property
    def product_model(self) -> str | None:
        """Model that stock firmware advertises; None where nothing known was heard."""
        if self.family is not Family.STOCK or self.product_id is None:
            return None
        return PRODUCTS.get(self.product_id)

    @property
    def build_hint(self) -> Literal["B1.6"] | None:
        """Stock 2.1.1_0159: its build B1.6 answers 22 characters to 2A25, all others 20 (mi-auth.md 1.3, by emulation)."""
        if self.family is not Family.STOCK or self.version != "2.1.1_0159":
            return None
        return "B1.6" if self.serial is not None and len(self.serial) > SERIAL_LENGTH else None

    @property
    def invented_did(self) -> bool:
        """Whether a flasher made up the DID: the reason of -29."""
        return self.did is not None and is_invented(self.did)

    @property
    def label(self) -> str:
        """For sentences: `stock 1.0.0_0130`."""
        return f"{self.family} {self.version}" if self.version else self.family
