"""What was seen of one unit: facts with where they come from, never guesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mitherm.device.identify import Identity
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.model.keys import is_invented
from mitherm.model.models import PRODUCTS
from mitherm.protocol.pvvx.keys import MiRecords

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
    def product_model(self) -> str | None:
        """Model that stock firmware advertises; None where nothing known was heard."""
        if self.family is not Family.STOCK or self.product_id is None:
            return None
        return PRODUCTS.get(self.product_id)

    @property
    def invented_did(self) -> bool:
        """Whether a flasher made up the DID: the reason of -29."""
        return self.did is not None and is_invented(self.did)

    @property
    def label(self) -> str:
        """For sentences: `stock 1.0.0_0130`."""
        return f"{self.family} {self.version}" if self.version else self.family
