"""Sign files: templates from which any image gets a tail for 2.1.1_0159, build c (firmware-image.md 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from mitherm.errors import ImageCorrupt, NotAnImage
from mitherm.image import tail
from mitherm.image.telink import pad
from mitherm.primitives.checksums import crc32_raw

_SHORTEST_BLOCK: Final = 64
"""The limit of the tool that reads these files; everything shorter it calls invalid (firmware-image.md 6)."""
_LOW: Final = 0xFFFF
_HIGH: Final = 0xFFFF0000


@dataclass(frozen=True, slots=True)
class SignFile:
    """The block that becomes the tail, `filler` bytes FF behind it (None: no extension), words set in the filler."""

    block: bytes
    filler: int | None = None
    patches: tuple[tuple[int, int], ...] = ()
    """(offset in the filler, 32-bit value)."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises NotAnImage when it is something else, ImageCorrupt when it is damaged."""
        if not looks_like(data):
            raise NotAnImage("this is no sign file: the signature block is missing")
        length = int.from_bytes(data[:2], "little")
        if not _SHORTEST_BLOCK <= length <= len(data):
            raise ImageCorrupt(
                f"the sign file is damaged: it announces a block of {length} bytes, {len(data)} are there"
            )
        block, extension = data[:length], data[length:]
        if not extension:
            return cls(block)
        if len(extension) % 6 != 2:  # the filler length of two bytes, then records of six
            raise ImageCorrupt(
                f"the sign file is damaged: {len(extension)} bytes behind the block are no whole records"
            )
        return cls(block, *_decode(crc32_raw(block), extension))

    def to_bytes(self) -> bytes:
        """The file, masked as sign files are."""
        if self.filler is None:
            return self.block
        state = crc32_raw(self.block)
        out = self.block + ((state & _LOW) ^ self.filler).to_bytes(2, "little")
        state = (state & _HIGH) | (state & _LOW) ^ self.filler
        for offset, value in self.patches:
            masked = (state & _LOW) ^ offset
            state = (state & _HIGH) | masked
            out += masked.to_bytes(2, "little") + (state ^ value).to_bytes(4, "little")
            state ^= value
        return out

    def tail_for(self, length: int) -> bytes:
        """Tail and filler for a file of `length` bytes."""
        block = bytearray(self.block)
        block[0:4] = bytes(4)
        block[0x14:0x18] = length.to_bytes(4, "little")
        filler = bytearray(b"\xff" * (self.filler or 0))
        for offset, value in self.patches:
            filler[offset : offset + 4] = value.to_bytes(4, "little")
        return bytes(block + filler)

    def apply(self, image: bytes) -> bytes:
        """The file with tail, filler and padding. A file that has a Mi tail already is returned unchanged."""
        if has_tail(image):
            return image
        return pad(image + self.tail_for(len(image)))


def looks_like(data: bytes) -> bool:
    """Whether this is a sign file: the tail magic stands behind the block length."""
    return data[4:16] == tail.MAGIC[4:] and data[:2] != tail.MAGIC[:2]


def has_tail(file: bytes) -> bool:
    """Whether a Mi tail stands where the size field of the image ends."""
    size = int.from_bytes(file[0x18:0x1C], "little")
    return file[size : size + len(tail.MAGIC)] == tail.MAGIC


def _decode(state: int, extension: bytes) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Unmask the filler length and the records; each masked word replaces a part of the running state."""
    first = int.from_bytes(extension[:2], "little")
    filler = (state & _LOW) ^ first
    state = (state & _HIGH) | first
    patches = []
    for at in range(2, len(extension), 6):
        low = int.from_bytes(extension[at : at + 2], "little")
        word = int.from_bytes(extension[at + 2 : at + 6], "little")
        offset, state = (state & _LOW) ^ low, (state & _HIGH) | low
        value, state = state ^ word, word
        if offset + 4 > filler:
            raise ImageCorrupt(
                f"the sign file is damaged: a record points to {offset}, behind the {filler} filler bytes"
            )
        patches.append((offset, value))
    return filler, tuple(patches)
