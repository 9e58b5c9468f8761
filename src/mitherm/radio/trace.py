"""The packet trace of -vv, with everything left out that is or contains a secret."""

from __future__ import annotations

import logging
from typing import Final

from mitherm.protocol import uuids

_log = logging.getLogger("mitherm.packets")

_SECRET_COMMANDS: Final = frozenset({0x12, 0x14, 0x16, 0x18, 0x70, 0xDC, 0xDE})
"""pvvx commands and answers that carry keys, the PIN, or raw memory (custom-firmware.md 6, 10)."""
_SECRET_STRAYS: Final = frozenset({0x00, 0x11})
"""Ids under which left-over key bytes are sent (custom-firmware.md 10, stray frames)."""


def trace(direction: str, char: str, data: bytes) -> None:
    """Log one value that crossed the link."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%s %s %s", direction, _name(char), shown(char, data))


def shown(char: str, data: bytes) -> str:
    """Hex, or only id and length where the rest may be secret."""
    if char == uuids.CUSTOM_COMMAND and data and data[0] in _SECRET_COMMANDS | _SECRET_STRAYS and len(data) > 2:
        return f"{data[:1].hex()}… ({len(data)} bytes, not shown)"
    return data.hex()


def _name(char: str) -> str:
    if char == uuids.OTA:
        return "ota"
    number = uuids.number_of(char)
    return char[:8] if number is None else f"{number:04x}"
