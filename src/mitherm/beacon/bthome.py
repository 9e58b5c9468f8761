"""Decoder of BTHome v2 (0xFCD2) and v1 (0x181C plain, 0x181E encrypted) (beacons.md 7)."""

from __future__ import annotations

import math
import struct
from typing import Final

from mitherm.beacon.bthome_objects import KINDS, PACKET_ID, Kind
from mitherm.beacon.keys import BIND_KEY, BeaconKey
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import DecodeFailure, Reading, Scalar, Value

ENCRYPTED: Final = 0x01
WITH_MAC: Final = 0x02
VERSION: Final = 2
_COMMAND: Final = 0x3B
_AAD_V1: Final = b"\x11"
_UUID_V2: Final = b"\xd2\xfc"
_UUID_V1: Final = b"\x1e\x18"
_TAIL: Final = 8
"""Counter (4) and tag (4)."""

_FAST: Final = [
    None
    if (kind := KINDS.get(number)) is None or kind.variable
    else (kind.name, kind.length + 1, kind.unpack, kind.divisor)
    for number in range(256)
]
"""KINDS of fixed length as tuples: attribute access would be half of the time of an object."""


def decode_bthome2(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0xFCD2."""
    if not data:
        return DecodeFailure("truncated", BeaconFormat.BTHOME2)
    first = data[0]
    if first >> 5 != VERSION:
        return DecodeFailure("version", BeaconFormat.BTHOME2)
    mac, at, mismatch = None, 1, False
    if first & WITH_MAC:
        if len(data) < 7:
            return DecodeFailure("truncated", BeaconFormat.BTHOME2)
        mac, at = data[6:0:-1], 7
        mismatch = address is not None and mac != address.octets
    if not first & ENCRYPTED:
        reading = Reading(BeaconFormat.BTHOME2, {}, None, None, False, mac, mismatch, None, first)
        _objects(data, at, reading)
        return reading
    if len(data) < at + _TAIL + 1:
        return DecodeFailure("truncated", BeaconFormat.BTHOME2, mac=mac)
    if key is None:
        return DecodeFailure("no-key", BeaconFormat.BTHOME2, mac=mac)
    if key.length != BIND_KEY or key.ccm is None:
        return DecodeFailure("key-length", BeaconFormat.BTHOME2, mac=mac)
    sender = mac if mac is not None or address is None else address.octets
    if sender is None:
        return DecodeFailure("no-address", BeaconFormat.BTHOME2)
    counter = data[-8:-4]
    plain = key.ccm.decrypt(sender + _UUID_V2 + data[:1] + counter, data[at:-8] + data[-4:], None)
    if plain is None:
        return DecodeFailure("auth-failed", BeaconFormat.BTHOME2, mac=mac)
    reading = Reading(
        BeaconFormat.BTHOME2, {}, None, int.from_bytes(counter, "little"), True, mac, mismatch, None, first
    )
    _objects(plain, 0, reading)
    return reading


def decode_bthome1(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0x181C."""
    reading = Reading(BeaconFormat.BTHOME1, {})
    _v1_objects(data, reading)
    reading.mac_mismatch = None not in (reading.mac, address) and reading.address != address
    return reading


def decode_bthome1_encrypted(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0x181E."""
    if len(data) < _TAIL + 2:
        return DecodeFailure("truncated", BeaconFormat.BTHOME1)
    if key is None:
        return DecodeFailure("no-key", BeaconFormat.BTHOME1)
    if key.length != BIND_KEY or key.ccm is None:
        return DecodeFailure("key-length", BeaconFormat.BTHOME1)
    if address is None:
        return DecodeFailure("no-address", BeaconFormat.BTHOME1)
    counter = data[-8:-4]
    plain = key.ccm.decrypt(address.octets + _UUID_V1 + counter, data[:-8] + data[-4:], _AAD_V1)
    if plain is None:
        return DecodeFailure("auth-failed", BeaconFormat.BTHOME1)
    reading = Reading(BeaconFormat.BTHOME1, {}, None, int.from_bytes(counter, "little"), True)
    _v1_objects(plain, reading)
    reading.mac_mismatch = reading.mac is not None and reading.mac != address.octets
    return reading


def _objects(data: bytes, at: int, reading: Reading) -> None:
    """v2: `id | data` to the end, or to the first id that is not known."""
    end = len(data)
    values = reading.values
    while at < end:
        entry = _FAST[data[at]]
        if entry is None:
            behind = _variable(data, at, values)
            if behind is None:
                break
            at = behind
            continue
        name, size, unpack, divisor = entry
        if at + size > end:
            break
        raw = unpack(data, at + 1)[0]
        if divisor:
            raw = raw / divisor
        if name in values:
            _again(values, name, raw)
        else:
            values[name] = raw
        at += size
    if at < end:
        reading.undecoded = data[at:]
    if PACKET_ID in values:
        reading.packet_id = _latest(values.pop(PACKET_ID))


def _variable(data: bytes, at: int, values: dict[str, Value]) -> int | None:
    """An object with a length byte; returns the position behind it, None when unknown or cut."""
    kind = KINDS.get(data[at])
    if kind is None or at + 1 >= len(data):
        return None
    # A command's length byte counts the arguments only and has three reserved bits; the opcode comes on top.
    length = (data[at + 1] & 0x1F) + 1 if kind.number == _COMMAND else data[at + 1]
    behind = at + 2 + length
    if behind > len(data):
        return None
    _put(values, kind.name, kind.unpack(data, at + 1)[0])
    return behind


def _v1_objects(data: bytes, reading: Reading) -> None:
    """v1: `control | id | data`; the control byte holds length and format."""
    at, end = 0, len(data)
    while at < end:
        length, layout = data[at] & 0x1F, data[at] >> 5
        behind = at + 1 + length
        if behind > end or length < 2:
            break
        if layout == _V1_MAC and length == 6:
            reading.mac = data[behind - 1 : at : -1]
        else:
            _v1_object(data[at + 1], layout, data[at + 2 : behind], reading)
        at = behind
    reading.undecoded = data[at:]
    if PACKET_ID in reading.values:
        reading.packet_id = _latest(reading.values.pop(PACKET_ID))


def _v1_object(number: int, layout: int, data: bytes, reading: Reading) -> None:
    kind = KINDS.get(number)
    value = None if kind is None else _v1_value(kind, layout, data)
    if kind is None or value is None:
        reading.unknown[f"{number:02x}"] = data
    else:
        _put(reading.values, kind.name, value[0])


_V1_UNSIGNED, _V1_SIGNED, _V1_FLOAT, _V1_TEXT, _V1_MAC, _V1_TIMESTAMP = range(6)
_FLOATS: Final = {2: struct.Struct("<e"), 4: struct.Struct("<f"), 8: struct.Struct("<d")}


def _v1_value(kind: Kind, layout: int, data: bytes) -> tuple[Scalar] | None:
    """The value in a tuple; None when the format cannot hold one."""
    if layout == _V1_TEXT:
        return (data.decode(errors="replace"),)
    if layout == _V1_FLOAT:
        if len(data) not in _FLOATS:
            return None
        number = _FLOATS[len(data)].unpack(data)[0]
        return (float(f"{number:.7g}") / max(kind.divisor, 1),) if math.isfinite(number) else None
    if layout not in (_V1_UNSIGNED, _V1_SIGNED, _V1_TIMESTAMP):
        return None
    if kind.meaning == "bool":
        return (any(data),)
    if kind.meaning != "number":
        return (kind.unpack(data, 0)[0],) if len(data) == kind.length else None
    raw = int.from_bytes(data, "little", signed=layout == _V1_SIGNED) * (35 if kind.number == 0x58 else 1)
    return (raw / kind.divisor if kind.divisor else raw,)


def _put(values: dict[str, Value], name: str, value: Scalar) -> None:
    if name in values:
        _again(values, name, value)
    else:
        values[name] = value


def _again(values: dict[str, Value], name: str, value: Scalar) -> None:
    """A quantity that occurs more than once becomes a list in order of appearance."""
    before = values[name]
    if isinstance(before, list):
        before.append(value)
    else:
        values[name] = [before, value]


def _latest(value: Value) -> int | None:
    """The packet id; None for the text that v1 could send instead."""
    packet_id = value[-1] if isinstance(value, list) else value
    return packet_id if isinstance(packet_id, int) else None
