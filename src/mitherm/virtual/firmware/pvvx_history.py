"""pvvx' history: a ring of flash sectors with 409 records each (flash-layout.md 4.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mitherm.protocol.pvvx.structs import HistoryRecord
from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

START: Final = 0x40000
END: Final = 0x74000
PER_SECTOR: Final = 409
RESUME_S: Final = 5
"""The clock goes on this much after the last record at boot."""
_SECTORS: Final = tuple(range(START, END, SECTOR))
_ID: Final = bytes.fromhex("dec0aa55")
_OPEN: Final = b"\xff\xff"
_HEAD: Final = 6
_FREE: Final = b"\xff" * 4
_CLEARS_ALL_UNTIL: Final = 0x37


class HistoryRing:
    """The ring; `sector` is open and holds `count` records."""

    def __init__(self, flash: NorFlash) -> None:
        self.flash = flash
        self.sector = START
        self.count = 0

    def boot(self) -> None:
        """Find the place to go on, starting or closing sectors where that is needed."""
        for sector in _SECTORS:
            if not self._is_ours(sector):
                self._start(sector)
                return
            if self._is_open(sector):
                self.locate()
                if self.count == PER_SECTOR:
                    self._roll()
                return
        self._start(START)

    def locate(self) -> None:
        """Find the open sector without touching the flash."""
        self.sector = next((sector for sector in _SECTORS if self._is_ours(sector) and self._is_open(sector)), START)
        free = (place for place in range(PER_SECTOR) if self.flash.read(_address(self.sector, place), 4) == _FREE)
        self.count = next(free, PER_SECTOR)

    def append(self, record: HistoryRecord) -> None:
        """Store a record; when the sector is full the next one is opened and its old records are gone."""
        if self.count < PER_SECTOR:
            self.flash.program(_address(self.sector, self.count), record.to_bytes())
            self.count += 1
        if self.count == PER_SECTOR:
            self._roll()

    def clear(self, version: int) -> None:
        """Command 36. Up to 3.7 everything from 0x41000 is erased, whoever it belongs to (custom-firmware.md 8)."""
        for sector in _SECTORS[1:]:
            if version <= _CLEARS_ALL_UNTIL or self._is_ours(sector):
                self.flash.erase_sector(sector)
        self._start(START)

    def addresses(self) -> list[int]:
        """Where the records are, newest first."""
        addresses = [_address(self.sector, place) for place in reversed(range(self.count))]
        for sector in self._closed():
            addresses += [_address(sector, place) for place in reversed(range(PER_SECTOR))]
        return addresses

    def read(self, address: int) -> HistoryRecord:
        """The record at `address`."""
        return HistoryRecord.from_bytes(self.flash.read(address, HistoryRecord.LENGTH))

    def last(self) -> HistoryRecord | None:
        """The newest record."""
        addresses = self.addresses()
        return self.read(addresses[0]) if addresses else None

    def _closed(self) -> Iterator[int]:
        """Full sectors before the open one, newest first, around the ring."""
        place = _SECTORS.index(self.sector)
        for step in range(1, len(_SECTORS)):
            sector = _SECTORS[place - step]
            if not self._is_ours(sector) or self._is_open(sector):
                return
            yield sector

    def _is_ours(self, sector: int) -> bool:
        return self.flash.read(sector, 4) == _ID

    def _is_open(self, sector: int) -> bool:
        return self.flash.read(sector + 4, 2) == _OPEN

    def _start(self, sector: int) -> None:
        self.flash.erase_sector(sector)
        self.flash.program(sector, _ID)
        self.sector, self.count = sector, 0

    def _roll(self) -> None:
        self.flash.program(self.sector + 4, bytes(2))
        self._start(_SECTORS[(_SECTORS.index(self.sector) + 1) % len(_SECTORS)])


def _address(sector: int, place: int) -> int:
    return sector + _HEAD + place * HistoryRecord.LENGTH


class HistoryTransfer:
    """The answer to command 35: one frame per record, then the end frame. The set is frozen at the request."""

    def __init__(self, ring: HistoryRing) -> None:
        self._ring = ring
        self._frames: Iterator[bytes] | None = None

    @property
    def active(self) -> bool:
        """Whether frames are still to come."""
        return self._frames is not None

    def start(self, count: int, first: int) -> None:
        """Records `first`+1 to `count`, counted from the newest."""
        self._frames = self._generate(self._ring.addresses()[:count], first)

    def stop(self) -> None:
        """Drop what has not been sent."""
        self._frames = None

    def next(self) -> bytes | None:
        """The next frame, None behind the end frame."""
        frame = None if self._frames is None else next(self._frames, None)
        if frame is None:
            self._frames = None
        return frame

    def _generate(self, addresses: list[int], first: int) -> Iterator[bytes]:
        for index, address in enumerate(addresses[first:], first + 1):
            yield b"\x35" + index.to_bytes(2, "little") + self._ring.flash.read(address, HistoryRecord.LENGTH)
        yield b"\x35\0\0"
