"""Parcels: how Xiaomi cuts a message into the frames of characteristic 0019 (mi-auth.md 3.1).

Every frame begins with a u16 serial number. 0 is a control frame (u8 mode, then data), 1 and up are data frames.
Codec only: `mi_channel.py` is the client's end of a transfer, `mi_endpoint.py` the unit's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from mitherm.errors import DecodeError

PAYLOAD: Final = 18
"""Bytes of a parcel per data frame unless the link parameters were negotiated (mi-auth.md 5.6)."""

_CMD, _ACK, _SINGLE, _SINGLE_ACK, _LINK, _LINK_REPLY = range(6)


class ParcelType(IntEnum):
    """What a parcel holds."""

    DEVICE_INFO = 0x00
    PUBLIC_KEY = 0x03
    SERVER_CERTIFICATE = 0x07
    SERVER_SIGNATURE = 0x08
    APP_PROOF = 0x0A
    APP_RANDOM = 0x0B
    DEVICE_PROOF = 0x0C
    DEVICE_RANDOM = 0x0D
    BIND_KEY = 0x0E
    WIFI = 0x0F


class Ack(IntEnum):
    """Answers of a receiver."""

    SUCCESS = 0
    READY = 1
    BUSY = 2
    TIMEOUT = 3
    CANCEL = 4
    LOST = 5


@dataclass(frozen=True, slots=True)
class Announce:
    """Mode 0: a parcel of `count` frames is waiting."""

    type: int
    count: int

    def to_bytes(self) -> bytes:
        """u16 0, u8 0, u8 type, u16 count."""
        return struct.pack("<HBBH", 0, _CMD, self.type, self.count)


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Mode 1: an answer of the receiver; `lost` are the frames it wants again."""

    ack: int
    lost: tuple[int, ...] = ()

    def to_bytes(self) -> bytes:
        """u16 0, u8 1, u8 ack, u16 per lost frame."""
        return struct.pack(f"<HBB{len(self.lost)}H", 0, _ACK, self.ack, *self.lost)


@dataclass(frozen=True, slots=True)
class Single:
    """Mode 2: a whole parcel in one frame (0159 line)."""

    type: int
    data: bytes

    def to_bytes(self) -> bytes:
        """u16 0, u8 2, u8 type, data."""
        return struct.pack("<HBB", 0, _SINGLE, self.type) + self.data


@dataclass(frozen=True, slots=True)
class SingleAck:
    """Mode 3: the single-frame parcel arrived."""

    def to_bytes(self) -> bytes:
        """u16 0, u8 3, u8 0."""
        return struct.pack("<HBB", 0, _SINGLE_ACK, 0)


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """Modes 4 and 5: negotiation of the frame payload (mi-auth.md 5.6). `step` 0 carries the two numbers, 1 the filler."""

    step: int
    data: bytes
    reply: bool = False

    def to_bytes(self) -> bytes:
        """u16 0, u8 4 (unit) or 5 (client), u8 step, data."""
        return struct.pack("<HBB", 0, _LINK_REPLY if self.reply else _LINK, self.step) + self.data


@dataclass(frozen=True, slots=True)
class Data:
    """One numbered piece of a parcel."""

    sn: int
    payload: bytes

    def to_bytes(self) -> bytes:
        """u16 sn, payload."""
        return struct.pack("<H", self.sn) + self.payload


Frame: TypeAlias = Announce | Acknowledge | Single | SingleAck | LinkParameters | Data


def decode(raw: bytes) -> Frame:
    """A frame of 0019. Raises DecodeError."""
    if len(raw) < 2:
        raise DecodeError("a parcel frame has at least 2 bytes")
    sn = int.from_bytes(raw[:2], "little")
    return Data(sn, raw[2:]) if sn else _control(raw)


def _control(raw: bytes) -> Frame:
    if len(raw) < 4:
        raise DecodeError("a control frame has at least 4 bytes")
    mode, detail, rest = raw[2], raw[3], raw[4:]
    if mode == _CMD and len(rest) >= 2:
        return Announce(detail, int.from_bytes(rest[:2], "little"))
    if mode == _ACK:
        return Acknowledge(detail, struct.unpack_from(f"<{len(rest) // 2}H", rest) if detail == Ack.LOST else ())
    if mode == _SINGLE:
        return Single(detail, rest)
    if mode == _SINGLE_ACK:
        return SingleAck()
    if mode in (_LINK, _LINK_REPLY):
        return LinkParameters(detail, rest, reply=mode == _LINK_REPLY)
    raise DecodeError(f"not a control frame of a parcel: {raw.hex()}")


def cut(data: bytes, payload: int = PAYLOAD) -> list[Data]:
    """A parcel's content as data frames; the last one may be shorter."""
    return [Data(index // payload + 1, data[index : index + payload]) for index in range(0, len(data), payload)]


@dataclass(slots=True)
class Assembly:
    """The receiver's side of `cut`: collects `count` frames in any order."""

    count: int
    payload: int = PAYLOAD
    blocks: dict[int, bytes] = field(default_factory=dict)

    def add(self, frame: Data) -> bool:
        """Take a frame; False when its number or length does not fit (all but the last are full)."""
        full = len(frame.payload) == self.payload
        fits = full if frame.sn < self.count else 0 < len(frame.payload) <= self.payload
        if not 1 <= frame.sn <= self.count or not fits:
            return False
        self.blocks[frame.sn] = frame.payload
        return True

    @property
    def missing(self) -> list[int]:
        """Numbers of the frames still wanted, lowest first."""
        return [sn for sn in range(1, self.count + 1) if sn not in self.blocks]

    @property
    def data(self) -> bytes:
        """What has arrived, in order."""
        return b"".join(self.blocks[sn] for sn in sorted(self.blocks))
