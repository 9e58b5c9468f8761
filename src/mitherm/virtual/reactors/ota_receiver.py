"""The device's side of the Telink update, in the three variants found in real firmware (telink-ota.md 5.1-5.5).

Its defects are part of it: an END of another length than six bytes is accepted without an index check, a trailer once
seen stays valid across START, and nothing keeps an image from running over the end of its bank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Protocol, TypeAlias

from mitherm.primitives.checksums import crc32_raw
from mitherm.protocol.ota.packets import (
    BANK_SIZE,
    BLOCK_SIZE,
    SECTOR_SIZE,
    Block,
    End,
    Start,
    UncheckedEnd,
    Version,
    parse,
)

_MARK_AT: Final = 8
_MAGIC: Final = b"KNLT"
_SIZE_LIMIT: Final = 0x40000
_LAST_UNKNOWN: Final = 0x4000


class OtaFlash(Protocol):
    """What the receiver needs of a flash chip."""

    def read(self, address: int, length: int) -> bytes:
        """Bytes as they are."""

    def program(self, address: int, data: bytes) -> None:
        """Clear bits: new = old AND data."""

    def erase_sector(self, address: int) -> None:
        """Set 4 KiB to FF."""


class Variant(Enum):
    """T = custom firmware; X1 = stock 1.0.0_0109, 1.0.0_0130 and MHO-C401; X2 = stock 2.1.1_0159 and later models."""

    T = "T"
    X1 = "X1"
    X2 = "X2"


class Code(IntEnum):
    """Result codes (telink-ota.md 5.5)."""

    SUCCESS = 0
    INDEX_JUMPED = 1
    BLOCK_CRC = 2
    FLASH_COMPARE = 3
    END_INDEX = 4
    INACTIVITY = 5
    IMAGE = 6
    MAGIC = 7


@dataclass(frozen=True, slots=True)
class OtaStart:
    """START was executed; stock firmware now looks whether the central is logged in."""


@dataclass(frozen=True, slots=True)
class OtaEnd:
    """The update is over; the firmware resets the chip.

    `accepted` = marks are switched. Code 0 without it: the firmware's callback refused (signature), nothing was changed.
    """

    code: int
    accepted: bool
    erased_sectors: int


OtaEvent: TypeAlias = OtaStart | OtaEnd
Accept: TypeAlias = Callable[[int, int], bool]
"""(address of the new bank, index of the last block) -> whether the image may be switched on."""


class OtaReceiver:
    """One write handler with its timer. Created at every boot; lives until `OtaEnd`, then ignores everything.

    `limit_s` is the inactivity limit, which the firmware may change on the way; `bank_size` the distance of the two banks. Times are seconds of one clock.
    """

    def __init__(
        self,
        flash: OtaFlash,
        *,
        variant: Variant,
        running_bank: int,
        limit_s: float,
        bank_size: int = BANK_SIZE,
        accept: Accept | None = None,
    ) -> None:
        self.accept = accept
        self.target = bank_size if running_bank == 0 else 0
        self.target_size = bank_size
        self.last_index = -1
        self.started = False
        self.limit_s = limit_s
        self._flash = flash
        self._variant = variant
        self._bank_size = bank_size
        self._finished = False
        self._seen = 0.0
        self._check = False
        self._match = False
        self._crc = 0
        self._last_covered = 0

    def set_target(self, address: int, size: int) -> None:
        """Extended update: where the coming image goes (telink-ota.md 7)."""
        self.target, self.target_size = address, size

    def write(self, raw: bytes, now: float) -> list[OtaEvent]:
        """A value was written to the characteristic."""
        if self._finished:
            return []
        self._seen = now
        match parse(raw):
            case Version():
                return []
            case Start():
                return self._start()
            case Block() as block:
                return self._block(block)
            case End(last):
                return self._end(index_right=last == self.last_index)
            case UncheckedEnd():
                return self._end(index_right=True)

    def tick(self, now: float) -> list[OtaEvent]:
        """Look at the inactivity timer."""
        due = self.wake_at()
        return [] if due is None or now < due else self._fail(Code.INACTIVITY)

    def wake_at(self) -> float | None:
        """When the inactivity limit is reached; None while no update is open."""
        return self._seen + self.limit_s if self.started and not self._finished else None

    def _start(self) -> list[OtaEvent]:
        self.started = True
        self.last_index = -1
        self._check = False
        self._last_covered = _LAST_UNKNOWN
        return [OtaStart()]

    def _block(self, block: Block) -> list[OtaEvent]:
        if block.index <= self.last_index:
            return []
        problem = self._problem(block) or self._store(block)
        return [] if problem is None else self._fail(problem)

    def _problem(self, block: Block) -> Code | None:
        if block.index > self.last_index + 1:
            return Code.INDEX_JUMPED
        if not block.intact:
            return Code.BLOCK_CRC
        if block.index == 0 and not self._first(block.data):
            return Code.IMAGE
        if self._check and not self._covered(block):
            return Code.IMAGE
        return None

    def _first(self, data: bytes) -> bool:
        """Begin the image check; False where the flag in bytes 6 and 7 is unknown."""
        self._crc = 0xFFFFFFFF
        self._check = self._variant is Variant.X2 or data[6:8] == b"\x5d\x02"
        return self._check or data[6] == 0

    def _covered(self, block: Block) -> bool:
        """Feed the CRC32, or compare it with the trailer; False where size field or trailer are wrong."""
        if block.index > self._last_covered:
            if block.index == self._last_covered + 1:
                self._match = block.data[:4] == self._crc.to_bytes(4, "little")
                return self._match
            return True
        if block.index == 1:
            size = int.from_bytes(block.data[8:12], "little")
            if not 0 < size < _SIZE_LIMIT or size % BLOCK_SIZE != 4:
                return False
            self._last_covered = size // BLOCK_SIZE - 1
        self._crc = crc32_raw(block.data, self._crc)
        return True

    def _store(self, block: Block) -> Code | None:
        data = block.data
        if block.index == 0:
            data = data[:_MARK_AT] + b"\xff" + data[_MARK_AT + 1 :]
        address = self.target + block.index * BLOCK_SIZE
        self._flash.program(address, data)
        if self._flash.read(address, BLOCK_SIZE) != data:
            return Code.FLASH_COMPARE
        self.last_index = block.index
        if self._variant is Variant.X2 and block.index == 0 and block.data[_MARK_AT : _MARK_AT + 4] != _MAGIC:
            return Code.MAGIC
        return None

    def _end(self, *, index_right: bool) -> list[OtaEvent]:
        if not index_right:
            return self._fail(Code.END_INDEX)
        if self._check and not self._match:
            return self._fail(Code.IMAGE)
        self._finished = True
        accepted = self.accept is None or self.accept(self.target, self.last_index)
        if accepted:
            self._switch()
        return [OtaEnd(Code.SUCCESS, accepted, 0)]

    def _switch(self) -> None:
        self._flash.program(self.target + _MARK_AT, _MAGIC[:1])
        old = 0 if self.target else self._bank_size
        self._flash.program(old + _MARK_AT, bytes(4))

    def _fail(self, code: Code) -> list[OtaEvent]:
        self._finished = True
        sectors = 0 if self.last_index < 0 else self.last_index * BLOCK_SIZE // SECTOR_SIZE + 1
        for sector in reversed(range(sectors)):
            self._flash.erase_sector(self.target + sector * SECTOR_SIZE)
        return [OtaEnd(code, False, sectors)]
