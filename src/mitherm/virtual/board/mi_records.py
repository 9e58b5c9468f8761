"""The Mi record chain in flash: `id u16, length u8, data`, back to back from 0x78000 (flash-layout.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

MI_STORE: Final = 0x78000
MI_SCRATCH: Final = 0x79000

DELETED: Final = 0x0000
DID: Final = 0x0001
COUNTER: Final = 0x0004
DFU: Final = 0x0005
KEYS: Final = 0x0010

MAX_LENGTH: Final = 250
_HEAD: Final = 3
_RESERVE: Final = 16
"""Room that must stay free behind a record, or the store is compacted first."""
_PVVX_MAX_LENGTH: Final = 28


@dataclass(frozen=True, slots=True)
class MiRecord:
    """One record; `address` is that of its id field."""

    address: int
    id: int
    data: bytes

    @property
    def data_address(self) -> int:
        """Where the data bytes begin."""
        return self.address + _HEAD

    @property
    def end(self) -> int:
        """Address behind the record."""
        return self.data_address + len(self.data)


def _record_at(flash: NorFlash, address: int) -> MiRecord:
    head = flash.read(address, _HEAD)
    return MiRecord(address, int.from_bytes(head[:2], "little"), flash.read(address + _HEAD, head[2]))


class MiRecordStore:
    """The chain as the stock SDK keeps it: superseded records stay with id 0000 until the sector is compacted.

    `on_full` makes room when a record does not fit; it may also move the chain (set `sector`). Default: `compact`.
    """

    def __init__(
        self, flash: NorFlash, sector: int = MI_STORE, *, on_full: Callable[[MiRecordStore], None] | None = None
    ) -> None:
        self.flash = flash
        self.sector = sector
        self._on_full = on_full or MiRecordStore.compact

    def records(self) -> Iterator[MiRecord]:
        """All records up to the end mark FFFF/FF, deleted ones (id 0000) included."""
        address, limit = self.sector, self.sector + SECTOR
        while address + _HEAD <= limit and not self.flash.is_blank(address, _HEAD):
            record = _record_at(self.flash, address)
            yield record
            address = record.end

    def live(self) -> list[MiRecord]:
        """The records that are not deleted."""
        return [record for record in self.records() if record.id != DELETED]

    def find(self, record_id: int) -> bytes | None:
        """Data of the first record with this id."""
        return next((record.data for record in self.records() if record.id == record_id), None)

    def delete(self, record_id: int) -> None:
        """Program the id of the first record with this id to 0000; nothing if there is none."""
        for record in self.records():
            if record.id == record_id:
                self.flash.program(record.address, bytes(2))
                return

    def write(self, record_id: int, data: bytes) -> None:
        """Delete the old record, then append; makes room first when less than 16 bytes would stay free."""
        if len(data) > MAX_LENGTH:
            raise ValueError(f"a Mi record holds at most {MAX_LENGTH} bytes")
        self.delete(record_id)
        if self.end + _HEAD + len(data) + _RESERVE > self.sector + SECTOR:
            self._on_full(self)
        self.append(record_id, data)

    def append(self, record_id: int, data: bytes) -> None:
        """Program a record behind the last one, without any check."""
        self.flash.program(self.end, record_id.to_bytes(2, "little") + bytes([len(data)]) + data)

    @property
    def end(self) -> int:
        """Address of the end mark."""
        address = self.sector
        for record in self.records():
            address = record.end
        return address

    def compact(self, scratch: int = MI_SCRATCH) -> None:
        """Copy the live records to the scratch sector, erase this one, copy them back; the scratch copy stays."""
        copy = MiRecordStore(self.flash, scratch)
        self.flash.erase_sector(scratch)
        for record in self.live():
            copy.append(record.id, record.data)
        self.flash.erase_sector(self.sector)
        for record in copy.live():
            self.append(record.id, record.data)


def pvvx_records(flash: NorFlash, sector: int = MI_STORE) -> Iterator[MiRecord]:
    """The records as pvvx sees them (flash-layout.md 3.2).

    Only lengths 1 to 28 count, and the walk goes on through blank space (258 bytes a step) to the end of the sector,
    so foreign bytes behind the chain can pass for records.
    """
    address = sector
    while address < sector + SECTOR:
        record = _record_at(flash, address)
        if 0 < len(record.data) <= _PVVX_MAX_LENGTH:
            yield record
        address = record.end


def pvvx_find(flash: NorFlash, record_id: int, number: int = 1) -> MiRecord | None:
    """The `number`-th record (from 1) with this id by pvvx' rule."""
    for record in pvvx_records(flash):
        if record.id == record_id:
            number -= 1
            if not number:
                return record
    return None


def pvvx_replace(flash: NorFlash, record: MiRecord, data: bytes) -> None:
    """Change the data of a record in place: sector read, erased, rewritten (commands 11 and 12)."""
    start = record.address - record.address % SECTOR
    sector = bytearray(flash.read(start, SECTOR))
    offset = record.data_address - start
    sector[offset : offset + len(data)] = data
    flash.erase_sector(start)
    flash.program(start, bytes(sector[:SECTOR]))
