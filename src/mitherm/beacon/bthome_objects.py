"""The objects of BTHome v2: id to name, length and meaning (beacons.md 7.1). v1 shares names and factors."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Unpack = Callable[[bytes, int], tuple[Any, ...]]
"""(data, position) to a tuple whose first item is the raw value."""

PACKET_ID: Final = "packet_id"

BUTTON: Final[dict[int, str | None]] = {
    0x00: None,
    0x01: "press",
    0x02: "double_press",
    0x03: "triple_press",
    0x04: "long_press",
    0x05: "long_double_press",
    0x06: "long_triple_press",
    0x80: "hold_press",
    0x81: "hold_release",
}
DIMMER: Final[dict[int, str | None]] = {0: None, 1: "rotate_left", 2: "rotate_right"}

_VARIABLE: Final = -1
"""Length of objects that begin with a length byte."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One object id. Value = raw / divisor; divisor 0 leaves the raw value as it is."""

    number: int
    name: str
    length: int
    unpack: Unpack
    divisor: int = 0
    meaning: Literal["number", "bool", "other"] = "number"

    @property
    def variable(self) -> bool:
        """A length byte follows the id."""
        return self.length == _VARIABLE


def _u24(data: bytes, at: int) -> tuple[int]:
    return (data[at] | data[at + 1] << 8 | data[at + 2] << 16,)


def _thirty_five(data: bytes, at: int) -> tuple[int]:
    raw = data[at]
    return (35 * (raw - 256 if raw > 127 else raw),)


def _button(data: bytes, at: int) -> tuple[object]:
    return (BUTTON.get(data[at], data[at]),)


def _dimmer(data: bytes, at: int) -> tuple[object]:
    return ({"event": DIMMER.get(data[at], data[at]), "steps": data[at + 1]},)


def _version(length: int) -> Unpack:
    return lambda data, at: (".".join(str(part) for part in reversed(data[at : at + length])),)


def _text(data: bytes, at: int) -> tuple[str]:
    return (data[at + 1 : at + 1 + data[at]].decode(errors="replace"),)


def _raw(data: bytes, at: int) -> tuple[str]:
    return (data[at + 1 : at + 1 + data[at]].hex(),)


def _command(data: bytes, at: int) -> tuple[dict[str, Any]]:
    count = data[at] & 0x1F
    return ({"opcode": data[at + 1], "arguments": data[at + 2 : at + 2 + count].hex()},)


_LAYOUTS: Final[dict[str, tuple[int, Unpack]]] = {
    "u1": (1, struct.Struct("B").unpack_from),
    "u2": (2, struct.Struct("<H").unpack_from),
    "u3": (3, _u24),
    "u4": (4, struct.Struct("<I").unpack_from),
    "i1": (1, struct.Struct("b").unpack_from),
    "i1 * 35": (1, _thirty_five),
    "i2": (2, struct.Struct("<h").unpack_from),
    "i4": (4, struct.Struct("<i").unpack_from),
    "bool": (1, struct.Struct("?").unpack_from),
    "button": (1, _button),
    "dimmer": (2, _dimmer),
    "version4": (4, _version(4)),
    "version3": (3, _version(3)),
    "text": (_VARIABLE, _text),
    "raw": (_VARIABLE, _raw),
    "command": (_VARIABLE, _command),
}

_NUMBERS: Final = (
    (0x00, PACKET_ID, "u1", 0),
    (0x01, "battery", "u1", 0),
    (0x02, "temperature", "i2", 100),
    (0x45, "temperature", "i2", 10),
    (0x57, "temperature", "i1", 0),
    (0x58, "temperature", "i1 * 35", 100),
    (0x03, "humidity", "u2", 100),
    (0x2E, "humidity", "u1", 0),
    (0x04, "pressure", "u3", 100),
    (0x05, "illuminance", "u3", 100),
    (0x06, "mass_kg", "u2", 100),
    (0x07, "mass_lb", "u2", 100),
    (0x08, "dew_point", "i2", 100),
    (0x3E, "count", "u4", 0),
    (0x09, "count", "u1", 0),
    (0x3D, "count", "u2", 0),
    (0x59, "count", "i1", 0),
    (0x5A, "count", "i2", 0),
    (0x5B, "count", "i4", 0),
    (0x0A, "energy", "u3", 1000),
    (0x4D, "energy", "u4", 1000),
    (0x0B, "power_w", "u3", 100),
    (0x5C, "power_w", "i4", 100),
    (0x0C, "voltage", "u2", 1000),
    (0x4A, "voltage", "u2", 10),
    (0x0D, "pm25", "u2", 0),
    (0x0E, "pm10", "u2", 0),
    (0x12, "co2", "u2", 0),
    (0x13, "tvoc", "u2", 0),
    (0x14, "soil_moisture", "u2", 100),
    (0x2F, "soil_moisture", "u1", 0),
    (0x3A, "button", "button", 0),
    (0x3B, "command", "command", 0),
    (0x3C, "dimmer", "dimmer", 0),
    (0x3F, "rotation", "i2", 10),
    (0x40, "distance_mm", "u2", 0),
    (0x41, "distance_m", "u2", 10),
    (0x42, "duration", "u3", 1000),
    (0x43, "current", "u2", 1000),
    (0x5D, "current", "i2", 1000),
    (0x44, "speed", "u2", 100),
    (0x62, "speed", "i4", 1_000_000),
    (0x46, "uv_index", "u1", 10),
    (0x47, "volume_l", "u2", 10),
    (0x4E, "volume_l", "u4", 1000),
    (0x48, "volume_ml", "u2", 0),
    (0x49, "volume_flow_rate", "u2", 1000),
    (0x4B, "gas_m3", "u3", 1000),
    (0x4C, "gas_m3", "u4", 1000),
    (0x4F, "water_l", "u4", 1000),
    (0x55, "volume_storage_l", "u4", 1000),
    (0x50, "timestamp", "u4", 0),
    (0x51, "acceleration", "u2", 1000),
    (0x63, "acceleration", "i4", 1_000_000),
    (0x52, "gyroscope", "u2", 1000),
    (0x53, "text", "text", 0),
    (0x54, "raw", "raw", 0),
    (0x56, "conductivity", "u2", 0),
    (0x5E, "direction", "u2", 100),
    (0x5F, "precipitation", "u2", 10),
    (0x60, "channel", "u1", 0),
    (0x61, "rotational_speed", "u2", 0),
    (0x64, "light_level", "u1", 0),
    (0x65, "settings_revision", "u1", 0),
    (0xF0, "device_type_id", "u2", 0),
    (0xF1, "firmware", "version4", 0),
    (0xF2, "firmware", "version3", 0),
)

_BOOLEANS: Final = {
    0x0F: "generic",
    0x10: "power",
    0x11: "opening",
    0x15: "battery_low",
    0x16: "charging",
    0x17: "co",
    0x18: "cold",
    0x19: "connectivity",
    0x1A: "door",
    0x1B: "garage_door",
    0x1C: "gas",
    0x1D: "heat",
    0x1E: "light",
    0x1F: "lock",
    0x20: "moisture",
    0x21: "motion",
    0x22: "moving",
    0x23: "occupancy",
    0x24: "plug",
    0x25: "presence",
    0x26: "problem",
    0x27: "running",
    0x28: "safety",
    0x29: "smoke",
    0x2A: "sound",
    0x2B: "tamper",
    0x2C: "vibration",
    0x2D: "window",
}

KINDS: Final[dict[int, Kind]] = {
    number: Kind(number, name, *_LAYOUTS[layout], divisor, "number" if layout[0] in "ui" else "other")
    for number, name, layout, divisor in _NUMBERS
} | {number: Kind(number, name, *_LAYOUTS["bool"], meaning="bool") for number, name in _BOOLEANS.items()}
