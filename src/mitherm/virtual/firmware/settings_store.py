"""pvvx' settings store in 0x7C000-0x7FFFF: format v1 (up to 5.7) and v2 (5.8), defects included (flash-layout.md 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final

from mitherm.virtual.board.nor_flash import PAGE, SECTOR, NorFlash

STORE: Final = 0x7C000
SECTORS: Final = tuple(range(STORE, STORE + 4 * SECTOR, SECTOR))
V2_SINCE: Final = 0x58
OLDEST_KEPT: Final = 0x09
"""Settings of versions below 0.9 are wiped."""
_MAX_SIZE: Final = 64
_BLANK32: Final = 0xFFFFFFFF


class Setting(Enum):
    """What is stored, with the ids of v1 and v2."""

    VERSION = (0x5555, 0x00)
    CONFIG = (0x0CFC, 0x01)
    SENSOR = (0x0CF5, 0x02)
    TRIGGER = (0x0DFE, 0x05)
    PULSES = (0x0DF5, 0x06)
    SCAN = (0x2CA8, 0x08)
    PIN = (0xC0DE, 0x0A)
    COMFORT = (0x0FCC, 0x0B)
    NAME = (0x0DB5, 0x0C)
    CLOCK_STEP = (0x0ADA, 0x0D)
    KEY = (0xBEAC, 0x0E)
    HARDWARE = (0x1234, 0x0F)


@dataclass(frozen=True, slots=True)
class SettingsRecord:
    """One record of a sector; the last one of an id counts, an empty one deletes."""

    id: int
    data: bytes


class SettingsStore(ABC):
    """A log of records in one current sector of four."""

    _form: ClassVar[int]
    _head: ClassVar[int]
    """Bytes of the sector header."""

    def __init__(self, flash: NorFlash) -> None:
        self.flash = flash

    def read(self, setting: Setting) -> bytes | None:
        """The value in force, None when absent or deleted."""
        return self.read_id(setting.value[self._form])

    def write(self, setting: Setting, data: bytes) -> None:
        """Append a record if the value differs from the one in force; empty data deletes."""
        self.write_id(setting.value[self._form], data)

    def read_id(self, record_id: int) -> bytes | None:
        """As `read`, by raw id (command DC)."""
        sector = self.current
        return None if sector is None else self._latest(sector, record_id)

    def write_id(self, record_id: int, data: bytes) -> None:
        """As `write`, by raw id (command DC)."""
        if (self.read_id(record_id) or b"") != data:
            self.append(record_id, data)

    def records(self, sector: int) -> Iterator[SettingsRecord]:
        """All records of a sector in order."""
        for _, record in self._walk(sector):
            yield record

    @abstractmethod
    def append(self, record_id: int, data: bytes) -> None:
        """Write a record without comparing; changes the sector when it is full."""

    @property
    @abstractmethod
    def current(self) -> int | None:
        """Address of the sector in use."""

    @abstractmethod
    def wipe(self) -> None:
        """Erase all four sectors, ready for a first start."""

    def check_version(self, version: int, build: int) -> bool:
        """The check at boot: True when the settings may be kept; otherwise everything is wiped (4.3)."""
        stored = self.read(Setting.VERSION)
        compatible = (
            stored is not None and len(stored) == 4 and self._may_keep(int.from_bytes(stored, "little"), version, build)
        )
        if not compatible:
            self.wipe()
        self.write(Setting.VERSION, self._version_word(version, build).to_bytes(4, "little"))
        return compatible

    def stored_version(self) -> int | None:
        """Version byte of the firmware that wrote the settings."""
        stored = self.read(Setting.VERSION)
        return None if stored is None else (int.from_bytes(stored, "little") >> 16 * self._form) & 0xFF

    @abstractmethod
    def _may_keep(self, stored: int, version: int, build: int) -> bool: ...

    @abstractmethod
    def _version_word(self, version: int, build: int) -> int: ...

    @abstractmethod
    def _parse(self, address: int) -> tuple[SettingsRecord, int] | None:
        """The record at `address` and the address behind it; None at the end mark."""

    def _walk(self, sector: int) -> Iterator[tuple[int, SettingsRecord]]:
        address = sector + self._head
        while address + self._head <= sector + SECTOR:
            entry = self._parse(address)
            if entry is None:
                return
            record, address = entry
            yield address, record

    def _end(self, sector: int) -> int:
        end = sector + self._head
        for behind, _ in self._walk(sector):
            end = behind
        return end

    def _latest(self, sector: int, record_id: int) -> bytes | None:
        data = None
        for record in self.records(sector):
            if record.id == record_id:
                data = record.data or None
        return data


def _next(sector: int) -> int:
    return SECTORS[(SECTORS.index(sector) + 1) % len(SECTORS)]


class SettingsV1(SettingsStore):
    """Up to 5.7: u32 header, the smallest of the four marks the current sector; `size u16, id u16, data`, 4-aligned."""

    _form = 0
    _head = 4

    @property
    def current(self) -> int | None:
        """The sector with the smallest header; None when all are blank."""
        sector = min(SECTORS, key=self.flash.u32)
        return None if self.flash.u32(sector) == _BLANK32 else sector

    def append(self, record_id: int, data: bytes) -> None:
        """Write a record; a full sector is left with the copying defect of all v1 versions."""
        sector = SECTORS[0] if self.current is None else self.current
        if self.flash.u32(sector) > 0x7FFFFFFF:
            self._program32(sector, 0x7FFFFFFF)
        record = self._encode(record_id, data)
        end = self._end(sector)
        if end + len(record) > sector + SECTOR:
            end = self._end(self._move(sector, record_id))
        self.flash.program(end, record)

    def wipe(self) -> None:
        """Erase all four; each header becomes one less than it was."""
        for sector in SECTORS:
            header = self.flash.u32(sector)
            self.flash.erase_sector(sector)
            self._program32(sector, (header - 1) & _BLANK32)

    def _move(self, old: int, record_id: int) -> int:
        """Change the sector. Every copy goes to the same address, so what arrives is the AND of all records (4.1)."""
        new = _next(old)
        self.flash.erase_sector(new)
        self._program32(new, 0x7FFFFFFF)
        for other in dict.fromkeys(record.id for record in self.records(old) if record.id != record_id):
            data = self._latest(old, other)
            if data is not None:
                self.flash.program(new + self._head, self._encode(other, data))
        self._program32(new, (self.flash.u32(old) - 1) & _BLANK32)
        self.flash.erase_sector(old)
        return new

    def _parse(self, address: int) -> tuple[SettingsRecord, int] | None:
        head = self.flash.u32(address)
        if head == _BLANK32:
            return None
        size = min(head & 0xFFFF, _MAX_SIZE)
        return SettingsRecord(head >> 16, self.flash.read(address + 4, size)), address + 4 + (size + 3 & ~3)

    def _encode(self, record_id: int, data: bytes) -> bytes:
        return (record_id << 16 | len(data)).to_bytes(4, "little") + data + bytes(-len(data) % 4)

    def _program32(self, address: int, value: int) -> None:
        self.flash.program(address, value.to_bytes(4, "little"))

    def _may_keep(self, stored: int, version: int, build: int) -> bool:
        return stored >= min(OLDEST_KEPT, version)

    def _version_word(self, version: int, build: int) -> int:
        return version


class SettingsV2(SettingsStore):
    """5.8: the current sector begins FF 00, a closed one 00 00; `id u8, size u8, data`, unaligned.

    `page_wrap`: a record is programmed in one command and wraps at the 256-byte page, as the released 5.8 does on an
    emulated chip (4.4).
    """

    _form = 1
    _head = 2

    def __init__(self, flash: NorFlash, *, page_wrap: bool = False) -> None:
        super().__init__(flash)
        self._page_wrap = page_wrap

    @property
    def current(self) -> int | None:
        """The first sector that begins FF 00."""
        return next((sector for sector in SECTORS if self.flash.read(sector, 2) == b"\xff\0"), None)

    def append(self, record_id: int, data: bytes) -> None:
        """Write a record, the id last; without a current sector the first one is erased and started."""
        sector = self.current
        if sector is None:
            sector = SECTORS[0]
            self.flash.erase_sector(sector)
            self._open(sector)
        end = self._end(sector)
        if end + 2 + len(data) > sector + SECTOR:
            end = self._end(self._move(sector, record_id))
        self._program_record(end, record_id, data)

    def wipe(self) -> None:
        """Erase all four and open the first."""
        for sector in SECTORS:
            self.flash.erase_sector(sector)
        self._open(SECTORS[0])

    def _move(self, old: int, record_id: int) -> int:
        new = _next(old)
        self.flash.erase_sector(new)
        end = new + self._head
        for other in dict.fromkeys(record.id for record in self.records(old) if record.id != record_id):
            data = self._latest(old, other)
            if data is not None:
                self._program_record(end, other, data)
                end += 2 + len(data)
        self._open(new)
        self.flash.program(old, bytes(2))
        return new

    def _open(self, sector: int) -> None:
        self.flash.program(sector + 1, b"\0")

    def _program_record(self, address: int, record_id: int, data: bytes) -> None:
        body = bytes([len(data)]) + data
        if self._page_wrap and len(body) <= PAGE:
            self.flash.program_page(address + 1, body)
        else:
            self.flash.program(address + 1, body)
        self.flash.program(address, bytes([record_id]))

    def _parse(self, address: int) -> tuple[SettingsRecord, int] | None:
        record_id, size = self.flash.read(address, 2)
        if record_id == 0xFF and size == 0xFF:
            return None
        size = min(size, _MAX_SIZE)
        return SettingsRecord(record_id, self.flash.read(address + 2, size)), address + 2 + size

    def _may_keep(self, stored: int, version: int, build: int) -> bool:
        return stored & 0xFFFF == build and stored >> 16 >= OLDEST_KEPT

    def _version_word(self, version: int, build: int) -> int:
        return version << 16 | build


def settings_store(flash: NorFlash, version: int, *, page_wrap: bool = False) -> SettingsStore:
    """The store as firmware of this version byte reads and writes it."""
    return SettingsV2(flash, page_wrap=page_wrap) if version >= V2_SINCE else SettingsV1(flash)
