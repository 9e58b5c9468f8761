"""The structs of pvvx commands other than the configuration: comfort, thresholds, external number, readings, device id."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from mitherm.errors import DecodeError

CLOCK_MODELS: Final = frozenset({9, 12, 49})
"""Device ids of MJWSD05MMC (both) and LYWSD02MMC: other external number, hardware clock."""


def _need(data: bytes, length: int, what: str) -> bytes:
    if len(data) < length:
        raise DecodeError(f"{what} has {length} bytes, not {len(data)}")
    return data[:length]


@dataclass(frozen=True, slots=True)
class Comfort:
    """Comfort window (command 20); 0.01 °C and 0.01 %."""

    temp_lo: int = 2100
    temp_hi: int = 2600
    humi_lo: int = 3000
    humi_hi: int = 6000

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 8 bytes."""
        return cls(*struct.unpack("<hhHH", _need(data, 8, "a comfort window")))

    def to_bytes(self) -> bytes:
        """8 bytes."""
        return struct.pack("<hhHH", self.temp_lo, self.temp_hi, self.humi_lo, self.humi_hi)

    def contains(self, temp_x100: int, humi_x100: int) -> bool:
        """Whether the smiley is happy."""
        return self.temp_lo <= temp_x100 <= self.temp_hi and self.humi_lo <= humi_x100 <= self.humi_hi


@dataclass(frozen=True, slots=True)
class Trigger:
    """Thresholds and reed inputs (commands 44, 4A); 0.01 °C, 0.01 %, s. Versions up to 2.5 keep the hystereses in tenths.

    `flags`: 0 input 1, 1 output, 2 controlled, 3 temperature event, 4 humidity event, 5 key, 6 input 2.
    """

    temp_threshold: int = 2100
    humi_threshold: int = 5000
    temp_hysteresis: int = -55
    humi_hysteresis: int = 0
    rds_time_report: int = 3600
    rds1_type: int = 1
    rds2_type: int = 0
    rds1_invert: int = 0
    rds2_invert: int = 0
    flags: int = 0

    @staticmethod
    def length(version: int) -> int:
        """Bytes without the flags: 6, 8 or 11."""
        return 6 if version < 0x26 else 8 if version < 0x37 else 11

    @classmethod
    def from_bytes(cls, version: int, data: bytes) -> Self:
        """From a struct with flags."""
        length = cls.length(version)
        data = _need(data, length + 1, "a trigger struct")
        temp, humi = struct.unpack_from("<hh", data)
        if length == 6:
            temp_h, humi_h = (10 * value for value in struct.unpack_from("<bb", data, 4))
            return cls(temp, humi, temp_h, humi_h, 0, 0, flags=data[length])
        temp_h, humi_h = struct.unpack_from("<hh", data, 4)
        if length == 8:
            return cls(temp, humi, temp_h, humi_h, 0, 0, flags=data[length])
        report, kind = struct.unpack_from("<HB", data, 8)
        inputs = (kind & 3, kind >> 2 & 3, kind >> 4 & 1, kind >> 5 & 1)
        return cls(temp, humi, temp_h, humi_h, report, *inputs, flags=data[length])

    def to_bytes(self, version: int, *, flags: bool = False) -> bytes:
        """The struct, by default without flags as a set command wants it."""
        tail = bytes([self.flags]) if flags else b""
        head = struct.pack("<hh", self.temp_threshold, self.humi_threshold)
        length = self.length(version)
        if length == 6:
            return head + struct.pack("<bb", _tenths(self.temp_hysteresis), _tenths(self.humi_hysteresis)) + tail
        head += struct.pack("<hh", self.temp_hysteresis, self.humi_hysteresis)
        return head + (b"" if length == 8 else struct.pack("<HB", self.rds_time_report, self._kind)) + tail

    @property
    def _kind(self) -> int:
        return self.rds1_type | self.rds2_type << 2 | self.rds1_invert << 4 | self.rds2_invert << 5


def _tenths(hundredths: int) -> int:
    return int(hundredths / 10)


@dataclass(frozen=True, slots=True)
class ExternalNumber:
    """What command 22 puts on the screen. `number` in 0.1 (clock models 0.01); `small_number` only on the others."""

    number: int
    small_number: int
    validity_s: int
    smiley: int
    battery: bool
    percent: bool
    unit: int

    @classmethod
    def from_bytes(cls, data: bytes, device_id: int = 10) -> Self:
        """From 7 bytes."""
        data = _need(data, 7, "an external number")
        flags = data[6]
        if device_id in CLOCK_MODELS:
            number, validity = struct.unpack_from("<iH", data)
            return cls(number, 0, validity, flags & 7, bool(flags & 8), bool(flags & 0x80), flags >> 4 & 7)
        number, small, validity = struct.unpack_from("<hhH", data)
        return cls(number, small, validity, flags & 7, bool(flags & 16), bool(flags & 8), flags >> 5)

    def to_bytes(self, device_id: int = 10) -> bytes:
        """7 bytes."""
        if device_id in CLOCK_MODELS:
            flags = self.smiley | self.battery << 3 | self.unit << 4 | self.percent << 7
            return struct.pack("<iHB", self.number, self.validity_s, flags)
        flags = self.smiley | self.percent << 3 | self.battery << 4 | self.unit << 5
        return struct.pack("<hhHB", self.number, self.small_number, self.validity_s, flags)


@dataclass(frozen=True, slots=True)
class DeviceId:
    """Answer to command 00 (4.5 and later). `services` bits: custom-firmware.md 4.1."""

    revision: int
    hardware_id: int
    version: int
    sensor: int
    sensor2: int
    services: int

    EXTENDED_OTA = 1 << 1
    PIN = 1 << 2
    MI_KEYS = 1 << 16

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From the whole 12-byte frame."""
        return cls(*struct.unpack("<xBHHBBI", _need(data, 12, "a device id")))

    def to_bytes(self) -> bytes:
        """The frame, id included."""
        return struct.pack(
            "<xBHHBBI", self.revision, self.hardware_id, self.version, self.sensor, self.sensor2, self.services
        )


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Sensor coefficients (command 25): value = raw × gain / 65536 + zero, in 0.01 units."""

    temp_gain: int
    humi_gain: int
    temp_zero: int
    humi_zero: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 12 bytes."""
        return cls(*struct.unpack("<IIhh", _need(data, 12, "sensor coefficients")))

    def to_bytes(self) -> bytes:
        """12 bytes."""
        return struct.pack("<IIhh", self.temp_gain, self.humi_gain, self.temp_zero, self.humi_zero)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A frame of command 33 (custom-firmware.md 7); `flags` from 2.6, `reed_count` from 3.7."""

    battery_mv: int
    temp_x100: int
    humi_x100: int
    counter: int
    flags: int | None = None
    reed_count: int | None = None

    @classmethod
    def from_bytes(cls, version: int, frame: bytes) -> Self:
        """From the whole frame. On 2.5 the high byte of the counter is lost and holds the flags."""
        millivolts, temp, humi, counter = struct.unpack("<xHhHH", _need(frame, 9, "a measurement"))
        if version == 0x25:
            return cls(millivolts, temp, humi, counter & 0xFF, counter >> 8)
        flags = frame[9] if len(frame) > 9 else None
        reed = int.from_bytes(frame[10:14], "little") if len(frame) >= 14 else None
        return cls(millivolts, temp, humi, counter, flags, reed)

    def to_bytes(self, version: int) -> bytes:
        """The frame as this version sends it, the defect of 2.5 included."""
        head = struct.pack("<BHhHH", 0x33, self.battery_mv, self.temp_x100, self.humi_x100, self.counter)
        flags = self.flags or 0
        if version < 0x25:
            return head
        if version == 0x25:
            return head[:8] + bytes([flags, 0])
        head += bytes([flags])
        return head if version < 0x37 else head + (self.reed_count or 0).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """A stored mean (command 35): clock of the unit in s, 0.01 °C, 0.01 %, mV."""

    time: int
    temp_x100: int
    humi_x100: int
    battery_mv: int

    LENGTH = 10

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From the 10 bytes kept in flash and sent behind the index."""
        return cls(*struct.unpack("<IhHH", _need(data, 10, "a history record")))

    def to_bytes(self) -> bytes:
        """10 bytes."""
        return struct.pack("<IhHH", self.time, self.temp_x100, self.humi_x100, self.battery_mv)
