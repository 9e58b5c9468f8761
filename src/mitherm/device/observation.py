"""What was seen of one unit: facts with where they come from, never guesses."""

from __future__ import annotations

from dataclasses import dataclass, field

from mitherm.device.identify import Identity
from mitherm.model.address import Address
from mitherm.model.gatt import GattTable
from mitherm.model.keys import is_invented
from mitherm.protocol.pvvx_keys import MiRecords


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
    proofs: tuple[tuple[str, Address], ...] = field(default=())
    """Addresses that the unit itself told, and how."""

    @property
    def family(self) -> str:
        """stock, pvvx, atc1441, zbdevice, phy62x2, other or unknown."""
        return self.identity.family

    @property
    def version(self) -> str | None:
        """1.0.0_0130, 5.8; None where it cannot be read."""
        return self.identity.version

    @property
    def is_custom(self) -> bool:
        """Whether pvvx or atc1441 runs."""
        return self.family in ("pvvx", "atc1441")

    @property
    def invented_did(self) -> bool:
        """Whether a flasher made up the DID: the reason of -29."""
        return self.did is not None and is_invented(self.did)

    @property
    def label(self) -> str:
        """For sentences: `stock 1.0.0_0130`."""
        return f"{self.family} {self.version}" if self.version else self.family
