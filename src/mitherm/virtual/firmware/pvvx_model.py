"""What differs between pvvx builds, boards and versions: names, defaults, services, probed hardware (custom-firmware.md 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mitherm.protocol.pvvx.structs import Coefficients

LYWSD03MMC: Final = 10
SERVICES_LYWSD03MMC: Final = ((0x45, 0), (0x46, 0x0FFF), (0x47, 0x51FF), (0x48, 0x153FF), (0x52, 0x8153FF))

_T = TypeVar("_T")


def since(table: Sequence[tuple[int, _T]], version: int) -> _T:
    """The value of the last row whose version is not above `version`; the first one below the table."""
    fitting = [value for first, value in table if first <= version]
    return fitting[-1] if fitting else table[0][1]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A temperature and humidity sensor; `address` in the 8-bit form."""

    kind: int
    address: int
    chip_id: int
    coefficients: Coefficients


NO_SENSOR: Final = Sensor(0, 0, 0, Coefficients(0, 0, 0, 0))
SHTC3: Final = Sensor(1, 0xE0, 0x00C30887, Coefficients(17500, 10000, -4500, 0))
SHT4X: Final = Sensor(2, 0x88, 0x56781234, Coefficients(17500, 12500, -4500, -600))


@dataclass(frozen=True, slots=True)
class Board:
    """What an LYWSD03MMC build finds on the board. `lcd`: 8-bit address, 01 SPI, 00 UART."""

    lcd: int
    sensor: Sensor
    hardware_id: int
    name: bytes


BOARDS: Final = {
    "B1.4": Board(0x78, SHTC3, 0, b"B1.4"),
    "B1.5": Board(0x00, SHTC3, 10, b"B1.5"),
    "B1.6": Board(0x00, SHT4X, 4, b"B1.6"),
    "B1.7": Board(0x78, SHT4X, 4, b"B1.7"),
    "B1.9": Board(0x7C, SHT4X, 3, b"B1.9"),
    "B2.0": Board(0x78, SHT4X, 4, b"B2.0"),
    "B1.6-2025": Board(0x01, SHT4X, 14, b"B1.1"),
}
UNPROBED: Final = Board(0x00, SHT4X, 4, b"B1.6")
"""What the firmware assumes before it has looked: display on UART, SHT4x."""


@dataclass(frozen=True, slots=True)
class Build:
    """One pvvx build. `default` is the configuration of 5.8 in hex before probing (low power bit as after command 56)."""

    default: str
    services: int
    sensor: Sensor
    clock_chip: int = 0
    """Kind of the hardware clock, 0 = none."""
    key_input: bool = False
    screen_bytes: int = 6


BUILDS: Final = {
    10: Build("87100a062804a9313100b4", 0x8153FF, SHTC3, key_input=True),
    1: Build("87100a062808a93163015a", 0x151FF, SHTC3, screen_bytes=18),
    8: Build("87100a062808a93163085a", 0x151FF, SHTC3, screen_bytes=16),
    2: Build("87100a062808a93163025a", 0x151FF, SHTC3, screen_bytes=18),
    7: Build("87100a062804a9313107b4", 0x151FF, SHTC3, screen_bytes=16),
    6: Build("83100a062804a9313106b4", 0x151FF, SHTC3, screen_bytes=18),
    9: Build(
        "87000a065004a93100095a",
        0x163FF,
        SHT4X,
        clock_chip=17,
        key_input=True,
        screen_bytes=18,
    ),
    12: Build(
        "87000a065004a931000c5a",
        0x163FF,
        SHT4X,
        clock_chip=17,
        key_input=True,
        screen_bytes=18,
    ),
    13: Build("87100a065004a931310d5a", 0x153FF, SHT4X, key_input=True),
    11: Build("87100a062804a931310bb4", 0x151FF, SHTC3),
    49: Build("87100a063c04a931313178", 0x161FF, SHT4X, clock_chip=17, screen_bytes=18),
    30: Build("87100a065004a931311e5a", 0xD3FF, NO_SENSOR, key_input=True),
}
"""By device id (build number)."""

_DEFAULTS: Final = (
    (0x08, "000000002005bf7c37"),
    (0x10, "030000002804bf7c31"),
    (0x13, "070000002804bf7c31"),
    (0x20, "070000002804bf7c31383c"),
    (0x28, "070000002804a97c31383c"),
    (0x32, "050000002804a97c31383c"),
    (0x36, "050000002804a97c31003c"),
    (0x38, "056000002804a97c31003c"),
    (0x39, "056000002804a97c3100b4"),
    (0x40, "052000002804a97c3100b4"),
    (0x41, "052000002804a9043100b4"),
    (0x42, "051000002804a9313100b4"),
    (0x47, "071000002804a9313100b4"),
    (0x48, "871000002804a9313100b4"),
    (0x51, "87100a062804a9313100b4"),
)
_HARDWARE_BYTE: Final = 9


def build_of(device_id: int | None) -> Build:
    """The build; unknown ids behave like the LYWSD03MMC's."""
    return BUILDS.get(device_id or LYWSD03MMC, BUILDS[LYWSD03MMC])


def default_config(version: int, device_id: int) -> bytes:
    """What command 56 restores, before the hardware byte is corrected."""
    default = bytes.fromhex(since(_DEFAULTS, version))
    if device_id == LYWSD03MMC or len(default) < 11:
        return default
    own = bytes.fromhex(build_of(device_id).default)
    if version >= 0x51:
        return own
    return default[:_HARDWARE_BYTE] + own[_HARDWARE_BYTE:]


def hardware_byte(version: int, hardware_id: int, sensor: Sensor) -> int:
    """Byte 9 of the configuration (custom-firmware.md 5.2)."""
    if version >= 0x48:
        return hardware_id
    shtc3 = (sensor.kind == SHTC3.kind) << 7
    if version >= 0x36:
        return hardware_id & 15 | shtc3
    return 0x38 | hardware_id & 7 | (shtc3 if version >= 0x33 else 0)
