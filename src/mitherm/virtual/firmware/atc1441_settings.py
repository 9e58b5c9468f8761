"""The 21 settings bytes of atc1441 firmware at 0x78100, its commands, and its erasing of the key sector.

(custom-firmware.md 11.2, 11.3; flash-layout.md 5)
"""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor
from typing import Final

from mitherm.virtual.board.mi_records import MI_STORE
from mitherm.virtual.board.nor_flash import NorFlash

SETTINGS: Final = 0x78100
DEFAULTS: Final = bytes.fromhex("23f1cfab15000000000000010100060a00000505af")
SIZE: Final = len(DEFAULTS)

SCREEN_FAHRENHEIT: Final = 8
ADVERTISE_FAHRENHEIT: Final = 9
BLINKING: Final = 10
COMFORT: Final = 11
SHOW_BATTERY: Final = 12
MI_LIKE: Final = 13
INTERVAL: Final = 14
TEMPERATURE_OFFSET: Final = 16
HUMIDITY_OFFSET: Final = 17
TEMPERATURE_ALARM: Final = 18
HUMIDITY_ALARM: Final = 19
_CHECK: Final = 20
_HEAD: Final = DEFAULTS[:8]
_ERASE_LOOKS_AT: Final = 5
_BUFFER: Final = 32

_SETS: Final[dict[int, tuple[tuple[int, int], ...]]] = {
    0xFF: ((SCREEN_FAHRENHEIT, 1),),
    0xCC: ((SCREEN_FAHRENHEIT, 0),),
    0x0F: ((ADVERTISE_FAHRENHEIT, 1),),
    0x0C: ((ADVERTISE_FAHRENHEIT, 0),),
    0xB1: ((SHOW_BATTERY, 1),),
    0xB0: ((SHOW_BATTERY, 0),),
    0xA0: ((BLINKING, 0), (COMFORT, 0)),
    0xA1: ((BLINKING, 0), (COMFORT, 0)),
    0xA2: ((BLINKING, 0), (COMFORT, 0)),
    0xA3: ((BLINKING, 1), (COMFORT, 0)),
    0xAB: ((BLINKING, 0), (COMFORT, 1)),
    0xAF: ((MI_LIKE, 1),),
    0xAE: ((MI_LIKE, 0),),
}
"""Commands without operand: offset and value of what they set."""

COMFORT_POLYGON: Final = (
    (2000, 2000),
    (2560, 1980),
    (2700, 3200),
    (2500, 6000),
    (2050, 8200),
    (1700, 8600),
    (1600, 7700),
    (1750, 3800),
)
"""Corners in 0.01 C and 0.01 %."""


class Settings:
    """The settings in RAM; `raw[20]` is the check byte of the last save."""

    def __init__(self, flash: NorFlash) -> None:
        self._flash = flash
        self._received = bytearray(_BUFFER)
        self.raw = bytearray(DEFAULTS)

    def boot(self) -> None:
        """Erase the sector if its first five bytes are all used, then take the settings or write the defaults."""
        if 0xFF not in self._flash.read(MI_STORE, _ERASE_LOOKS_AT):
            self._flash.erase_sector(MI_STORE)
        stored = self._flash.read(SETTINGS, SIZE)
        self.raw[:] = stored
        if not stored.startswith(_HEAD) or stored[_CHECK] != check(stored):
            self.restore_defaults()

    def save(self) -> None:
        """Erase the whole key sector and write the settings."""
        self.raw[_CHECK] = check(self.raw)
        self._flash.erase_sector(MI_STORE)
        self._flash.program(SETTINGS, bytes(self.raw))

    def restore_defaults(self) -> None:
        """The defaults, saved."""
        self.raw[:] = DEFAULTS
        self.save()

    def command(self, data: bytes) -> None:
        """A write to 1F1F. An operand that is missing is what the receive buffer held before."""
        if not data:
            return
        self._received[: len(data)] = data[:_BUFFER]
        code, operand = self._received[:2]
        if code in _SETS:
            for offset, value in _SETS[code]:
                self.raw[offset] = value
        elif code == 0xDF:
            self.save()
        elif code == 0xDE:
            self.restore_defaults()
        else:
            self._set_number(code, operand)

    def _set_number(self, code: int, operand: int) -> None:
        if code == 0xFE:
            self.raw[INTERVAL] = operand
        elif code == 0xFA:
            self.raw[TEMPERATURE_OFFSET] = operand
        elif code == 0xFB:
            self.raw[HUMIDITY_OFFSET] = max(-50, min(50, _signed(operand))) & 0xFF
        elif code == 0xFC:
            self.raw[TEMPERATURE_ALARM] = operand or 1
        elif code == 0xFD:
            self.raw[HUMIDITY_ALARM] = min(operand or 1, 50)

    def signed(self, offset: int) -> int:
        """An s8 field."""
        return _signed(self.raw[offset])


def _signed(byte: int) -> int:
    value: int = struct.unpack("b", bytes([byte]))[0]
    return value


def check(settings: bytes | bytearray) -> int:
    """XOR of all bytes before the check byte."""
    return reduce(xor, settings[:_CHECK], 0)


def is_comfortable(temperature_x100: int, humidity_x100: int) -> bool:
    """Whether a point lies in the comfort polygon: edges crossed on the way to the left, as the firmware counts them."""
    inside = False
    for (x1, y1), (x2, y2) in zip(COMFORT_POLYGON, COMFORT_POLYGON[-1:] + COMFORT_POLYGON[:-1], strict=True):
        if min(y1, y2) <= humidity_x100 <= max(y1, y2) and y1 != y2:
            side = (y2 - y1) * (temperature_x100 - x1) - (x2 - x1) * (humidity_x100 - y1)
            inside ^= side > 0 if y1 < y2 else side < 0
    return inside
