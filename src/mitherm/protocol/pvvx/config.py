"""The configuration of pvvx firmware: one bit-field layout per version, decoding, encoding, clamping (custom-firmware.md 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from mitherm.errors import DecodeError, SettingsError

CONFIG_ID: Final = 0x55
_HEAD: Final = 2


def parse_version(text: str) -> int:
    """`5.8` to the version byte 0x58; raises ValueError."""
    match = re.match(r"V?(\d)\.(\d)", text)
    if match is None:
        raise ValueError(f"not a pvvx version: {text!r}")
    return int(match[1]) << 4 | int(match[2])


def version_text(version: int) -> str:
    """0x58 to `5.8`."""
    return f"{version >> 4}.{version & 15}"


@dataclass(frozen=True, slots=True)
class Field:
    """One bit field: `width` bits from `bit` of the byte at `offset`. `scale` of `unit` per step where that has a meaning."""

    name: str
    offset: int
    bit: int = 0
    width: int = 8
    signed: bool = False
    scale: float = 1.0
    unit: str = ""
    bias: int = 0
    """Steps that the unit adds."""

    @property
    def minimum(self) -> int:
        """Smallest raw value that fits."""
        return -(1 << self.width - 1) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest raw value that fits."""
        return (1 << self.width - self.signed) - 1

    def get(self, data: bytes) -> int:
        """The raw value."""
        value = data[self.offset] >> self.bit & (1 << self.width) - 1
        return value - (1 << self.width) if value > self.maximum else value

    def put(self, data: bytearray, value: int) -> None:
        """Store the raw value; raises SettingsError if it does not fit."""
        if not self.minimum <= value <= self.maximum:
            raise SettingsError(f"{self.name} must be {self.minimum} to {self.maximum}, not {value}")
        mask = (1 << self.width) - 1
        data[self.offset] = data[self.offset] & ~(mask << self.bit) & 0xFF | (value & mask) << self.bit


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of one layout."""

    name: str
    length: int
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field called `name`, None where this layout has none."""
        return next((field for field in self.fields if field.name == name), None)

    def decode(self, data: bytes) -> dict[str, int]:
        """All raw values; raises DecodeError when `data` is too short. Bytes behind the struct are ignored."""
        if len(data) < self.length:
            raise DecodeError(f"a configuration {self.name} has {self.length} bytes, not {len(data)}")
        return {field.name: field.get(data) for field in self.fields}

    def encode(self, values: Mapping[str, int]) -> bytes:
        """The struct with these values, everything else 0; raises SettingsError for an unknown name or range."""
        return self.change(bytes(self.length), values)

    def change(self, data: bytes, values: Mapping[str, int]) -> bytes:
        """`data` with these values replaced."""
        result = bytearray(data)
        for name, value in values.items():
            field = self.field(name)
            if field is None:
                raise SettingsError(f"this version has no setting {name!r}")
            field.put(result, value)
        return bytes(result)


def _bits(offset: int, *names: str | tuple[str, int] | None) -> tuple[Field, ...]:
    """Fields of one byte from bit 0 up: a name is one bit, (name, width) several, None an unused bit."""
    fields, bit = [], 0
    for entry in names:
        name, width = entry if isinstance(entry, tuple) else (entry, 1)
        if name:
            fields.append(Field(name, offset, bit, width))
        bit += width
    return tuple(fields)


def _radio(offset: int) -> tuple[Field, ...]:
    return (
        Field("advertising_interval", offset, scale=62.5, unit="ms"),
        Field("measure_interval", offset + 1),
        Field("rf_tx_power", offset + 2),
        Field("connect_latency", offset + 3, scale=20, unit="ms", bias=1),
    )


def _offsets(offset: int) -> tuple[Field, ...]:
    return (
        Field("temp_offset", offset, signed=True, scale=0.1, unit="C"),
        Field("humi_offset", offset + 1, signed=True, scale=0.1, unit="%"),
    )


def _step(offset: int) -> Field:
    return Field("lcd_step", offset, scale=50, unit="ms")


_FLAGS: Final = _bits(
    0, ("advertising_type", 2), "comfort", "show_clock", "fahrenheit", "show_battery", "tx_measures", "lp_measures"
)
_BLINKING_FLAGS: Final = _bits(
    0, ("advertising_type", 2), "comfort", "blinking", "fahrenheit", "show_battery", "tx_measures", "lp_measures"
)
_CLOCK_FLAGS: Final = {  # models that use bits of flg for something else (custom-firmware.md 5.2)
    9: _bits(0, ("advertising_type", 2), "comfort", "x100", "fahrenheit", "time_am_pm", "tx_measures", "lp_measures"),
    49: _bits(
        0, ("advertising_type", 2), "comfort", "show_battery", "fahrenheit", "time_am_pm", "tx_measures", "lp_measures"
    ),
}
_CLOCK_FLAGS[12] = _CLOCK_FLAGS[9]
_HW_OLD: Final = (("hw_ver", 3), "hw_clock", "hw_memo", "hw_trg")


def _long(name: str, flags2: tuple[str | None, ...], middle: tuple[Field, ...], hardware: tuple[Field, ...]) -> Layout:
    """An 11-byte layout (versions 2.0 and later)."""
    second = _bits(1, ("smiley", 3), *flags2)
    tail = (_step(8), *hardware, Field("averaging", 10))
    return Layout(name, 11, (*_FLAGS, *second, *middle, *_radio(4), *tail))


_NIBBLE: Final = _bits(9, ("hw_ver", 4), (("", 3)), "hw_shtc3")
_BYTE: Final = (Field("hw_ver", 9),)
_UNUSED: Final = (Field("reserved2", 2), Field("reserved3", 3))
_EVENTS: Final = Field("event_adv_cnt", 3)
_DELAY: Final = Field("adv_interval_delay", 2, 0, 4, scale=0.625, unit="ms")
_WEEKDAY: Final = Field("not_day_of_week", 2, 7, 1)
_LATE: Final = ("adv_crypto", "adv_flags", "bt5phy", "longrange", "screen_off")

_OFF2: Final = _offsets(2)
LAYOUTS: Final[tuple[tuple[int, Layout], ...]] = (
    (
        0x01,
        Layout(
            "L0.1",
            7,
            (
                *_bits(
                    0,
                    ("smiley", 2),
                    "comfort",
                    "blinking",
                    "fahrenheit",
                    "show_battery",
                    "advertising_type",
                    "tx_measures",
                ),
                *_offsets(1),
                *_radio(3),
            ),
        ),
    ),
    (
        0x05,
        Layout(
            "L0.5",
            8,
            (
                *_bits(0, "comfort", "blinking", "fahrenheit", "show_battery", "advertising_type", "tx_measures"),
                Field("smiley", 1),
                *_OFF2,
                *_radio(4),
            ),
        ),
    ),
    (
        0x06,
        Layout(
            "L0.6",
            9,
            (
                *_bits(
                    0,
                    "comfort",
                    "blinking",
                    "fahrenheit",
                    "show_battery",
                    "advertising_type",
                    "tx_measures",
                    "lp_measures",
                ),
                Field("smiley", 1),
                *_OFF2,
                *_radio(4),
                _step(8),
            ),
        ),
    ),
    (0x09, Layout("L0.9", 9, (*_BLINKING_FLAGS, Field("smiley", 1), *_OFF2, *_radio(4), _step(8)))),
    (0x18, Layout("L0.9", 9, (*_FLAGS, Field("smiley", 1), *_OFF2, *_radio(4), _step(8)))),
    (0x19, Layout("L1.9", 9, (*_FLAGS, *_bits(1, ("smiley", 3), "memo_enable"), *_OFF2, *_radio(4), _step(8)))),
    (0x20, _long("L2.0", (), _OFF2, _bits(9, *_HW_OLD))),
    (0x22, _long("L2.2", ("adv_crypto",), _OFF2, _bits(9, *_HW_OLD, "hw_mi_beacon"))),
    (0x30, _long("L3.0", ("adv_crypto", "adv_flags"), _OFF2, _bits(9, *_HW_OLD, "hw_mi_beacon"))),
    (0x33, _long("L3.3", ("adv_crypto", "adv_flags"), _OFF2, _bits(9, *_HW_OLD, "hw_mi_beacon", "hw_shtc3"))),
    (0x36, _long("L3.6", ("adv_crypto", "adv_flags", "bt5phy", "csa2"), _OFF2, _NIBBLE)),
    (0x40, _long("L4.0", ("adv_crypto", "adv_flags", "bt5phy", "ext_adv"), _OFF2, _NIBBLE)),
    (0x42, _long("L4.2", ("adv_crypto", "adv_flags", "bt5phy", "longrange"), _OFF2, _NIBBLE)),
    (0x43, _long("L4.3", _LATE, _OFF2, _NIBBLE)),
    (0x47, _long("L4.7", _LATE, _UNUSED, _NIBBLE)),
    (0x48, _long("L4.8", _LATE, _UNUSED, _BYTE)),
    (0x51, _long("L5.1", _LATE, (_DELAY, _WEEKDAY, _EVENTS), _BYTE)),
    (0x54, _long("L5.4", _LATE, (_DELAY, Field("date_ddmm", 2, 6, 1), _WEEKDAY, _EVENTS), _BYTE)),
)
"""(first version, layout), ascending."""


def layout_for(version: int, device_id: int = 10) -> Layout:
    """The layout of a version byte; `device_id` selects the variants of the clock models. Raises DecodeError below 0.1."""
    fitting = [layout for first, layout in LAYOUTS if first <= version]
    if not fitting:
        raise DecodeError(f"no pvvx configuration is known for version {version_text(version)}")
    layout = fitting[-1]
    if device_id not in _CLOCK_FLAGS or layout.length < 11:
        return layout
    fields = (*_CLOCK_FLAGS[device_id], *(field for field in layout.fields if field.offset != 0))
    if device_id != 49:
        fields = tuple(replace(field, name="screen_type") if field.name == "smiley" else field for field in fields)
    return replace(layout, fields=fields)


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration as a unit of this version holds it."""

    version: int
    data: bytes
    device_id: int = 10

    @classmethod
    def from_bytes(cls, raw: bytes, device_id: int = 10) -> Self:
        """From a reply to 55 or a GATT read of 1F1F: `55 VV cfg`, bytes behind the struct ignored. Raises DecodeError."""
        if len(raw) < _HEAD or raw[0] != CONFIG_ID:
            raise DecodeError("not a configuration frame")
        layout = layout_for(raw[1], device_id)
        if len(raw) < _HEAD + layout.length:
            raise DecodeError(f"a configuration of {version_text(raw[1])} has {layout.length} bytes")
        return cls(raw[1], raw[_HEAD : _HEAD + layout.length], device_id)

    def to_bytes(self) -> bytes:
        """The command that stores this configuration: `55 cfg`."""
        return bytes([CONFIG_ID]) + self.data

    @property
    def frame(self) -> bytes:
        """The unit's answer that tells it: `55 VV cfg`."""
        return bytes([CONFIG_ID, self.version]) + self.data

    @property
    def layout(self) -> Layout:
        """Layout of this version."""
        return layout_for(self.version, self.device_id)

    @property
    def values(self) -> dict[str, int]:
        """Raw values by name."""
        return self.layout.decode(self.data)

    def changed(self, values: Mapping[str, int]) -> Self:
        """A copy with some raw values replaced; raises SettingsError."""
        return replace(self, data=self.layout.change(self.data, values))

    @property
    def clamped(self) -> Self:
        """What the firmware will store instead (custom-firmware.md 5.5), the probed hardware byte excepted."""
        return replace(self, data=clamp(self.version, self.data, self.device_id))


_TX_POWER: Final = {0: (23, 63), 1: (130, 191)}
_LCD_MINIMUM: Final = {1: 11, 9: 0, 12: 0}
_LOW_LATENCY: Final = 49
LOW_BATTERY_MV: Final = 2800


def clamp(version: int, data: bytes, device_id: int = 10, battery_mv: int = 3000) -> bytes:
    """The rules of `test_config`; older versions lack the later fields. `battery_mv` is the average voltage."""
    layout = layout_for(version, device_id)
    values = layout.decode(data)
    interval = min(max(values["advertising_interval"], 1), 160)
    low, high = _TX_POWER[values["rf_tx_power"] >> 7]
    changes = {
        "advertising_interval": interval,
        "measure_interval": _measure_interval(interval * 100, values["measure_interval"]),
        "rf_tx_power": min(max(values["rf_tx_power"], low), high),
        "event_adv_cnt": max(values.get("event_adv_cnt", 0), 6),
        "lcd_step": max(values.get("lcd_step", 0), _LCD_MINIMUM.get(device_id, 10)),
        "bt5phy": values.get("bt5phy", 0) | values.get("longrange", 0),
    }
    if battery_mv < LOW_BATTERY_MV:
        changes["connect_latency"] = min(values["connect_latency"], _LOW_LATENCY)
    return layout.change(data, {name: value for name, value in changes.items() if name in values})


def _measure_interval(step: int, value: int) -> int:
    value = max(value, 2)
    return (400000 - step) // step if step * value > 400000 - step else value
