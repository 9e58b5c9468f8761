"""The objects of MiBeacon frames: id to (length, reader) (beacons.md 6.3)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

Reader = Callable[[bytes, int], dict[str, Any]]
"""(frame, position of the data) to named values; empty when the data say nothing."""

_OPENING: Final[dict[int, dict[str, Any]]] = {
    0: {"opening": True},
    1: {"opening": False},
    2: {"opening": True},
}
"""Door states; 3 is a reset and says nothing."""


def _number(name: str, layout: str, divisor: int = 1) -> Reader:
    unpack = struct.Struct(layout).unpack_from
    if divisor == 1:
        return lambda data, at: {name: unpack(data, at)[0]}
    return lambda data, at: {name: unpack(data, at)[0] / divisor}


def _float(name: str) -> Reader:
    unpack = struct.Struct("<f").unpack_from

    def read(data: bytes, at: int) -> dict[str, Any]:
        value = unpack(data, at)[0]
        return {name: float(f"{value:.7g}")} if math.isfinite(value) else {}

    return read


def _climate(data: bytes, at: int) -> dict[str, Any]:
    temperature, humidity = _CLIMATE(data, at)
    return {"temperature": temperature / 10, "humidity": humidity / 10}


def _opening(data: bytes, at: int) -> dict[str, Any]:
    return _OPENING.get(data[at], {})


def _nothing(data: bytes, at: int) -> dict[str, Any]:
    return {}


_CLIMATE: Final = struct.Struct("<hH").unpack_from
_battery: Final = (1, _number("battery", "B"))
_humidity: Final = (1, _number("humidity", "B"))
_humidity_float: Final = (4, _float("humidity"))
_temperature_float: Final = (4, _float("temperature"))
_battery_low: Final = (1, _number("battery_low", "?"))
_mode: Final = (1, _nothing)

OBJECTS: Final[dict[int, tuple[int, Reader]]] = {
    0x1004: (2, _number("temperature", "<h", 10)),
    0x1006: (2, _number("humidity", "<H", 10)),
    0x100A: _battery,
    0x100D: (4, _climate),
    0x1019: (1, _opening),
    0x20E1: (4, _number("count", "<I")),
    0x4801: _temperature_float,
    0x4C01: _temperature_float,
    0x4802: _humidity,
    0x4C02: _humidity,
    0x4808: _humidity_float,
    0x4C08: _humidity_float,
    0x4803: _battery,
    0x4C03: _battery,
    0x5003: _battery,
    0x4A01: _battery_low,
    0x4E01: _battery_low,
    0x4C14: _mode,
    0x5414: _mode,
}
