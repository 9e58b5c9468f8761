"""Values of the stock vendor service ebe0ccb0, for both sides of the link (mi-auth.md 1.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from mitherm.errors import DecodeError
from mitherm.protocol import uuids
from mitherm.protocol.effects import Procedure, notified, read, subscribe, write

DISCONNECT: Final = bytes.fromhex("88000000")
"""Written to ccc8: the unit drops the link with reason 0x13."""
CLEAR_HISTORY: Final = bytes.fromhex("01000000")
"""Written to ccd1: the stored records go."""
SWITCH_ON: Final = bytes.fromhex("20201028")
SWITCH_OFF: Final = bytes.fromhex("28102020")
"""Written to cff1; the effect of this switch is UNVERIFIED."""
HISTORY_CAPACITY: Final = 3840
"""Most records a unit keeps: one an hour, 160 days."""
FAHRENHEIT: Final = 1
"""Value of ccbe; every other one means Celsius (UNVERIFIED)."""


def _unpack(form: struct.Struct, data: bytes, what: str) -> tuple[int, ...]:
    if len(data) != form.size:
        raise DecodeError(f"{what} has {form.size} bytes, not {len(data)}")
    return form.unpack(data)


def clamped(value: float, low: int, high: int) -> int:
    """Nearest whole number inside the range of a field."""
    return max(low, min(high, round(value)))


@dataclass(frozen=True, slots=True)
class Measurement:
    """ccc1: i16 temperature x100, u8 humidity, and, except on 0109, u16 battery millivolts."""

    temperature_c: float
    humidity_pct: int
    battery_mv: int | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 3 or 5 bytes; raises DecodeError."""
        if len(data) not in (3, 5):
            raise DecodeError(f"a measurement has 3 or 5 bytes, not {len(data)}")
        temperature, humidity = struct.unpack_from("<hB", data)
        battery = int.from_bytes(data[3:], "little") if len(data) == 5 else None
        return cls(temperature / 100, humidity, battery)

    def to_bytes(self) -> bytes:
        """3 bytes without, 5 with a battery voltage."""
        head = struct.pack("<hB", clamped(self.temperature_c * 100, -32768, 32767), clamped(self.humidity_pct, 0, 255))
        return head if self.battery_mv is None else head + clamped(self.battery_mv, 0, 0xFFFF).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class DataCount:
    """ccb9: u32 index of the newest record (0 if none), u32 number of stored records."""

    newest: int
    stored: int

    _FORM: ClassVar[struct.Struct] = struct.Struct("<II")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 8 bytes; raises DecodeError."""
        return cls(*_unpack(cls._FORM, data, "a data count"))

    def to_bytes(self) -> bytes:
        """8 bytes."""
        return self._FORM.pack(self.newest, self.stored)


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """ccbb and ccbc: u32 index, u32 time, i16 maximum x10, u8 maximum, i16 minimum x10, u8 minimum of one hour."""

    index: int
    time_s: int
    """The unit's clock at the end of the hour."""
    temperature_max_c: float
    humidity_max_pct: int
    temperature_min_c: float
    humidity_min_pct: int

    _FORM: ClassVar[struct.Struct] = struct.Struct("<IIhBhB")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 14 bytes; raises DecodeError."""
        index, time_s, high, wettest, low, driest = _unpack(cls._FORM, data, "a history record")
        return cls(index, time_s, high / 10, wettest, low / 10, driest)

    def to_bytes(self) -> bytes:
        """14 bytes."""
        return self._FORM.pack(
            self.index,
            self.time_s,
            clamped(self.temperature_max_c * 10, -32768, 32767),
            clamped(self.humidity_max_pct, 0, 255),
            clamped(self.temperature_min_c * 10, -32768, 32767),
            clamped(self.humidity_min_pct, 0, 255),
        )


NO_RECORD: Final = bytes(14)
"""What ccbb reads while nothing is stored."""


@dataclass(frozen=True, slots=True)
class Comfort:
    """ccd7: i16 temperature maximum and minimum x100, u8 humidity maximum and minimum. RAM only."""

    temperature_max_c: float
    temperature_min_c: float
    humidity_max_pct: int
    humidity_min_pct: int

    _FORM: ClassVar[struct.Struct] = struct.Struct("<hhBB")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From 6 bytes; raises DecodeError."""
        high, low, wettest, driest = _unpack(cls._FORM, data, "a comfort range")
        return cls(high / 100, low / 100, wettest, driest)

    def to_bytes(self) -> bytes:
        """6 bytes."""
        return self._FORM.pack(
            round(self.temperature_max_c * 100),
            round(self.temperature_min_c * 100),
            self.humidity_max_pct,
            self.humidity_min_pct,
        )

    @property
    def acceptable(self) -> bool:
        """Whether the unit takes it; a refused write is answered like a good one."""
        high, low = round(self.temperature_max_c * 100), round(self.temperature_min_c * 100)
        return high >= low >= -999 and high <= 9909 and self.humidity_max_pct <= 99


DEFAULT_COMFORT: Final = Comfort(27.0, 19.0, 85, 20)


def u32(data: bytes) -> int:
    """Time (ccb7) or index (ccba): the first four bytes, missing ones count as zero."""
    return int.from_bytes(data[:4], "little")


def read_measurement() -> Procedure[Measurement]:
    """What the sensor says now, without waiting for a notification."""
    return Measurement.from_bytes((yield from read(uuids.STOCK_MEASUREMENT)))


def read_clock() -> Procedure[int]:
    """The unit's clock in seconds."""
    return u32((yield from read(uuids.STOCK_TIME)))


def set_clock(seconds: int) -> Procedure[None]:
    """Set the unit's clock."""
    yield from write(uuids.STOCK_TIME, seconds.to_bytes(4, "little"), response=True)


def read_count() -> Procedure[DataCount]:
    """How many records are stored."""
    return DataCount.from_bytes((yield from read(uuids.STOCK_DATA_COUNT)))


def fetch_history(
    first: int = 0, *, timeout_s: float = 5, records: list[HistoryRecord] | None = None
) -> Procedure[list[HistoryRecord]]:
    """All stored records from index `first` on, oldest first; raises LinkTimeout when they stop coming too early.

    `records` gets each one as it comes, so that it outlives a lost link.
    """
    count = yield from read_count()
    oldest = max(first, count.newest - count.stored + 1)
    records = [] if records is None else records
    if count.stored == 0 or oldest > count.newest:
        return records
    yield from write(uuids.STOCK_INDEX, oldest.to_bytes(4, "little"), response=True)
    yield from subscribe(uuids.STOCK_RECORDS)
    while not records or records[-1].index < count.newest:
        notification = yield from notified(timeout_s)
        if notification.char == uuids.STOCK_RECORDS:
            records.append(HistoryRecord.from_bytes(notification.data))
    return records
