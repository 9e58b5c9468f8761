"""How long a conversation takes on the air: connection events, packets per event, pace of the sender (telink-ota.md 9.3).

A procedure runs against a far end on a clock that only this model moves. Rules: every write or read request takes the
client `write_ms` before it is in the queue; event i lies at i * interval and carries at most `per_event` queued packets;
the answer of a read comes with the event after the one that carried the request. A pause lets the queue empty, counts
from the moment the client last woke, and the events are counted anew from its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from mitherm.errors import LinkLost, LinkTimeout
from mitherm.protocol.effects import (
    AwaitDisconnect,
    BeginRead,
    Effect,
    FinishRead,
    Pause,
    Procedure,
    Read,
    Report,
    Write,
)
from mitherm.protocol.uuids import OTA
from mitherm.virtual.reactors.ota_receiver import OtaEnd, OtaEvent, OtaReceiver


@dataclass(frozen=True, slots=True)
class Air:
    """The link: connection interval, packets per event, and what one write costs the client."""

    interval_ms: float
    per_event: int
    write_ms: float


class FarEnd(Protocol):
    """The unit at the other end."""

    def write(self, char: str, data: bytes, now_s: float) -> None:
        """A write arrived."""

    def read(self, char: str, now_s: float) -> bytes:
        """A read request arrived."""

    def alive(self, now_s: float) -> bool:
        """Whether it still answers."""


class OtaUnit:
    """A far end that is nothing but an OTA characteristic; `outcome` is set when the update ended."""

    def __init__(self, receiver: OtaReceiver) -> None:
        self.outcome: OtaEnd | None = None
        self._receiver = receiver

    def write(self, char: str, data: bytes, now_s: float) -> None:
        """See `FarEnd`."""
        if char == OTA:
            self._note(self._receiver.write(data, now_s))

    def read(self, char: str, now_s: float) -> bytes:
        """Always 00 (telink-ota.md 1)."""
        return b"\0"

    def alive(self, now_s: float) -> bool:
        """Until the update ended, whichever way."""
        self._note(self._receiver.tick(now_s))
        return self.outcome is None

    def _note(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaEnd):
                self.outcome = event


@dataclass(frozen=True, slots=True)
class _Packet:
    ready_ns: int
    request: Write | None
    """None: a read request."""
    char: str


class AirRun:
    """One connection. `run` plays a procedure to its end; `now_s` and `last_write_s` tell the times afterwards.

    `lose_after`: the link dies when that many packets have been carried.
    """

    def __init__(self, air: Air, far_end: FarEnd, *, lose_after: int | None = None) -> None:
        self.last_write_s = 0.0
        self.most_in_flight = 0
        self._far_end = far_end
        self._interval_ns = _ns(air.interval_ms)
        self._write_ns = _ns(air.write_ms)
        self._per_event = air.per_event
        self._left = lose_after
        self._queue: deque[_Packet] = deque()
        self._now_ns = self._woke_ns = self._event_ns = 0
        self._arrived: bytes | None = None
        self._answer: tuple[int, bytes] | None = None

    @property
    def now_s(self) -> float:
        """The client's time since the connection began."""
        return self._now_ns / 1e9

    def run(self, procedure: Procedure[object]) -> None:
        """Errors of the procedure pass through; packets still queued at its end are carried."""
        step = procedure.send
        answer: object = None
        try:
            while True:
                effect = step(answer)
                step = procedure.send
                try:
                    answer = self._do(effect)
                except (LinkLost, LinkTimeout) as problem:
                    step, answer = procedure.throw, problem
        except StopIteration:
            self._drain()

    def _do(self, effect: Effect) -> object:
        match effect:
            case Write(char=char):
                self._enqueue(char, effect)
            case BeginRead(char):
                self._enqueue(char, None)
            case Read(char):
                self._enqueue(char, None)
                return self._collect()
            case FinishRead():
                return self._collect()
            case Pause(seconds):
                self._pause(_ns(seconds * 1000))
            case AwaitDisconnect(timeout_s):
                return self._await_end(timeout_s)
            case Report():
                pass
            case _:
                raise TypeError(f"no airtime is known for {effect!r}")
        return None

    def _enqueue(self, char: str, request: Write | None) -> None:
        self._check_link()
        self._now_ns += self._write_ns
        self._queue.append(_Packet(self._now_ns, request, char))
        self._catch_up()
        self.most_in_flight = max(self.most_in_flight, len(self._queue))

    def _collect(self) -> bytes:
        if self._answer is None and self._arrived is None and all(packet.request for packet in self._queue):
            self._check_link()
            raise ValueError("no read is open")
        while self._answer is None:
            self._check_link()
            self._event()
        at_ns, value = self._answer
        self._answer = None
        self._wake(max(self._now_ns, at_ns))
        return value

    def _pause(self, length_ns: int) -> None:
        self._drain()
        self._wake(max(self._woke_ns + length_ns, self._event_ns, self._now_ns))
        self._event_ns = self._now_ns
        self._check_link()

    def _await_end(self, timeout_s: float) -> int:
        self._drain()
        if self._lost:
            return 0x08
        self._now_ns += _ns(timeout_s * 1000)
        raise LinkTimeout("the unit kept the link")

    def _wake(self, at_ns: int) -> None:
        self._now_ns = self._woke_ns = at_ns

    def _drain(self) -> None:
        while self._queue and not self._lost:
            self._event()

    def _catch_up(self) -> None:
        """Events that lie before the newest packet cannot carry it."""
        while self._event_ns + self._interval_ns < self._now_ns:
            self._event()

    @property
    def _lost(self) -> bool:
        return self._left == 0 or not self._far_end.alive(self._event_ns / 1e9)

    def _check_link(self) -> None:
        if self._lost:
            raise LinkLost(reason=0x08)

    def _event(self) -> None:
        """One connection event: the answer of the one before, then what the queue has ready."""
        self._event_ns += self._interval_ns
        if self._arrived is not None:
            self._answer, self._arrived = (self._event_ns, self._arrived), None
        for _ in range(self._per_event):
            if not self._queue or self._queue[0].ready_ns > self._event_ns or self._lost:
                return
            self._carry(self._queue.popleft())

    def _carry(self, packet: _Packet) -> None:
        now_s = self._event_ns / 1e9
        if self._left is not None:
            self._left -= 1
        if packet.request is None:
            self._arrived = self._far_end.read(packet.char, now_s)
        else:
            self._far_end.write(packet.char, packet.request.data, now_s)
            self.last_write_s = now_s


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
