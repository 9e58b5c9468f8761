"""What the unit expects of a personality."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.virtual.board.chip import Chip


@dataclass(frozen=True, slots=True)
class BootImage:
    """What the boot rules found in flash (virtual-unit.md 3)."""

    family: Family
    """An updatable one."""
    version: str
    """1.0.0_0130, 5.8, or empty (atc1441)."""
    model: str
    bank: int
    """Address of the running bank: 0x00000, 0x20000 or 0x40000."""
    length: int
    """Size field of the image."""
    device_id: int | None = None
    """pvvx: low byte of the image type (0x0A = LYWSD03MMC)."""
    build: str = ""
    """0159: `c` or `B1.6`."""


class Firmware(ABC):
    """One running firmware. It is told events and answers by actions in `chip.outbox`; it never waits.

    Life: constructed, then `boot()` once, then events until the unit resets it (a new object is made at every boot, so
    attributes are the RAM). `chip.now` is current in every call. All methods may program or erase `chip.flash`, and must
    let `PowerLoss` pass through.
    """

    def __init__(self, chip: Chip, image: BootImage) -> None:
        self.chip = chip
        self.image = image

    @property
    @abstractmethod
    def gatt(self) -> GattTable:
        """The attribute table; constant between two boots."""

    @property
    def att_mtu(self) -> int:
        """Largest ATT MTU the firmware agrees to when the central asks."""
        return 23

    @property
    def reachable(self) -> bool:
        """Whether an ordinary central can see it when no link is up: False asleep or in long range mode."""
        return True

    @abstractmethod
    def boot(self) -> None:
        """Flash effects of starting, then RAM initialisation (flash-layout.md 5). Idle banks are cleared by the unit."""

    @abstractmethod
    def connected(self) -> None:
        """A central connected."""

    @abstractmethod
    def disconnected(self) -> None:
        """The link is gone, for whatever reason."""

    @abstractmethod
    def write(self, char: str, data: bytes) -> None:
        """A write arrived (Request or Command). Raises AttError."""

    @abstractmethod
    def read(self, char: str) -> bytes:
        """A read arrived. Raises AttError."""

    def subscribe(self, char: str, value: bytes) -> None:
        """The CCCD of `char` was written."""

    @abstractmethod
    def tick(self) -> None:
        """Called when `wake_at` is reached (and possibly at other times)."""

    @abstractmethod
    def wake_at(self) -> float | None:
        """Next time on the unit's clock at which `tick` must run; adverts not included."""

    @abstractmethod
    def advertise(self) -> float:
        """Emit the coming advertising event into the outbox (or nothing); returns seconds until the next one.

        Called by the unit when the time has come and no link is up.
        """

    def resumed(self, clock_s: int | None, send_count: int | None) -> None:
        """RAM was rebuilt by `boot` on a copy of the flash after a pause of the program: take over what had been saved.

        Flash is as before the pause, so nothing remembered from `boot` about write positions may be trusted.
        """

    def skip(self, seconds: float) -> None:
        """`seconds` passed with nobody watching (between two commands): advance clocks, no adverts."""

    def reset_pad(self) -> None:
        """The reset pad is shorted to ground long enough for every rule (virtual-unit.md 8)."""

    @property
    def display(self) -> str:
        """ok, blank or off."""
        return "ok"

    def clock_s(self) -> int:
        """The unit's own clock, saved between commands."""
        return 0
