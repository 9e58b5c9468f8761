"""pvvx' commands on the Mi record store: reading item by item, replacing, "restoring", erasing (custom-firmware.md 10)."""

from __future__ import annotations

from typing import Final

from mitherm.protocol.pvvx.keys import COUNTER, DELETED, DID, KEYS, LENGTHS, MAC, key_frames
from mitherm.virtual.board import mi_records
from mitherm.virtual.board.mi_records import MI_STORE, MiRecord, pvvx_find, pvvx_records, pvvx_replace
from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

_RECORD_ID: Final = {DID: mi_records.DID, KEYS: mi_records.KEYS, COUNTER: mi_records.COUNTER}
_SWAPS_UNTIL: Final = 0x31
_LOOKS_AT_BOOT: Final = range(0x22, 0x44)
KEY_OFFSET: Final = 12
"""Where the bind key begins in a key record."""


class KeyTransfer:
    """Answers 11, 12, 15 and 16 one frame per pass.

    All records go through one buffer. What a search leaves in it is sent first, under the id of the item before
    (0 at the start): the stray frames a client must drop.
    """

    def __init__(self, flash: NorFlash, version: int) -> None:
        self._flash = flash
        self._version = version
        self._label = 0
        self._buffer: list[bytes] = []
        self._stages: list[tuple[int, int]] = []
        self._running = False
        self.mac_record = b""

    @property
    def active(self) -> bool:
        """Whether frames are still to come."""
        return bool(self._stages) or (self._running and bool(self._buffer))

    def boot(self) -> bytes | None:
        """2.2 to 4.3 look for keys and counter when they start; returns the bind key found."""
        keys = pvvx_find(self._flash, mi_records.KEYS) if self._version in _LOOKS_AT_BOOT else None
        if keys is None:
            return None
        counter = pvvx_find(self._flash, mi_records.COUNTER)
        self._buffer = key_frames(0, (counter or keys).data)
        return keys.data[KEY_OFFSET:]

    def get(self, item: int) -> None:
        """Commands 11 and 12 without fitting data."""
        self._start((item, 1))

    def get_all(self) -> None:
        """Command 15."""
        self._start(*((item, 1) for item in (MAC, DID, KEYS, COUNTER, DELETED)))

    def _start(self, *stages: tuple[int, int]) -> None:
        self._stages, self._running = list(stages), True

    def set(self, item: int, data: bytes) -> None:
        """Commands 11 and 12 with 20 or 28 bytes: the first record of that kind is replaced in place, none is made."""
        record = pvvx_find(self._flash, _RECORD_ID[item])
        if record is not None:
            self._buffer = key_frames(self._label, record.data)
            if len(record.data) == len(data) and record.data != data:
                pvvx_replace(self._flash, record, data)
        self.get(item)

    def restore(self) -> None:
        """Command 16: up to 3.1 the swap it promises, later the defect that overwrites the older pair."""
        current, old = pvvx_find(self._flash, mi_records.KEYS), self._last_deleted_keys()
        self._start((KEYS, 1 if old else 0))
        if old is None or current is None or len(current.data) != LENGTHS[KEYS]:
            return
        sector = bytearray(self._flash.read(MI_STORE, SECTOR))
        _overwrite(sector, old, current.data)
        if self._version <= _SWAPS_UNTIL:
            _overwrite(sector, current, old.data)
        self._flash.erase_sector(MI_STORE)
        self._flash.program(MI_STORE, bytes(sector[:SECTOR]))

    def erase(self) -> None:
        """Command 17."""
        if not self._flash.is_blank(MI_STORE, 4):
            self._flash.erase_sector(MI_STORE)

    def stop(self) -> None:
        """The link is gone."""
        if self._running:
            self._stages, self._buffer, self._running = [], [], False

    def next(self) -> bytes | None:
        """The next frame, None when all is said."""
        if not self.active:
            return None
        if not self._buffer:
            self._load()
        return self._buffer.pop(0)

    def _load(self) -> None:
        item, number = self._stages.pop(0)
        if item == MAC:
            self._buffer = key_frames(MAC, self.mac_record)
            return
        self._label = item
        record = pvvx_find(self._flash, _RECORD_ID.get(item, mi_records.DELETED), number) if number else None
        self._buffer = key_frames(item, record.data if record else b"")
        if item == DELETED and record is not None:
            self._stages = [(DELETED, number + 1)]

    def _last_deleted_keys(self) -> MiRecord | None:
        latest = None
        for record in pvvx_records(self._flash):
            if record.id == mi_records.DELETED and len(record.data) == LENGTHS[KEYS]:
                latest = record
        return latest


def _overwrite(sector: bytearray, record: MiRecord, data: bytes) -> None:
    offset = record.data_address - MI_STORE
    sector[offset : offset + len(data)] = data
