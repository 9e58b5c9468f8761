"""The Mi key store as pvvx' commands 10 to 15 show it: frames, their reassembly, the result (custom-firmware.md 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.model.address import Address
from mitherm.model.keys import MiKeys, did_text
from mitherm.primitives.secret import Secret

MAC: Final = 0x10
DID: Final = 0x11
KEYS: Final = 0x12
COUNTER: Final = 0x13
DELETED: Final = 0x14

LENGTHS: Final = {MAC: 8, DID: 20, KEYS: 28, COUNTER: 4}
"""Data bytes of the items; a deleted record has 1 to 28."""
LONGEST: Final = 28
_CHUNK: Final = 18


def key_frames(item: int, data: bytes) -> list[bytes]:
    """Frames of one item: `id, bytes still to come including this frame, up to 18 bytes`; `id 00` for nothing."""
    if not data:
        return [bytes([item, 0])]
    parts = range(0, len(data), _CHUNK)
    return [bytes([item, len(data) - start]) + data[start : start + _CHUNK] for start in parts]


class ItemCollector:
    """Puts the items of the ids asked for together and drops stray frames.

    Firmware sends left-overs of its buffer under foreign ids, and may repeat frames: an item counts only when it begins
    with the length its id must have and goes on without a gap.
    """

    def __init__(self, *items: int) -> None:
        self._items = items
        self._item = 0
        self._data = b""
        self._missing = 0
        self._last = b""

    def feed(self, frame: bytes) -> tuple[int, bytes] | None:
        """A finished item (empty data: there is none of that kind), or None."""
        if len(frame) < 2 or frame[0] not in self._items or frame == self._last:
            return None
        self._last = frame
        item, remaining, data = frame[0], frame[1], frame[2:]
        if not remaining:
            return item, b""
        if item != self._item or remaining != self._missing:
            self._begin(item, remaining)
        if not self._missing or len(data) != min(remaining, _CHUNK):
            self._missing = 0
            return None
        self._data += data
        self._missing -= len(data)
        return None if self._missing else (item, self._data)

    def _begin(self, item: int, remaining: int) -> None:
        fits = remaining == LENGTHS.get(item) or (item == DELETED and remaining <= LONGEST)
        self._item, self._data, self._missing = item, b"", remaining if fits else 0


@dataclass(frozen=True, slots=True)
class MacRecord:
    """The public address and the two bytes that complete a static random one."""

    address: Address
    random: bytes

    @property
    def record(self) -> bytes:
        """The 8 bytes at 0x76000."""
        return self.address.reversed + self.random


@dataclass(frozen=True, slots=True)
class MiRecords:
    """Everything command 15 shows. `deleted` in the order of the flash, the newest last."""

    mac: MacRecord
    did: bytes | None
    keys: Secret | None
    counter: bytes | None
    deleted: tuple[Secret, ...] = ()

    @property
    def current(self) -> MiKeys | None:
        """The keys in force, None when there are none."""
        return None if self.keys is None else MiKeys.from_record(self.keys.reveal(), self.did_text)

    @property
    def previous(self) -> tuple[MiKeys, ...]:
        """Superseded keys, the newest first."""
        records = [record for record in self.deleted if len(record) == LENGTHS[KEYS]]
        return tuple(MiKeys.from_record(record.reveal(), None) for record in reversed(records))

    @property
    def empty(self) -> bool:
        """Nothing is stored: what Mi Home takes for a new unit."""
        return self.did is None and self.keys is None and self.counter is None and not self.deleted

    @property
    def did_text(self) -> str | None:
        """The DID as text."""
        return None if self.did is None else did_text(self.did)
