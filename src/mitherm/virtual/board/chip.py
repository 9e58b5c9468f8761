"""What firmware runs on. A personality sees the world only through its `Chip`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mitherm.virtual.board.nor_flash import NorFlash


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify `data` on a characteristic (sent whether or not the CCCD is on: the air decides what the central sees)."""

    char: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Terminate:
    """LL_TERMINATE: the central learns the reason at once."""

    reason: int = 0x13


@dataclass(frozen=True, slots=True)
class Vanish:
    """The unit stopped answering (reset, power loss): the central sees 0x08 after its supervision timeout."""


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """L2CAP connection parameter update request; intervals in 1.25 ms, timeout in 10 ms."""

    minimum: int
    maximum: int
    latency: int
    timeout: int


@dataclass(frozen=True, slots=True)
class RequestMtu:
    """The unit starts an ATT MTU exchange."""

    mtu: int


@dataclass(frozen=True, slots=True)
class Advertise:
    """One advertising event: AD structures of the advert and of the scan response."""

    data: bytes
    scan_response: bytes = b""
    connectable: bool = True


Action: TypeAlias = Notify | Terminate | Vanish | RequestParameters | RequestMtu | Advertise


class AttError(Exception):
    """A read or write that the firmware refuses with an ATT error code."""

    READ_NOT_PERMITTED = 0x02
    WRITE_NOT_PERMITTED = 0x03
    ATTRIBUTE_NOT_FOUND = 0x0A
    INSUFFICIENT_AUTHENTICATION = 0x05

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error {code:#04x}")
        self.code = code


@dataclass(slots=True)
class Cell:
    """The coin cell (virtual-unit.md 1)."""

    millivolts: int = 3000
    sag_mv: int = 100
    inserted: bool = True


@dataclass(slots=True)
class Climate:
    """What the sensor would see."""

    temperature_c: float = 21.5
    humidity_pct: float = 45.0


@dataclass(slots=True)
class Chip:
    """Flash, board, cell, sensor, clock, entropy and the outbox of actions.

    `now` is seconds on the unit's own monotonic clock, set before every call into the firmware. `warm` survives a
    software reset but not a loss of power (pvvx' long-range flag). `connected` tells whether a link is up.
    """

    flash: NorFlash
    model: str = "LYWSD03MMC"
    hardware: str = "B1.4"
    cell: Cell = field(default_factory=Cell)
    climate: Climate = field(default_factory=Climate)
    entropy: Callable[[int], bytes] = bytes
    now: float = 0.0
    connected: bool = False
    power_up: bool = True
    """True during the boot that follows a power-up, False after a software reset."""
    warm: dict[str, object] = field(default_factory=dict)
    outbox: list[Action] = field(default_factory=list)
    reset_at: float | None = None

    def emit(self, action: Action) -> None:
        """Hand an action to the air."""
        self.outbox.append(action)

    def notify(self, char: str, data: bytes) -> None:
        """Shorthand for the most frequent action."""
        self.outbox.append(Notify(char, data))

    def reset(self, delay_s: float = 0.0) -> None:
        """Software reset after `delay_s`; until then the firmware goes on. The link dies silently."""
        self.reset_at = self.now + delay_s

    @property
    def millivolts(self) -> int:
        """Supply voltage as an ADC sees it now: lower while a link is up."""
        return self.cell.millivolts - (self.cell.sag_mv if self.connected else 0)
