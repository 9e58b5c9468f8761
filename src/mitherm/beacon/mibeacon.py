"""Decoder of MiBeacon, 0xFE95, versions 2 to 5 (beacons.md 6)."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from mitherm.beacon.keys import BIND_KEY, LEGACY_KEY, BeaconKey
from mitherm.beacon.mibeacon_objects import NUMBERS, OTHERS
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import BeaconError, DecodeFailure, MiHeader, Reading

ENCRYPTED: Final = 1 << 3
WITH_MAC: Final = 1 << 4
WITH_CAPABILITY: Final = 1 << 5
WITH_OBJECT: Final = 1 << 6
MESH: Final = 1 << 7
WITH_IO: Final = 1 << 5
"""Bit of the capability byte."""

_HEAD: Final = struct.Struct("<HHB").unpack_from
_OBJECT: Final = struct.Struct("<HB").unpack_from
_AAD: Final = b"\x11"
_FIRST_VERSION: Final = 2 << 12
_FIRST_WITH_TAG: Final = 4 << 4
"""Second byte of v4."""

_head = lru_cache(256)(MiHeader)
"""A unit sends few different heads, and they are values."""


def decode_mibeacon(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0xFE95."""
    if len(data) < 5:
        return DecodeFailure("truncated", BeaconFormat.MIBEACON)
    control, product_id, counter = _HEAD(data)
    if control & MESH:
        return DecodeFailure("mesh", BeaconFormat.MIBEACON)
    if control < _FIRST_VERSION:
        return DecodeFailure("version", BeaconFormat.MIBEACON)
    mac, at, mismatch, capability, io_capability = None, 5, False, None, None
    if control & WITH_MAC:
        mac, at = data[10:4:-1], 11
        mismatch = address is not None and mac != address.octets
    if control & WITH_CAPABILITY:
        capability, io_capability, at = _capability(data, at)
    head = _head(control, product_id, capability, io_capability)
    if at > len(data):
        return DecodeFailure("truncated", BeaconFormat.MIBEACON, head)
    reading = Reading(BeaconFormat.MIBEACON, {}, counter, None, False, mac, mismatch, head)
    if not control & WITH_OBJECT:
        reading.undecoded = _unless_padding(data[at:])
        return reading
    sender = mac if mac is not None or address is None else address.octets
    error = _decrypted(data, at, sender, key, reading) if control & ENCRYPTED else _plain(data, at, reading)
    return reading if error is None else DecodeFailure(error, BeaconFormat.MIBEACON, head, mac)


def _capability(data: bytes, at: int) -> tuple[int | None, int | None, int]:
    """Capability, I/O capability and the position behind them, which is beyond the end when one is missing."""
    if at >= len(data):
        return None, None, at + 1
    if not data[at] & WITH_IO:
        return data[at], None, at + 1
    return data[at], int.from_bytes(data[at + 1 : at + 3], "little"), at + 3


def _plain(data: bytes, at: int, reading: Reading) -> BeaconError | None:
    if len(data) < at + 3:
        return "truncated"
    _objects(data, at, reading)
    return None


def _decrypted(
    data: bytes, at: int, sender: bytes | None, key: BeaconKey | None, reading: Reading
) -> BeaconError | None:
    """v4 and v5 (beacons.md 6.4): cipher text, counter extension (3), tag (4)."""
    if data[1] < _FIRST_WITH_TAG:
        return _legacy(data, at, sender, key, reading)
    if len(data) < at + 9:
        return "truncated"
    if key is None:
        return "no-key"
    if key.length != BIND_KEY or key.ccm is None:
        return "key-length"
    if sender is None:
        return "no-address"
    extension = data[-7:-4]
    plain = key.ccm.decrypt(sender[::-1] + data[2:5] + extension, data[at:-7] + data[-4:], _AAD)
    if plain is None:
        return "auth-failed"
    reading.authenticated = True
    reading.counter = int.from_bytes(data[4:5] + extension, "little")
    _objects(plain, 0, reading)
    return None


def _legacy(data: bytes, at: int, sender: bytes | None, key: BeaconKey | None, reading: Reading) -> BeaconError | None:
    """v2 and v3 (beacons.md 6.5): no tag that is certain, so the objects must fill the plain text exactly."""
    if len(data) < at + 7:
        return "truncated"
    if key is None:
        return "no-key"
    if key.length != LEGACY_KEY or key.ccm is None:
        return "key-length"
    if sender is None:
        return "no-address"
    # In counter mode encrypting the cipher text gives the plain text; the tag that results means nothing.
    extension = data[-4:-1]
    plain = key.ccm.encrypt(data[:5] + extension + sender[:0:-1], data[at:-4], _AAD)[:-4]
    reading.counter = int.from_bytes(data[4:5] + extension, "little")
    _objects(plain, 0, reading)
    return "auth-failed" if reading.undecoded else None


def _objects(data: bytes, at: int, reading: Reading) -> None:
    end, values = len(data), reading.values
    while at + 3 <= end:
        number, length = _OBJECT(data, at)
        start = at + 3
        if start + length > end:
            break
        if number in NUMBERS and NUMBERS[number][0] == length:
            _, name, unpack, divisor = NUMBERS[number]
            raw = unpack(data, start)[0]
            values[name] = raw / divisor if divisor else raw
        elif number in OTHERS and OTHERS[number][0] == length:
            values |= OTHERS[number][1](data, start)
        elif number or any(data[at:]):
            reading.unknown[f"{number:04x}"] = data[start : start + length]
        else:
            return
        at = start + length
    if at < end:
        reading.undecoded = _unless_padding(data[at:])


def _unless_padding(rest: bytes) -> bytes:
    """Zero bytes to the end are padding (beacons.md 6.3)."""
    return rest if any(rest) else b""
