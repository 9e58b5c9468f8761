"""Frames of the Telink update: the values written to the OTA characteristic (telink-ota.md 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from mitherm.model.models import BANK
from mitherm.primitives.checksums import crc16

BLOCK_SIZE: Final = 16
"""With index and check sum 20 bytes: exactly one packet at the smallest ATT_MTU, so a larger one gains nothing
(telink-ota.md 2)."""
FIRST_COMMAND: Final = 0xFF00
"""Indices from here on are commands: an image must have fewer blocks."""
BANK_SIZE: Final = BANK
SECTOR_SIZE: Final = 0x1000

_VERSION: Final = 0xFF00
_START: Final = 0xFF01
_END: Final = 0xFF02
_DATA: Final = struct.Struct("<H16sH")
_CLOSE: Final = struct.Struct("<HHH")


@dataclass(frozen=True, slots=True)
class Version:
    """Version request, 2 bytes; devices ignore it."""

    def __bytes__(self) -> bytes:
        return _VERSION.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, 2 bytes; opens the inactivity timer."""

    def __bytes__(self) -> bytes:
        return _START.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Block:
    """Block `index`: index u16, 16 bytes of the image, CRC-16 u16 over both (20 bytes)."""

    index: int
    data: bytes
    crc: int

    @classmethod
    def make(cls, index: int, data: bytes) -> Block:
        """With the right CRC; a short last block is filled with FF. Raises ValueError."""
        if not 0 <= index < FIRST_COMMAND or not 0 < len(data) <= BLOCK_SIZE:
            raise ValueError(f"no block: index {index}, {len(data)} bytes")
        filled = data.ljust(BLOCK_SIZE, b"\xff")
        return cls(index, filled, crc16(index.to_bytes(2, "little") + filled))

    @property
    def intact(self) -> bool:
        """Whether the CRC fits."""
        return crc16(self.index.to_bytes(2, "little") + self.data) == self.crc

    def __bytes__(self) -> bytes:
        return _DATA.pack(self.index, self.data, self.crc)


@dataclass(frozen=True, slots=True)
class End:
    """End, always 6 bytes: command, index of the last block, its complement."""

    last: int

    def __bytes__(self) -> bytes:
        return _CLOSE.pack(_END, self.last, 0xFFFF - self.last)


@dataclass(frozen=True, slots=True)
class UncheckedEnd:
    """An END of another form: devices then skip the index check (telink-ota.md 5.4). Has no encoder on purpose."""


Frame: TypeAlias = Version | Start | Block | End | UncheckedEnd


def parse(raw: bytes) -> Frame:
    """As devices read it: bytes behind the frame are ignored, missing ones are taken as 00. Never raises."""
    word = int.from_bytes(raw[:2], "little")
    if word == _VERSION:
        return Version()
    if word == _START:
        return Start()
    if word == _END:
        return _parse_end(raw)
    return Block(*_DATA.unpack(raw[: _DATA.size].ljust(_DATA.size, b"\0")))


def _parse_end(raw: bytes) -> End | UncheckedEnd:
    if len(raw) != _CLOSE.size:
        return UncheckedEnd()
    _, last, complement = _CLOSE.unpack(raw)
    return End(last) if last ^ complement == 0xFFFF else UncheckedEnd()


def block_count(length: int) -> int:
    """Blocks of a file of `length` bytes."""
    return -(-length // BLOCK_SIZE)


def blocks(data: bytes) -> Iterator[Block]:
    """All blocks of a file in order. Raises ValueError where an index would become a command."""
    for index in range(block_count(len(data))):
        yield Block.make(index, data[index * BLOCK_SIZE : (index + 1) * BLOCK_SIZE])
