"""Values of pvvx settings in the words and units of people, both ways (custom-firmware.md 5.2, 5.5)."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from mitherm.errors import SettingsError
from mitherm.protocol.pvvx.config import Field

Value: TypeAlias = bool | int | float | str

_SWITCH: Final = ("off", "on")
_YES_NO: Final = {"no": 0, "false": 0, "yes": 1, "true": 1}
_OLD_TYPES: Final = ("atc1441", "custom", "mi")
_ADVERTISING: Final = (
    (0x45, (*_OLD_TYPES, "bthome")),
    (0x37, (*_OLD_TYPES, "bthome1")),
    (0x11, (*_OLD_TYPES, "all")),
    (0x09, ("custom", "mi", "atc1441", "all")),
    (0x00, ("custom", "mi")),
)
"""First version, meaning of 0, 1, 2, 3; bthome1 is version 1 of BTHome."""
_WORDS: Final = {
    "smiley": ("none", "^_^", "-^-", "ooo", "brackets", "(^_^)", "(-^-)", "(ooo)"),
    "screen_type": ("time", "temperature", "humidity", "battery", "voltage", "number"),
}
_UNITS: Final = {
    "ms": {"": 1.0, "ms": 1.0, "s": 1000.0},
    "C": {"": 1.0, "c": 1.0, "°c": 1.0},
    "%": {"": 1.0, "%": 1.0},
    "": {"": 1.0},
}
"""Unit of a field, spellings that are understood and how many of the unit they are."""
_NUMBER: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(\D*)")
# fmt: off
TX_POWER_DBM: Final = {
    191: 3.01, 189: 2.81, 187: 2.61, 185: 2.39, 182: 1.99, 180: 1.73, 178: 1.45, 176: 1.17, 174: 0.90, 172: 0.58,
    169: 0.04, 168: -0.14, 164: -0.97, 162: -1.42, 160: -1.89, 158: -2.48, 156: -3.03, 154: -3.61, 152: -4.26,
    150: -5.03, 148: -5.81, 146: -6.67, 144: -7.65, 142: -8.65, 140: -9.89, 138: -11.4, 136: -13.29, 134: -15.88,
    132: -19.27, 130: -25.18,
    63: 10.46, 61: 10.29, 58: 10.01, 56: 9.81, 53: 9.48, 51: 9.24, 49: 8.97, 47: 8.73, 45: 8.44, 43: 8.13, 41: 7.79,
    39: 7.41, 37: 7.02, 35: 6.60, 33: 6.14, 31: 5.65, 29: 5.13, 27: 4.57, 25: 3.94, 23: 3.23,
}
# fmt: on
"""Register value of `rf_tx_power` to power; values between are accepted by the unit too."""


def words(field: Field, version: int) -> tuple[str, ...]:
    """What the raw values 0, 1, ... mean; empty for numbers."""
    if field.name == "advertising_type":
        return next(types for first, types in _ADVERTISING if version >= first)[: 1 << field.width]
    return _WORDS.get(field.name) or (_SWITCH if field.width == 1 else ())


def value(field: Field, version: int, raw: int) -> Value:
    """A raw value as a switch, a word, or a number in the unit of the field."""
    names = words(field, version)
    if names == _SWITCH:
        return bool(raw)
    if 0 <= raw < len(names):
        return names[raw]
    number = round((raw + field.bias) * field.scale, 3)
    return int(number) if number == int(number) else number


def text(field: Field, version: int, raw: int) -> str:
    """The same for a table: with its unit, and the power behind its register value."""
    number = value(field, version, raw)
    if isinstance(number, bool):
        return _SWITCH[number]
    if isinstance(number, str):
        return number
    power = TX_POWER_DBM.get(raw) if field.name == "rf_tx_power" else None
    behind = f" ({power:g} dBm)" if power is not None else ""
    return f"{number:g}{' ' + field.unit if field.unit else ''}{behind}"


def parse(field: Field, version: int, typed: str) -> int:
    """The raw value of a word, or of a number with or without unit, to the nearest step. Raises SettingsError."""
    typed = typed.strip()
    names = words(field, version)
    if typed.lower() in names:
        return names.index(typed.lower())
    if names == _SWITCH and typed.lower() in _YES_NO:
        return _YES_NO[typed.lower()]
    if names:
        if typed.isdecimal() and int(typed) <= field.maximum:
            return int(typed)
        raise SettingsError(f"{field.name} is one of {', '.join(names)}, not {typed!r}")
    raw = _power(typed) if field.name == "rf_tx_power" else _steps(field, typed)
    if not field.minimum <= raw <= field.maximum:
        raise SettingsError(
            f"{field.name} is {text(field, version, field.minimum)} to {text(field, version, field.maximum)}, not {typed}"
        )
    return raw


def _steps(field: Field, typed: str) -> int:
    number = in_unit(field.name, field.unit, typed)
    if field.scale == 1 and number % 1:
        raise SettingsError(f"{field.name} is a whole number, not {typed}")
    return round(number / field.scale) - field.bias


def in_unit(name: str, unit: str, typed: str) -> float:
    """A typed number in `unit` (ms, C, % or none). Raises SettingsError."""
    match = _NUMBER.fullmatch(typed)
    factor = _UNITS[unit].get(match[2].strip().lower()) if match else None
    if match is None or factor is None:
        raise SettingsError(f"{name} is a number{' of ' + unit if unit else ''}, not {typed!r}")
    return float(match[1]) * factor


def _power(typed: str) -> int:
    """A register value as it is; a power to the nearest one of the table."""
    plain = typed.lower().removesuffix("dbm").strip()
    number = in_unit("rf_tx_power", "", plain)
    if plain == typed and number >= min(TX_POWER_DBM):
        return _whole(number, typed)
    low, high = min(TX_POWER_DBM.values()), max(TX_POWER_DBM.values())
    if not low <= number <= high:
        raise SettingsError(f"rf_tx_power is {low} to {high} dBm, or a register value, not {typed}")
    return min(TX_POWER_DBM, key=lambda raw: abs(TX_POWER_DBM[raw] - number))


def _whole(number: float, typed: str) -> int:
    if number % 1:
        raise SettingsError(f"rf_tx_power is a whole number, not {typed}")
    return int(number)
