"""Encoders of BTHome v2 (0xFCD2) and v1 (0x181C plain, 0x181E encrypted) service data (beacons.md 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mitherm.beacon.custom_encode import AAD, SensorValues, sealing
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address

Object = tuple[int, bytes]
"""Object id and its data bytes."""

ENCRYPTED: Final = 0x01
WITH_MAC: Final = 0x02
TRIGGER_BASED: Final = 0x04
VERSION: Final = 0x40

_PACKET_ID: Final = 0x00
_V1_SIGNED: Final = frozenset((0x02, 0x08))
"""Objects of ours that v1 marks as signed."""


def pvvx_kind1(measured: SensorValues) -> list[Object]:
    """Battery, temperature, humidity (beacons.md 7.3)."""
    return [
        (0x01, bytes((measured.battery_pct,))),
        (0x02, measured.temperature_x100.to_bytes(2, "little", signed=True)),
        (0x03, measured.humidity_x100.to_bytes(2, "little")),
    ]


def pvvx_kind2(battery_mv: int, *, output: bool, opened: bool) -> list[Object]:
    """Voltage, trigger output, first reed input (beacons.md 7.3)."""
    return [(0x0C, battery_mv.to_bytes(2, "little")), (0x10, bytes((output,))), (0x11, bytes((opened,)))]


def pvvx_event(count: int, *, opened: bool) -> list[Object]:
    """Reed input and pulse counter (beacons.md 7.4)."""
    return [(0x11, bytes((opened,))), (0x3E, count.to_bytes(4, "little"))]


def pvvx_old_kind2(battery_mv: int, *, output: bool) -> list[Object]:
    """Trigger output, voltage: the second kind of 3.7 to 4.4, sent as v1 (beacons.md 7.3)."""
    return [(0x10, bytes((output,))), (0x0C, battery_mv.to_bytes(2, "little"))]


def bthome2(
    objects: Iterable[Object], packet_id: int | None = None, *, mac: Address | None = None, trigger_based: bool = False
) -> bytes:
    """v2 plain; `packet_id` becomes object 00, `mac` is included where given."""
    return _head(0, mac, trigger_based) + b"".join(bytes((number,)) + data for number, data in _all(objects, packet_id))


def bthome2_encrypted(
    objects: Iterable[Object],
    counter: int,
    address: Address,
    key: BeaconKey,
    *,
    include_mac: bool = False,
    trigger_based: bool = False,
) -> bytes:
    """v2 encrypted: cipher text, 32-bit counter, tag."""
    head = _head(ENCRYPTED, address if include_mac else None, trigger_based)
    tail = counter.to_bytes(4, "little")
    plain = b"".join(bytes((number,)) + data for number, data in objects)
    sealed = sealing(key).encrypt(address.octets + b"\xd2\xfc" + head[:1] + tail, plain, None)
    return head + sealed[:-4] + tail + sealed[-4:]


def bthome1(objects: Iterable[Object], packet_id: int | None = None) -> bytes:
    """v1 plain (0x181C)."""
    return b"".join(_v1_object(number, data) for number, data in _all(objects, packet_id))


def bthome1_encrypted(objects: Iterable[Object], counter: int, address: Address, key: BeaconKey) -> bytes:
    """v1 encrypted (0x181E)."""
    tail = counter.to_bytes(4, "little")
    sealed = sealing(key).encrypt(address.octets + b"\x1e\x18" + tail, bthome1(objects), AAD)
    return sealed[:-4] + tail + sealed[-4:]


def _head(flags: int, mac: Address | None, trigger_based: bool) -> bytes:
    first = VERSION | flags | WITH_MAC * (mac is not None) | TRIGGER_BASED * trigger_based
    return bytes((first,)) + (b"" if mac is None else mac.reversed)


def _all(objects: Iterable[Object], packet_id: int | None) -> list[Object]:
    return [*([] if packet_id is None else [(_PACKET_ID, bytes((packet_id & 0xFF,)))]), *objects]


def _v1_object(number: int, data: bytes) -> bytes:
    return bytes((len(data) + 1 | (number in _V1_SIGNED) << 5, number)) + data
