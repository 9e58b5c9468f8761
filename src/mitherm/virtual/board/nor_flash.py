"""512 KiB of NOR flash (flash-layout.md 1): erasing gives FF, programming only clears bits, power can fail at any byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

SIZE: Final = 0x80000
SECTOR: Final = 0x1000
PAGE: Final = 0x100
JEDEC_ID: Final = bytes.fromhex("c86013")


class PowerLoss(Exception):
    """The supply broke down in the middle of a flash operation; what was done so far stays."""


@dataclass(frozen=True, slots=True)
class FlashOperation:
    """One erase or program as it was asked for."""

    kind: Literal["erase", "program"]
    address: int
    data: bytes = b""


@dataclass(slots=True)
class NorFlash:
    """The array. `watch` sees every operation before it happens and may raise `PowerLoss` through `fail_after`.

    `fail_after` = number of bytes of the coming operation that still succeed (None: no failure). An erase that fails
    leaves `noise` in the sector, a program that fails leaves the bytes before it and a random subset of cleared bits
    in the byte it was at (virtual-unit.md 8).
    """

    data: bytearray = field(default_factory=lambda: bytearray(b"\xff" * SIZE))
    watch: Callable[[FlashOperation], int | None] | None = None
    """Called with each operation; returns None, or the number of bytes after which power fails."""
    noise: Callable[[int], bytes] = bytes

    def __post_init__(self) -> None:
        if len(self.data) != SIZE:
            raise ValueError(f"a flash image has {SIZE} bytes, not {len(self.data)}")

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`; beyond the end the chip wraps to the start."""
        address %= SIZE
        part = bytes(self.data[address : address + length])
        return part if len(part) == length else part + self.read(0, length - len(part))

    def u32(self, address: int) -> int:
        """Little-endian word."""
        return int.from_bytes(self.read(address, 4), "little")

    def program(self, address: int, data: bytes) -> None:
        """Program of any length, split at the 256-byte pages as the SDK does: new = old AND data."""
        while data:
            room = PAGE - address % PAGE
            self.program_page(address, data[:room])
            address, data = address + room, data[room:]

    def program_page(self, address: int, data: bytes, *, wrap: bool = True) -> None:
        """One page-program command. Data that runs over the page end wraps to the page start (`wrap`), as the chip does."""
        limit = self._announce(FlashOperation("program", address, data))
        base, offset = address - address % PAGE, address % PAGE
        for index, value in enumerate(data):
            where = base + (offset + index) % PAGE if wrap else address + index
            if limit is not None and index >= limit:
                self.data[where % SIZE] &= value | self.noise(1)[0]
                raise PowerLoss
            self.data[where % SIZE] &= value
        if limit is not None:
            raise PowerLoss

    def erase_sector(self, address: int) -> None:
        """Erase the 4 KiB sector that holds `address`."""
        start = address - address % SECTOR
        limit = self._announce(FlashOperation("erase", start))
        if limit is not None:
            self.data[start : start + SECTOR] = self.noise(SECTOR)
            raise PowerLoss
        self.data[start : start + SECTOR] = b"\xff" * SECTOR

    def is_blank(self, address: int, length: int) -> bool:
        """Whether all bytes are FF."""
        return self.read(address, length) == b"\xff" * length

    def _announce(self, operation: FlashOperation) -> int | None:
        return None if self.watch is None else self.watch(operation)
