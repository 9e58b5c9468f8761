"""48-bit Bluetooth addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

XIAOMI_OUI: Final = "A4:C1:38"

_FORM: Final = re.compile(r"[0-9a-fA-F]{2}([:\-_. ]?[0-9a-fA-F]{2}){5}")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A public device address in display order (A4 C1 38 ...)."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            raise ValueError("an address has 6 bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From any usual spelling: with colons, dashes, dots, or none; raises ValueError."""
        text = text.strip()
        if not _FORM.fullmatch(text):
            raise ValueError(f"not an address: {text!r}")
        return cls(bytes.fromhex(re.sub(r"[:\-_. ]", "", text)))

    @classmethod
    def from_reversed(cls, raw: bytes) -> Self:
        """From the byte order used on the air and in flash."""
        return cls(bytes(reversed(raw[:6])))

    @property
    def reversed(self) -> bytes:
        """Byte order used on the air and in flash."""
        return bytes(reversed(self.octets))

    @property
    def compact(self) -> str:
        """Twelve lower-case hex digits, as used for file names."""
        return self.octets.hex()

    def __str__(self) -> str:
        return self.octets.hex(":").upper()
