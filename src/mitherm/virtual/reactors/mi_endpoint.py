"""The unit's end of a parcel transfer, as the firmware does it: latched headers, gaps, lost frames (mi-auth.md 3.3, 3.4).

A transfer is a job: a generator that yields what it waits for, as the firmware's main loop polls it. `mi_device.py`
drives the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, TypeAlias, TypeVar

from mitherm.errors import DecodeError
from mitherm.protocol.mi.parcel import (
    PAYLOAD,
    Ack,
    Acknowledge,
    Announce,
    Assembly,
    Data,
    Frame,
    LinkParameters,
    ParcelType,
    Single,
    SingleAck,
    cut,
    decode,
)

Generation: TypeAlias = Literal[1, 2]

GAP_TICKS: Final[dict[Generation, int]] = {1: 20, 2: 40}
"""Silence after which a receiver looks for holes."""
LOST_ATTEMPTS: Final = 3
"""Generation 2: requests without an answer before the transfer is given up."""
_COUNTED: Final = frozenset({0x00, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E})
"""Types whose header sets the number of frames."""
_FILLER: Final = b"\xa5"

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on when `ready`, or after `ticks` of the main loop (None: no limit). Answer: whether it became ready."""

    ready: Callable[[], bool]
    ticks: int | None = None


Job: TypeAlias = Generator[Wait, bool, _R]

FOREVER: Final = Wait(lambda: False)
"""Nothing but the limit of the whole procedure ends this."""


class State(Enum):
    """What the endpoint listens to."""

    WAIT_CMD = auto()
    WAIT_ACK = auto()
    TXD = auto()
    RXD = auto()


class Endpoint:
    """Transfer state of one connection; it outlives procedures that are dropped half-way."""

    def __init__(self, notify: Callable[[Frame], None], generation: Generation) -> None:
        self._notify = notify
        self._generation: Generation = generation
        self._gap = GAP_TICKS[generation]
        self._state = State.WAIT_CMD
        self._type: int | None = None
        self._count = 0
        self._sn = 0
        self._single: bytes | None = None
        self._answer: Acknowledge | SingleAck | None = None
        self._parameters: LinkParameters | None = None
        self._parts = Assembly(0)
        self._payload = PAYLOAD
        self._burst = 1
        self._negotiated = False

    # --- what is done at once when a frame is written -----------------------------------------------------------------

    def take(self, raw: bytes) -> None:
        """A write to 0019; what does not fit the state is dropped silently."""
        try:
            frame = decode(raw)
        except DecodeError:
            return
        match frame:
            case Data() if self._state is State.RXD:
                self._sn = frame.sn if self._parts.add(frame) else 0
            case Announce() if self._state is State.WAIT_CMD:
                self._latch(frame)
            case Acknowledge() if self._state is State.WAIT_ACK:
                self._acknowledged(frame)
            case _ if self._generation == 2:
                self._take_second(frame)
            case _:
                pass

    def _latch(self, frame: Announce) -> None:
        self._type, self._single = frame.type, None
        if frame.type in _COUNTED:
            self._count = frame.count

    def _acknowledged(self, frame: Acknowledge) -> None:
        self._answer = frame
        if frame.ack == Ack.SUCCESS:
            self._state = State.WAIT_CMD
        elif frame.ack == Ack.READY:
            self._state = State.TXD
        elif frame.ack == Ack.LOST and frame.lost:
            self._sn = frame.lost[0]

    def _take_second(self, frame: Frame) -> None:
        match frame:
            case Single() if self._state is State.WAIT_CMD:
                self._type, self._single = frame.type, frame.data
            case SingleAck() if self._state is State.WAIT_ACK:
                self._answer, self._state = frame, State.WAIT_CMD
            case LinkParameters(reply=True):
                self._parameters = frame
            case _:
                pass

    # --- receiving ----------------------------------------------------------------------------------------------------

    def receive(self, kind: ParcelType, expected: int) -> Job[bytes]:
        """Wait for a parcel of at most `expected` bytes."""
        while True:
            yield Wait(lambda: self._type == kind and (self._count > 0 or self._single is not None))
            if self._single is not None:
                return self._finish(SingleAck(), self._single)[:expected]
            if self._count <= -(-expected // self._payload):
                break
            self._notify(Acknowledge(Ack.CANCEL))
            self._count = 0
        self._notify(Acknowledge(Ack.READY))
        self._state, self._parts = State.RXD, Assembly(self._count, self._payload)
        yield from self._await_last()
        while missing := self._missing()[: self._burst]:
            yield from self._ask(missing)
        return self._finish(Acknowledge(Ack.SUCCESS), self._parts.data)[:expected]

    def _finish(self, answer: Frame, data: bytes) -> bytes:
        self._notify(answer)
        self._state, self._type, self._single = State.WAIT_CMD, None, None
        self._count = self._sn = 0
        return data

    def _await_last(self) -> Job[None]:
        """Until the last frame has been seen, or nothing higher came for the length of the gap."""
        while self._sn != self._count and (yield self._higher_than(self._sn)):
            pass

    def _higher_than(self, sn: int) -> Wait:
        return Wait(lambda: self._sn > sn, self._gap)

    def _missing(self) -> list[int]:
        """Generation 1 tells a hole by its filler, so a block made of nothing else is taken for one."""
        missing = self._parts.missing
        if self._generation == 1:
            hole = _FILLER * self._payload
            missing = sorted([*missing, *(sn for sn, block in self._parts.blocks.items() if block == hole)])
        return missing

    def _ask(self, missing: list[int]) -> Job[None]:
        request = Acknowledge(Ack.LOST, tuple(missing))
        for _ in range(LOST_ATTEMPTS):
            self._sn = 0
            self._notify(request)
            if (yield Wait(lambda: self._sn in missing, self._gap if self._generation == 2 else None)):
                yield Wait(lambda: not set(missing).intersection(self._parts.missing), self._gap)
                return
        self._finish(Acknowledge(Ack.TIMEOUT), b"")
        yield FOREVER

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, kind: ParcelType, data: bytes) -> Job[None]:
        """Send a parcel and serve requests for lost frames until the client is content."""
        if self._negotiated and len(data) <= self._payload - 2:
            return (yield from self._send_single(Single(kind, data)))
        frames = cut(data, self._payload)
        while (yield from self._exchange(Announce(kind, len(frames)))) != Acknowledge(Ack.READY):
            pass
        answer = yield from self._exchange(*frames)
        while not (isinstance(answer, Acknowledge) and answer.ack == Ack.SUCCESS):
            answer = yield from self._exchange(*(frames[sn - 1] for sn in self._wanted(answer, len(frames))))
        return None

    def _send_single(self, frame: Single) -> Job[None]:
        while not isinstance((yield from self._exchange(frame)), SingleAck):
            pass

    def _exchange(self, *frames: Frame) -> Job[Acknowledge | SingleAck]:
        for frame in frames:
            self._notify(frame)
        self._state, self._answer = State.WAIT_ACK, None
        yield Wait(lambda: self._answer is not None)
        return self._answer or SingleAck()

    def _wanted(self, answer: Acknowledge | SingleAck, count: int) -> list[int]:
        if not isinstance(answer, Acknowledge) or answer.ack != Ack.LOST:
            return []
        lost = answer.lost if self._generation == 2 else answer.lost[:1]
        return [sn for sn in lost if 1 <= sn <= count]

    # --- link parameters ----------------------------------------------------------------------------------------------

    def negotiate(self, largest: int, burst: int) -> Job[None]:
        """Offer a frame payload and a number of simultaneous retransmissions (mi-auth.md 5.6)."""
        offer = yield from self._propose(LinkParameters(0, bytes((burst, largest))))
        if offer is None or len(offer) < 2:
            return
        payload = min(largest, offer[1])
        echo = yield from self._propose(LinkParameters(1, bytes([payload]) * (payload - 2)))
        if echo is None:
            return
        proved = len(echo) == payload - 2 and echo[-1:] == bytes([payload])
        self._payload = payload if proved else PAYLOAD
        self._burst = max(1, min(burst, offer[0]))
        self._negotiated = True

    def _propose(self, frame: LinkParameters) -> Job[bytes | None]:
        self._parameters = None
        self._notify(frame)

        def answered() -> bool:
            return self._parameters is not None and self._parameters.step == frame.step

        yield Wait(answered, self._gap)
        return self._parameters.data if self._parameters is not None and answered() else None
