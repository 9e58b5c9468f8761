"""Plain Telink images (.bin): header, size, CRC32 trailer, and finalising of linker output (firmware-image.md 1, 2)."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from typing import Final, Self

from mitherm.errors import ImageCorrupt, NotAnImage
from mitherm.primitives.checksums import crc32_raw

MARK: Final = b"KNLT"
MARK_AT: Final = 8
FLAG: Final = b"\x5d\x02"
"""At 6: a CRC trailer is there. Every real image has it (firmware-image.md 1)."""
STARTUP: Final = bytes.fromhex("0c6481a2090b1a40")
"""First start-up code of every thermometer image; other families differ in the fifth byte."""
BLOCK: Final = 16
EXTENDED: Final = 0x34000
"""208 KiB, from 0x40000 to the bonds at 0x74000 (flash-layout.md 2): most that clients offer to the extended OTA of pvvx.
The device refuses the last KiB of it (protocol/ota/extended.py); no published image is that long.
"""

_HEADER: Final = struct.Struct("<2sI2s4sHH2sHHHII8s")
_SMALLEST: Final = 0x34
"""Three blocks and a trailer: header and start-up code, nothing of sense behind them."""
_DAMAGED: Final = "Download or copy the file again."


@dataclass(frozen=True, slots=True)
class Header:
    """The first 40 bytes of an image."""

    reset_branch: bytes
    file_version: int
    flag: bytes
    mark: bytes
    ram_units: int
    """Part copied to RAM, in units of 16 bytes."""
    constant_0e: int
    interrupt_branch: bytes
    manufacturer: int
    image_type: int
    reserved_16: int
    size: int
    """Length of the image with its CRC trailer."""
    reserved_1c: int
    startup: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the header of anything that carries the boot mark; raises NotAnImage."""
        if not data:
            raise NotAnImage("the file is empty", hint=_DAMAGED)
        if len(data) < _HEADER.size:
            raise NotAnImage(f"the file has only {len(data)} bytes; a Telink image has at least {_SMALLEST}")
        mark = data[MARK_AT : MARK_AT + 4]
        if mark != MARK:
            raise NotAnImage(_no_mark(mark))
        return cls(*_HEADER.unpack_from(data))

    def to_bytes(self) -> bytes:
        """The 40 bytes."""
        return _HEADER.pack(*astuple(self))

    def check_size(self, length: int) -> None:
        """Raises ImageCorrupt unless the size field is possible for a file of `length` bytes."""
        # A body of whole blocks and the trailer: devices compare the trailer with the first word of the block behind.
        if self.size < _SMALLEST or self.size % BLOCK != 4:
            raise ImageCorrupt(
                f"the size in the header ({self.size} bytes) cannot be that of an image: "
                f"sizes are 16n + 4 and at least {_SMALLEST}",
                hint=_DAMAGED,
            )
        if self.size > length:
            raise ImageCorrupt(
                f"the image is truncated: its header says {self.size} bytes, only {length} are there", hint=_DAMAGED
            )


def _no_mark(mark: bytes) -> str:
    if mark == b"\xff" + MARK[1:]:
        return (
            "the boot mark is unfinished (FF instead of 4B at offset 8): this is the rest of an update that broke off"
        )
    if mark == bytes(4):
        return "the boot mark at offset 8 is cleared: this is a bank that a later update replaced, or no Telink image"
    return "this is no Telink image: the boot mark KNLT is not at offset 8"


@dataclass(frozen=True, slots=True)
class TelinkImage:
    """A sound image: `data` is the image with its trailer, `rest` whatever follows it in the file."""

    header: Header
    data: bytes
    rest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Check mark, size and CRC. Raises NotAnImage or ImageCorrupt."""
        header = Header.parse(data)
        header.check_size(len(data))
        image = cls(header, data[: header.size], data[header.size :])
        if not crc_ok(image.data):
            raise ImageCorrupt(
                f"the checksum of the image is wrong: {trailer(image.data[:-4]):#010x} computed, "
                f"{int.from_bytes(image.data[-4:], 'little'):#010x} stored",
                hint=_DAMAGED,
            )
        return image


def trailer(body: bytes) -> int:
    """CRC32 over everything before the trailer; byte 8 counts as 4B whatever was withheld."""
    return crc32_raw(marked(body))


def crc_ok(image: bytes) -> bool:
    """Whether the last four bytes of an image are the CRC32 of the others."""
    return trailer(image[:-4]) == int.from_bytes(image[-4:], "little")


def marked(image: bytes) -> bytes:
    """The image with byte 8 as 4B: receiving devices withhold that byte (telink-ota.md 5.3)."""
    return image[:MARK_AT] + MARK[:1] + image[MARK_AT + 1 :]


def pad(data: bytes) -> bytes:
    """FF up to a multiple of 16, as it is sent."""
    return data + b"\xff" * (-len(data) % BLOCK)


def finalise(raw: bytes) -> bytes:
    """Linker output to an image: padding, size field, CRC flag, trailer (firmware-image.md 2).

    A finished image is checked and returned unchanged. Raises NotAnImage, ImageCorrupt.
    """
    if Header.parse(raw).flag == FLAG:
        TelinkImage.parse(raw)
        return raw
    body = bytearray(pad(raw))
    body[6:8] = FLAG
    body[0x18:0x1C] = (len(body) + 4).to_bytes(4, "little")
    return bytes(body) + trailer(bytes(body)).to_bytes(4, "little")
