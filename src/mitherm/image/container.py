"""Zigbee OTA containers (.zigbee): 62 bytes in front of a plain image (firmware-image.md 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from mitherm.errors import ImageCorrupt, NotAnImage
from mitherm.image.telink import Header

MAGIC: Final = bytes.fromhex("1ef1ee0b")

_HEAD: Final = struct.Struct("<4sHHHHHIH32sIHI")
_HEAD_VERSION: Final = 0x0100
_HEAD_LENGTH: Final = 56
_STACK_VERSION: Final = 2
_UPGRADE_IMAGE: Final = 0


@dataclass(frozen=True, slots=True)
class ZigbeeContainer:
    """Who accepts the file over Zigbee (manufacturer, type, version) and the image inside."""

    manufacturer: int
    image_type: int
    file_version: int
    image: bytes
    text: bytes = b""
    """At most 32 bytes."""
    stack_version: int = _STACK_VERSION

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Unwrap; every length must fit. Raises NotAnImage, ImageCorrupt. The image inside is not looked at."""
        if not data.startswith(MAGIC):
            raise NotAnImage("this is no Zigbee OTA file: it does not begin with 1E F1 EE 0B")
        if len(data) < _HEAD.size:
            raise ImageCorrupt(f"the Zigbee OTA file is truncated: {len(data)} bytes, its head alone has {_HEAD.size}")
        _, version, head, _, maker, kind, file_version, stack, text, total, tag, length = _HEAD.unpack_from(data)
        if (version, head, tag) != (_HEAD_VERSION, _HEAD_LENGTH, _UPGRADE_IMAGE):
            raise ImageCorrupt(
                f"unknown Zigbee OTA head: version {version:#06x}, length {head}, first element {tag:#06x}; "
                f"{_HEAD_VERSION:#06x}, {_HEAD_LENGTH} and 0x0000 were expected"
            )
        _check_lengths(len(data), total, length)
        return cls(maker, kind, file_version, data[_HEAD.size : _HEAD.size + length], text.rstrip(b"\0"), stack)

    @classmethod
    def wrap(
        cls,
        image: bytes,
        *,
        manufacturer: int | None = None,
        image_type: int | None = None,
        file_version: int | None = None,
        text: bytes = b"",
    ) -> Self:
        """Put an image into a container; identifiers default to those of the image. Raises NotAnImage, ValueError."""
        header = Header.parse(image)
        if len(text) > 32:
            raise ValueError("the text of a Zigbee OTA file has at most 32 bytes")
        return cls(
            header.manufacturer if manufacturer is None else manufacturer,
            header.image_type if image_type is None else image_type,
            header.file_version if file_version is None else file_version,
            image,
            text,
        )

    def to_bytes(self) -> bytes:
        """The whole file."""
        head = _HEAD.pack(
            MAGIC,
            _HEAD_VERSION,
            _HEAD_LENGTH,
            0,
            self.manufacturer,
            self.image_type,
            self.file_version,
            self.stack_version,
            self.text,
            _HEAD.size + len(self.image),
            _UPGRADE_IMAGE,
            len(self.image),
        )
        return head + self.image

    def file_name(self, name: str) -> str:
        """manufacturer-type-version-name.zigbee, as Zigbee OTA indexes expect it."""
        return f"{self.manufacturer:04x}-{self.image_type:04x}-{self.file_version:08x}-{name}.zigbee"


def _check_lengths(actual: int, total: int, length: int) -> None:
    if total != actual:
        raise ImageCorrupt(f"the Zigbee OTA file is damaged: its head says {total} bytes, the file has {actual}")
    if length > actual - _HEAD.size:
        raise ImageCorrupt(
            f"the Zigbee OTA file is damaged: it announces an image of {length} bytes and holds {actual - _HEAD.size}"
        )
