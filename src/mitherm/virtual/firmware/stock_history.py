"""Hourly records of stock firmware: 16-byte records in 0x40000-0x4EFFF, position records at 0x4F000 (flash-layout.md 2).

A record is u32 index, u32 time, i16 maximum and minimum temperature x10, u8 maximum and minimum humidity, `5555`. The
place follows from the index (this project's choice), so that what other firmware left behind is never taken for one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mitherm.protocol.stock import HISTORY_CAPACITY, DataCount, HistoryRecord, clamped
from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

BASE: Final = 0x40000
POSITIONS: Final = 0x4F000
SECOND_POSITIONS: Final = 0x54000
_RECORD: Final = struct.Struct("<IIhhBB2s")
_MARK: Final = b"\x55\x55"
_PER_SECTOR: Final = SECTOR // _RECORD.size
_SECTORS: Final = range(BASE, BASE + HISTORY_CAPACITY * _RECORD.size, SECTOR)
_POSITION_SIZE: Final = 32
_SECOND_SIZE: Final = 64
_SECOND_MARK_AT: Final = 0x2E


class History:
    """The ring of records. RAM holds only the newest and oldest index."""

    def __init__(self, flash: NorFlash) -> None:
        self.flash = flash
        self.newest = max((record.index for record in self._scan()), default=0)
        self.oldest = self._find_oldest()

    @property
    def count(self) -> DataCount:
        """Newest index and number of records, as ccb9 tells them."""
        return DataCount(self.newest, self.newest - self.oldest + 1)

    def at(self, index: int) -> HistoryRecord | None:
        """The record with this index, if it is still there."""
        record = self._read(_place(index)) if index > 0 else None
        return record if record is not None and record.index == index else None

    def append(self, record: HistoryRecord) -> None:
        """Store the next record; a sector is erased when the ring enters it or when something foreign lies there."""
        place = _place(record.index)
        address = BASE + place * _RECORD.size
        erase = place % _PER_SECTOR == 0 or not self.flash.is_blank(address, _RECORD.size)
        if erase:
            self.flash.erase_sector(address)
        self.flash.program(address, _pack(record))
        self.newest = record.index
        if erase:
            self.oldest = self._find_oldest()
        self._append_position()

    def clear(self) -> None:
        """Erase all records and begin again at index 1 (ccd1 and the reset pad)."""
        for sector in _SECTORS:
            if not self.flash.is_blank(sector, SECTOR):
                self.flash.erase_sector(sector)
        self.flash.erase_sector(POSITIONS)
        self.newest, self.oldest = 0, 1
        self._append_position()

    def write_headers(self) -> None:
        """Begin the position sectors where they do not hold any position record."""
        if self.flash.read(POSITIONS + _POSITION_SIZE - 2, 2) != _MARK:
            self.flash.erase_sector(POSITIONS)
            self._append_position()
        if self.flash.read(SECOND_POSITIONS + _SECOND_MARK_AT, 2) != _MARK:
            self.flash.erase_sector(SECOND_POSITIONS)
            self.flash.program(SECOND_POSITIONS, bytes(_SECOND_MARK_AT) + _MARK + bytes(_SECOND_SIZE - 0x30))

    def _append_position(self) -> None:
        places = range(POSITIONS, POSITIONS + SECTOR, _POSITION_SIZE)
        free = next((place for place in places if self.flash.is_blank(place, _POSITION_SIZE)), None)
        if free is None:
            free = POSITIONS
            self.flash.erase_sector(POSITIONS)
        self.flash.program(free, struct.pack("<II22x2s", self.newest, _place(self.newest + 1), _MARK))

    def _find_oldest(self) -> int:
        index = self.newest
        while self.at(index) is not None and self.newest - index < HISTORY_CAPACITY:
            index -= 1
        return index + 1

    def _scan(self) -> Iterator[HistoryRecord]:
        for number, sector in enumerate(_SECTORS):
            if not self.flash.is_blank(sector, SECTOR):
                records = map(self._read, range(number * _PER_SECTOR, (number + 1) * _PER_SECTOR))
                yield from (record for record in records if record is not None)

    def _read(self, place: int) -> HistoryRecord | None:
        raw = self.flash.read(BASE + place * _RECORD.size, _RECORD.size)
        index, time_s, high, low, wettest, driest, mark = _RECORD.unpack(raw)
        if mark != _MARK or index == 0 or _place(index) != place:
            return None
        return HistoryRecord(index, time_s, high / 10, wettest, low / 10, driest)


def _place(index: int) -> int:
    return (index - 1) % HISTORY_CAPACITY


def _pack(record: HistoryRecord) -> bytes:
    return _RECORD.pack(
        record.index,
        record.time_s,
        clamped(record.temperature_max_c * 10, -32768, 32767),
        clamped(record.temperature_min_c * 10, -32768, 32767),
        clamped(record.humidity_max_pct, 0, 255),
        clamped(record.humidity_min_pct, 0, 255),
        _MARK,
    )


@dataclass(slots=True)
class Hour:
    """Extremes of the hour that is running."""

    temperature_max_c: float
    temperature_min_c: float
    humidity_max_pct: float
    humidity_min_pct: float

    @classmethod
    def starting(cls, temperature_c: float, humidity_pct: float) -> Hour:
        """An hour with one value."""
        return cls(temperature_c, temperature_c, humidity_pct, humidity_pct)

    def see(self, temperature_c: float, humidity_pct: float) -> None:
        """One more value."""
        self.temperature_max_c = max(self.temperature_max_c, temperature_c)
        self.temperature_min_c = min(self.temperature_min_c, temperature_c)
        self.humidity_max_pct = max(self.humidity_max_pct, humidity_pct)
        self.humidity_min_pct = min(self.humidity_min_pct, humidity_pct)

    def record(self, index: int, time_s: int) -> HistoryRecord:
        """The record at the end of the hour."""
        return HistoryRecord(
            index,
            time_s & 0xFFFFFFFF,
            self.temperature_max_c,
            round(self.humidity_max_pct),
            self.temperature_min_c,
            round(self.humidity_min_pct),
        )


@dataclass(slots=True)
class Dump:
    """One running notification of records; `next_index` None = no index chosen, all records come."""

    history: History
    next_index: int | None = None
    active: bool = False

    @property
    def index(self) -> int:
        """What the index characteristic reads back."""
        return self.next_index or 0

    def choose(self, data: bytes) -> None:
        """A write to the index: u32, empty = none."""
        self.next_index = int.from_bytes(data[:4], "little") if data else None

    def following(self) -> HistoryRecord | None:
        """The next record to notify, or None when all have been sent."""
        if not self.active:
            return None
        index = max(self.next_index or 0, self.history.oldest)
        record = self.history.at(index)
        if record is not None:
            self.next_index = index + 1
        return record
