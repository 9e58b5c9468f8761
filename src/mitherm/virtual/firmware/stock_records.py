"""The Mi record store as each stock version treats it at boot and when it is full (flash-layout.md 3.5)."""

from __future__ import annotations

from typing import Final

from mitherm.model.keys import BIND_KEY_LENGTH, DID_LENGTH, TOKEN_LENGTH
from mitherm.virtual.board.mi_records import (
    COUNTER,
    DELETED,
    DFU,
    DID,
    KEYS,
    MAX_LENGTH,
    MI_SCRATCH,
    MI_STORE,
    MiRecordStore,
)
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.firmware.gatt_stock import Line

COUNTER_STEP: Final = 0x200
"""What each boot adds to the beacon counter, so that values used since the last record never come again."""

_KNOWN: Final = frozenset((DELETED, DID, COUNTER, DFU, KEYS))
_BLANK_HEAD: Final = 3


def is_chain(flash: NorFlash, sector: int) -> bool:
    """Whether the sector begins with a record of a known id and a possible length."""
    head = flash.read(sector, 3)
    return int.from_bytes(head[:2], "little") in _KNOWN and 0 < head[2] <= MAX_LENGTH


class StockRecords:
    """DID, keys and counter of a stock unit. `find` and `write` serve the authentication (protocol/mi_device.py)."""

    def __init__(self, flash: NorFlash, line: Line) -> None:
        self.flash = flash
        self.line = line
        self._store = MiRecordStore(flash, on_full=_move if line == "0159" else None)

    def boot(self) -> int:
        """What the version does at every boot; returns the beacon counter to go on with."""
        if self.line == "0130":
            self._compact()
        elif self.line == "0159":
            self._choose_sector()
        counter = self.counter
        if self.bound:
            counter = (counter + COUNTER_STEP) & 0xFFFFFFFF
            self.write(COUNTER, counter.to_bytes(4, "little"))
        return counter

    def find(self, record_id: int) -> bytes | None:
        """Data of the first record with this id."""
        return self._store.find(record_id)

    def write(self, record_id: int, data: bytes) -> None:
        """Replace a record; makes room where needed."""
        self._store.write(record_id, data)

    def unbind(self) -> None:
        """Reset pad: the key record becomes a deleted one; DID and counter stay."""
        self._store.delete(KEYS)

    @property
    def sector(self) -> int:
        """Where the store lives: 0x78000, or 0x79000 on a 0159 that has moved."""
        return self._store.sector

    @property
    def did(self) -> bytes | None:
        """The 20-byte DID record."""
        record = self.find(DID)
        return record if record is not None and len(record) == DID_LENGTH else None

    @property
    def bind_key(self) -> bytes | None:
        """Bind key of the key record."""
        record = self.find(KEYS)
        return record[TOKEN_LENGTH:] if record is not None and len(record) == TOKEN_LENGTH + BIND_KEY_LENGTH else None

    @property
    def bound(self) -> bool:
        """Whether a key record of 28 bytes is there."""
        return self.bind_key is not None

    @property
    def counter(self) -> int:
        """The stored beacon counter, 0 without a record."""
        return int.from_bytes((self.find(COUNTER) or b"")[:4], "little")

    def _compact(self) -> None:
        if is_chain(self.flash, MI_STORE):
            self._store.compact()
        else:
            self.flash.erase_sector(MI_SCRATCH)
            self.flash.erase_sector(MI_STORE)

    def _choose_sector(self) -> None:
        """The sector with a chain, 0x78000 before 0x79000; the other one and blank ones are erased, rubbish is left."""
        if is_chain(self.flash, MI_STORE):
            self.flash.erase_sector(MI_SCRATCH)
        elif is_chain(self.flash, MI_SCRATCH):
            self.flash.erase_sector(MI_STORE)
            self._store.sector = MI_SCRATCH
        else:
            for sector in (MI_STORE, MI_SCRATCH):
                if self.flash.is_blank(sector, _BLANK_HEAD):
                    self.flash.erase_sector(sector)


def _move(store: MiRecordStore) -> None:
    """0159: the live records go to the other sector, each old one is deleted as it goes; the store stays there."""
    old, new = store.sector, MI_SCRATCH if store.sector == MI_STORE else MI_STORE
    target = MiRecordStore(store.flash, new)
    store.flash.erase_sector(new)
    for record in store.live():
        target.append(record.id, record.data)
        store.flash.program(record.address, bytes(2))
    store.flash.erase_sector(old)
    store.sector = new
