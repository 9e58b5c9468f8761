"""Extended update of pvvx firmware: command 73 clears an area above the banks, then the normal update goes there.

telink-ota.md 7; frames go through characteristic 1F1F.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from mitherm.errors import DecodeError, NotSupported, PeerMisbehaved, TransferFailed
from mitherm.model.models import EXTENDED_BY
from mitherm.protocol.effects import Notification, Procedure, notified, report, subscribe, write
from mitherm.protocol.events import Progress
from mitherm.protocol.ota.packets import BANK_SIZE, BLOCK_SIZE, SECTOR_SIZE, block_count
from mitherm.protocol.uuids import CUSTOM_COMMAND

COMMAND: Final = 0x73
AREA: Final = 0x40000
SMALLEST_KIB: Final = 4
LIMIT_KIB: Final = 208
"""The first size that the device refuses, though clients of others allow it: 207 is the most (telink-ota.md 7)."""

_REQUEST: Final = struct.Struct("<BII")
_MESSAGE: Final = struct.Struct("<BBII")
_UNKNOWN_COMMAND: Final = bytes([COMMAND, 0xFF])
_MORE_THAN_A_BANK_UNTIL: Final = 0x53
"""Up to this version the reference client asks for at least a bank and a KiB, whatever the image's size."""


class Status(IntEnum):
    """Second byte of a message."""

    INFORMATION = 0
    UPDATE_RUNNING = 1
    CLEARING = 2
    READY = 3
    SECTOR_DONE = 4
    BAD_PARAMETER = 0xFE


@dataclass(frozen=True, slots=True)
class Request:
    """73, address u32, size in KiB u32."""

    address: int
    size_kib: int

    def __bytes__(self) -> bytes:
        return _REQUEST.pack(COMMAND, self.address, self.size_kib)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Request:
        """Eight bytes or more, as the device reads it (a missing ninth counts as 00); raises DecodeError."""
        if len(raw) < _REQUEST.size - 1 or raw[0] != COMMAND:
            raise DecodeError("not a request for an area")
        _, address, size_kib = _REQUEST.unpack(raw[: _REQUEST.size].ljust(_REQUEST.size, b"\0"))
        return cls(address, size_kib)


@dataclass(frozen=True, slots=True)
class Message:
    """73, status u8, address u32, size in KiB u32 (10 bytes)."""

    status: int
    address: int
    size_kib: int

    def __bytes__(self) -> bytes:
        return _MESSAGE.pack(COMMAND, self.status, self.address, self.size_kib)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Message:
        """Raises DecodeError."""
        if len(raw) != _MESSAGE.size or raw[0] != COMMAND:
            raise DecodeError(f"not an answer to command 73: {len(raw)} bytes")
        return cls(*_MESSAGE.unpack(raw)[1:])


def area_kib(length: int, *, version: int, exact: bool = False) -> int:
    """KiB to ask for an image of `length` bytes.

    As the reference client does, firmware up to 5.3 (`version` is its version byte) is asked for more than a bank in any
    case, except on hardware 12, 13 and 49 (`exact`).
    """
    size_kib = -(-block_count(length) * BLOCK_SIZE // 1024)
    return size_kib if exact or version > _MORE_THAN_A_BANK_UNTIL else max(size_kib, BANK_SIZE // 1024 + 1)


def clear_area(size_kib: int, *, address: int = AREA, silence_s: float = 60.0) -> Procedure[int]:
    """Have the unit clear `size_kib` and wait until it is ready; returns the bytes there are now.

    The unit reboots when the link drops from here on. Raises LinkTimeout when it says nothing for `silence_s` (the
    central may have refused the latency it needs), NotSupported, TransferFailed (another update is open),
    PeerMisbehaved (request refused), ValueError.
    """
    if not SMALLEST_KIB <= size_kib < LIMIT_KIB or address < AREA or address % SECTOR_SIZE:
        raise ValueError(f"no area: {size_kib} KiB at {address:#x}")
    yield from subscribe(CUSTOM_COMMAND)
    yield from write(CUSTOM_COMMAND, bytes(Request(address, size_kib)))
    while True:
        message = _relevant((yield from notified(silence_s)))
        if message is None:
            continue
        if message.status == Status.READY:
            return message.size_kib * 1024
        if message.status == Status.SECTOR_DONE:
            yield from report(Progress("clear", (message.address - address) // 1024, size_kib, "KiB"))
        elif message.status != Status.CLEARING:
            _refuse(message)


def _relevant(notification: Notification) -> Message | None:
    data = notification.data
    if notification.char != CUSTOM_COMMAND or data[:1] != bytes([COMMAND]):
        return None
    if data == _UNKNOWN_COMMAND:
        raise NotSupported(
            "this firmware has no extended update", hint=f"Update the custom firmware first, to {EXTENDED_BY}."
        )
    return Message.from_bytes(data)


def _refuse(message: Message) -> None:
    if message.status == Status.UPDATE_RUNNING:
        raise TransferFailed("the unit says an update is running already", hint="Disconnect, wait 20 s and try again.")
    raise PeerMisbehaved(f"the unit refused to clear the area (status {message.status:#04x})")
