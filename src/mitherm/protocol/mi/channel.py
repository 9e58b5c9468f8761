"""The client's end of 0010 and 0019: commands, parcels in both directions, verdicts (mi-auth.md 3, 11).

Every method is a procedure. A channel lives as long as its connection. It resends what the unit lost, asks for what
the client lost, ignores duplicates, and takes single-frame parcels and link negotiations as they come. Values of the
control point may arrive at any time: a refusal raises `MiAuthRefused`, the others wait for `verdict`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mitherm.errors import DecodeError, LinkTimeout, MiAuthRefused, PeerMisbehaved
from mitherm.protocol.effects import Notification, Procedure, notified, subscribe, write
from mitherm.protocol.mi.messages import REFUSALS, control_value
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
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS

STEP_S: Final = 3.0
"""For one answer. The unit itself drops a procedure after 30 s only, so that a client that waits as long cannot tell a
slow unit from one that is stuck (mi-auth.md 8)."""
TOTAL_S: Final = 30.0
"""3000 ticks of the unit; afterwards it ignores what belongs to this procedure (mi-auth.md 5)."""
HOLE_S: Final = 0.4
"""Silence inside a parcel after which missing frames are asked for."""
NUDGE_S: Final = 1.0
"""Silence after which the last word is said again."""
RECONNECT: Final = "reconnect and try again; the unit may still be inside an earlier procedure"
FRAMES_LIMIT: Final = 64
"""64 x 18 bytes are over twice the longest parcel, a certificate: who announces more does not speak this protocol."""
NOTIFICATIONS_LIMIT: Final = 500
"""Far beyond what a procedure takes with every frame lost once: a peer that talks for ever is not waited for."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A notification that is no message of this protocol."""


_Heard: TypeAlias = Frame | int | Noise | None
"""A frame of 0019, a value of 0010, noise, or silence."""


@dataclass(slots=True)
class _Inbound:
    """A parcel on its way to us."""

    parts: Assembly
    asked: int = 0

    @property
    def starts_anew(self) -> bool:
        """Whether another header deserves another READY: a second one without need would stop the unit's transfer."""
        return self.asked > 0 and not self.parts.blocks

    @property
    def has_hole(self) -> bool:
        """Whether to ask at once: the last frame, or the answer to the last question, is in and more is missing."""
        progress = self.asked or self.parts.count in self.parts.blocks
        return bool(progress) and self.parts.missing[0] != self.asked


@dataclass(slots=True)
class MiChannel:
    """One connection's channel. `step_s` bounds the silence of a step, `total_s` all silence together."""

    step_s: float = STEP_S
    total_s: float = TOTAL_S
    _verdicts: deque[int] = field(default_factory=deque)
    _ahead: Announce | Single | None = None
    _payload: int = PAYLOAD
    _notifications: int = 0

    def open(self) -> Procedure[None]:
        """Subscribe to both characteristics, parcels first as Mi Home does."""
        yield from subscribe(MI_PARCELS)
        yield from subscribe(MI_CONTROL)

    def command(self, opcode: int, choice: int = 0) -> Procedure[None]:
        """Write a value to the control point."""
        yield from write(MI_CONTROL, control_value(opcode, choice))

    def verdict(self) -> Procedure[int]:
        """The next value of the control point; raises MiAuthRefused or LinkTimeout."""
        while not self._verdicts:
            if (yield from self.listen(self.step_s)) is None:
                raise LinkTimeout(f"no answer from the unit within {self.step_s:g} s", hint=RECONNECT)
        return self._verdicts.popleft()

    # --- sending ------------------------------------------------------------------------------------------------------

    def announce(self, kind: ParcelType, data: bytes) -> Procedure[None]:
        """Only the header of a parcel."""
        yield from self._put(Announce(kind, len(cut(data, self._payload))))

    def send(self, kind: ParcelType, data: bytes) -> Procedure[None]:
        """Send a parcel; raises MiAuthRefused, PeerMisbehaved or LinkTimeout."""
        frames = cut(data, self._payload)
        yield from self.announce(kind, data)
        sent, left = False, self.step_s
        while True:
            message = yield from self.listen(NUDGE_S)
            if message is None:
                left = self._patience(left, NUDGE_S, kind)
                yield from self._put(*(frames if sent else (Acknowledge(Ack.SUCCESS), Announce(kind, len(frames)))))
            elif sent and self._went_on(message):
                return
            elif isinstance(message, Acknowledge):
                again = _wanted(message, frames)
                yield from self._put(*again)
                sent, left = sent or bool(again), self.step_s

    def _went_on(self, message: _Heard) -> bool:
        """Success, or something the unit only says after a complete parcel (then its success got lost)."""
        if isinstance(message, Announce | Single):
            self._ahead = message
            return True
        return bool(self._verdicts) or message == Acknowledge(Ack.SUCCESS)

    # --- receiving ----------------------------------------------------------------------------------------------------

    def receive(self, kind: ParcelType) -> Procedure[bytes]:
        """Receive a parcel; raises MiAuthRefused, PeerMisbehaved or LinkTimeout."""
        inbound: _Inbound | None = None
        left = self.step_s
        while True:
            message = yield from self._next(HOLE_S if inbound else NUDGE_S)
            match message:
                case None:
                    left = self._patience(left, HOLE_S if inbound else NUDGE_S, kind)
                    yield from self._ask(inbound)
                case Single(type=got) if got == kind:
                    yield from self._put(SingleAck())
                    return message.data
                case Announce(type=got) if got == kind and (inbound is None or inbound.starts_anew):
                    inbound, left = self._begin(message), self.step_s
                    yield from self._put(Acknowledge(Ack.READY))
                case Data() if inbound is not None and inbound.parts.add(message):
                    left = self.step_s
                    if not inbound.parts.missing:
                        yield from self._put(Acknowledge(Ack.SUCCESS))
                        return inbound.parts.data
                    if inbound.has_hole:
                        yield from self._ask(inbound)
                case _:
                    pass

    def _next(self, timeout_s: float) -> Procedure[_Heard]:
        """What a sender heard too early comes first."""
        ahead, self._ahead = self._ahead, None
        return ahead or (yield from self.listen(timeout_s))

    def _begin(self, header: Announce) -> _Inbound:
        if not 1 <= header.count <= FRAMES_LIMIT:
            raise PeerMisbehaved(f"the unit announced a parcel of {header.count} frames")
        return _Inbound(Assembly(header.count, self._payload))

    def _ask(self, inbound: _Inbound | None) -> Procedure[None]:
        """For the lowest hole; before any header, by a word that makes the unit repeat it."""
        if inbound is None:
            yield from self._put(Acknowledge(Ack.SUCCESS))
        else:
            inbound.asked = inbound.parts.missing[0]
            yield from self._put(Acknowledge(Ack.LOST, (inbound.asked,)))

    # --- the air ------------------------------------------------------------------------------------------------------

    def _put(self, *frames: Frame) -> Procedure[None]:
        for frame in frames:
            yield from write(MI_PARCELS, frame.to_bytes())

    def listen(self, timeout_s: float) -> Procedure[_Heard]:
        """The next thing the unit says, None for silence. Verdicts are kept, negotiation is answered on the way."""
        try:
            notification = yield from notified(timeout_s)
        except LinkTimeout:
            self.total_s -= timeout_s
            return None
        self._notifications += 1
        if self._notifications > NOTIFICATIONS_LIMIT:
            raise PeerMisbehaved("the unit talks without getting anywhere")
        message = _understand(notification)
        if isinstance(message, LinkParameters):
            yield from self._negotiate(message)
        elif isinstance(message, int):
            self._verdicts.append(message)
        return message

    def _negotiate(self, offer: LinkParameters) -> Procedure[None]:
        """Agree to retransmissions as offered and to the frames that an MTU of 23 carries (mi-auth.md 5.6)."""
        data = offer.data
        if offer.step == 0 and len(data) >= 2:
            data = bytes((data[0], min(data[1], PAYLOAD)))
        elif data and len(data) == data[-1] - 2:
            self._payload = min(data[-1], PAYLOAD)
        yield from self._put(LinkParameters(offer.step, data, reply=True))

    def _patience(self, left: float, waited: float, kind: ParcelType) -> float:
        left -= waited
        if left <= 0 or self.total_s <= 0:
            what = kind.name.lower().replace("_", " ")
            raise LinkTimeout(f"the unit stopped answering (parcel: {what})", hint=RECONNECT)
        return left


def _wanted(answer: Acknowledge, frames: list[Data]) -> list[Data]:
    """The frames that a receiver's answer asks for."""
    if answer.ack in (Ack.CANCEL, Ack.TIMEOUT):
        raise PeerMisbehaved("the unit gave up a transfer", hint=RECONNECT)
    if answer.ack == Ack.READY:
        return frames
    lost = answer.lost if answer.ack == Ack.LOST else ()
    return [frames[sn - 1] for sn in lost if 1 <= sn <= len(frames)]


def _understand(notification: Notification) -> _Heard:
    """Raises MiAuthRefused when the unit ended the conversation."""
    if notification.char == MI_CONTROL and notification.data:
        value = notification.data[0]
        if value in REFUSALS:
            text, hint = REFUSALS[value]
            raise MiAuthRefused(text, code=value, hint=hint)
        return value
    try:
        return decode(notification.data) if notification.char == MI_PARCELS else Noise()
    except DecodeError:
        return Noise()
