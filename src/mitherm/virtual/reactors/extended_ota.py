"""The unit's side of pvvx' extended update (telink-ota.md 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mitherm.errors import DecodeError
from mitherm.protocol.ota.extended import AREA, LIMIT_KIB, SMALLEST_KIB, Message, Request, Status
from mitherm.protocol.ota.packets import BANK_SIZE, SECTOR_SIZE
from mitherm.virtual.reactors.ota_receiver import OtaFlash, OtaReceiver

_GAP_NEEDED: Final = 256
_PROBES: Final = (0x000, 0x400, 0x800, 0xC00)


@dataclass(frozen=True, slots=True)
class ForceLatency:
    """The firmware asks the central for this slave latency."""

    latency: int


DeviceAction: TypeAlias = Message | ForceLatency
State: TypeAlias = Literal["none", "clearing", "ready"]


class ExtendedOta:
    """The device's side. `command` answers a write; `loop` is one pass of the main loop.

    `notify` queues a message and tells whether there was room. `gap` is the radio-free time the stack offers, in its own
    units; below 256 nothing happens. `reset_on_disconnect` is for the firmware to obey.
    """

    def __init__(self, flash: OtaFlash, receiver: OtaReceiver, notify: Callable[[Message], bool]) -> None:
        self.state: State = "none"
        self.reset_on_disconnect = False
        self.gap = _GAP_NEEDED
        self._flash = flash
        self._receiver = receiver
        self._notify = notify
        self._address = self._next = self._size_kib = 0

    def command(self, raw: bytes) -> list[DeviceAction]:
        """A write of 73...; the last action is the answer."""
        try:
            request = Request.from_bytes(raw)
        except DecodeError:
            return [self._answer(Status.INFORMATION)]
        status = self._judge(request)
        if status is not Status.CLEARING or self.state == "clearing":
            return [self._answer(status)]
        self._address = self._next = request.address
        self._size_kib = -(-request.size_kib // 4) * 4
        self.state, self.reset_on_disconnect = "clearing", True
        return [ForceLatency(3), self._answer(status)]

    def loop(self) -> None:
        """One sector, or the announcement that all is ready; repeated until the announcement is queued."""
        if self.state != "clearing" or self.gap < _GAP_NEEDED:
            return
        if self._next < self._address + self._size_kib * 1024:
            self._clear_sector()
            return
        self._receiver.set_target(self._address, self._size_kib * 1024)
        self._receiver.accept = self._received
        if self._notify(Message(Status.READY, self._address, self._size_kib)):
            self.state = "ready"

    def _judge(self, request: Request) -> Status:
        if self.state == "clearing":
            return Status.CLEARING
        if self.state == "ready" or self._receiver.started:
            return Status.UPDATE_RUNNING
        if request.address < AREA:
            return Status.INFORMATION
        if not SMALLEST_KIB <= request.size_kib < LIMIT_KIB or request.address % SECTOR_SIZE:
            return Status.BAD_PARAMETER
        return Status.CLEARING

    def _answer(self, status: Status) -> Message:
        return Message(status, self._receiver.target, self._receiver.target_size // 1024)

    def _clear_sector(self) -> None:
        """Only four words are looked at: data elsewhere in the sector stays (telink-ota.md 7)."""
        if any(self._flash.read(self._next + offset, 4) != b"\xff" * 4 for offset in _PROBES):
            self._flash.erase_sector(self._next)
        self._next += SECTOR_SIZE
        self._notify(Message(Status.SECTOR_DONE, self._next, 0))

    def _received(self, bank: int, last_index: int) -> bool:
        """Success: the first sectors of both low banks go before the new mark is set. A power cut in between bricks."""
        self._flash.erase_sector(0)
        self._flash.erase_sector(BANK_SIZE)
        return True
