"""The objects of MiBeacon frames (beacons.md 6.3)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

from mitherm.model.reading import Value

Unpack = Callable[[bytes, int], tuple[Any, ...]]
Reader = Callable[[bytes, int], dict[str, Value]]
"""(frame, position of the data) to named values; empty when the data say nothing."""

NUMBERS: Final[dict[int, tuple[int, str, Unpack, int]]] = {
    number: (struct.calcsize(layout), name, struct.Struct(layout).unpack_from, divisor)
    for number, name, layout, divisor in (
        (0x1004, "temperature", "<h", 10),
        (0x1006, "humidity", "<H", 10),
        (0x100A, "battery", "B", 0),
        (0x20E1, "count", "<I", 0),
        (0x4802, "humidity", "B", 0),
        (0x4C02, "humidity", "B", 0),
        (0x4803, "battery", "B", 0),
        (0x4C03, "battery", "B", 0),
        (0x5003, "battery", "B", 0),
        (0x4A01, "battery_low", "?", 0),
        (0x4E01, "battery_low", "?", 0),
    )
}
"""Objects that are one number: length, name, reader of the raw value, divisor (0: as it is)."""

_CLIMATE: Final = struct.Struct("<hH").unpack_from
_FLOAT: Final = struct.Struct("<f").unpack_from
_OPENING: Final[dict[int, dict[str, Value]]] = {0: {"opening": True}, 1: {"opening": False}, 2: {"opening": True}}
"""Door states; 3 is a reset and says nothing."""


def _climate(data: bytes, at: int) -> dict[str, Value]:
    temperature, humidity = _CLIMATE(data, at)
    return {"temperature": temperature / 10, "humidity": humidity / 10}


def _opening(data: bytes, at: int) -> dict[str, Value]:
    return _OPENING.get(data[at], {})


def _mode(data: bytes, at: int) -> dict[str, Value]:
    return {}


def _float(name: str) -> Reader:
    """Seven digits are what a float32 holds: 26.1, not 26.100000381."""

    def read(data: bytes, at: int) -> dict[str, Value]:
        value = _FLOAT(data, at)[0]
        return {name: float(f"{value:.7g}")} if math.isfinite(value) else {}

    return read


OTHERS: Final[dict[int, tuple[int, Reader]]] = {
    0x100D: (4, _climate),
    0x1019: (1, _opening),
    0x4801: (4, _float("temperature")),
    0x4C01: (4, _float("temperature")),
    0x4808: (4, _float("humidity")),
    0x4C08: (4, _float("humidity")),
    0x4C14: (1, _mode),
    0x5414: (1, _mode),
}
"""All other objects: length, reader."""
