"""The check sums of Telink images, OTA blocks and Mi tags (telink-ota.md 2, firmware-image.md 1 and 5)."""

from __future__ import annotations

import zlib
from typing import Final

_POLYNOMIAL: Final = 0xA001


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
        rows.append(value)
    return tuple(rows)


_CRC16: Final = _table()


def crc16(data: bytes, value: int = 0xFFFF) -> int:
    """CRC-16/MODBUS: reflected 0xA001, start 0xFFFF, no final change. Guards each OTA block."""
    for byte in data:
        value = (value >> 8) ^ _CRC16[(value ^ byte) & 0xFF]
    return value


def crc32_raw(data: bytes, state: int = 0xFFFFFFFF) -> int:
    """Reflected 0xEDB88320 without final inversion, starting from and returning the plain register `state`.

    From 0xFFFFFFFF it is the trailer of a Telink image, from 0 the last word of a Mi tag.
    """
    return zlib.crc32(data, state ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
