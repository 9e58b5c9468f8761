"""Decoder of 0x181A (atc1441, pvvx) and of pvvx event frames (beacons.md 3 and 4)."""

from __future__ import annotations

import struct
from typing import Final

from mitherm.beacon.keys import BIND_KEY, BeaconKey
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import FLAGS, DecodeFailure, Reading, Value

_ATC1441: Final = struct.Struct(">6shBBHB").unpack
_PVVX: Final = struct.Struct("<6shHHBBB").unpack
_PVVX_SECRET: Final = struct.Struct("<hHBB").unpack
_AAD: Final = b"\x11"
_PVVX_HEAD: Final = b"\x0e\x16\x1a\x18"
_ATC1441_HEAD: Final = b"\x0b\x16\x1a\x18"
"""AD length, AD type and UUID as sent: part of the nonce (beacons.md 4.3)."""


def decode_environment(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0x181A; the length tells the format."""
    length = len(data)
    if length == 13:
        return _atc1441(data, address)
    if length == 15:
        return _pvvx(data, address)
    if length == 11:
        return _pvvx_encrypted(data, address, key)
    if length == 8:
        return _atc1441_encrypted(data, address, key)
    return DecodeFailure("length")


def decode_event_flags(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0x2A56."""
    if len(data) != 1:
        return DecodeFailure("length", BeaconFormat.PVVX_EVENT)
    return Reading(BeaconFormat.PVVX_EVENT, {"flags": FLAGS[data[0]]})


def decode_event_count(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0x2AEB."""
    if len(data) != 3:
        return DecodeFailure("length", BeaconFormat.PVVX_EVENT)
    return Reading(BeaconFormat.PVVX_EVENT, {"count": int.from_bytes(data, "big")})


def _atc1441(data: bytes, address: Address | None) -> Reading:
    mac, temperature, humidity, battery, millivolts, counter = _ATC1441(data)
    values = {"temperature": temperature / 10, "humidity": humidity, "battery": battery, "voltage": millivolts / 1000}
    return Reading(
        BeaconFormat.ATC1441, values, counter, None, False, mac, address is not None and mac != address.octets
    )


def _pvvx(data: bytes, address: Address | None) -> Reading:
    mac, temperature, humidity, millivolts, battery, counter, flags = _PVVX(data)
    mac = mac[::-1]
    values = {
        "temperature": temperature / 100,
        "humidity": humidity / 100,
        "voltage": millivolts / 1000,
        "battery": battery,
        "flags": FLAGS[flags],
    }
    return Reading(BeaconFormat.PVVX, values, counter, None, False, mac, address is not None and mac != address.octets)


def _pvvx_encrypted(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    if key is None:
        return DecodeFailure("no-key", BeaconFormat.PVVX_ENC)
    if key.length != BIND_KEY or key.ccm is None:
        return DecodeFailure("key-length", BeaconFormat.PVVX_ENC)
    if address is None:
        return DecodeFailure("no-address", BeaconFormat.PVVX_ENC)
    plain = key.ccm.decrypt(address.octets[::-1] + _PVVX_HEAD + data[:1], data[1:], _AAD)
    if plain is None:
        return DecodeFailure("auth-failed", BeaconFormat.PVVX_ENC)
    temperature, humidity, battery, flags = _PVVX_SECRET(plain)
    values = {
        "temperature": temperature / 100,
        "humidity": humidity / 100,
        "battery": battery,
        "flags": FLAGS[flags],
    }
    return Reading(BeaconFormat.PVVX_ENC, values, data[0], None, True)


def _atc1441_encrypted(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    if key is None:
        return DecodeFailure("no-key", BeaconFormat.ATC1441_ENC)
    if key.length != BIND_KEY or key.ccm is None:
        return DecodeFailure("key-length", BeaconFormat.ATC1441_ENC)
    if address is None:
        return DecodeFailure("no-address", BeaconFormat.ATC1441_ENC)
    plain = key.ccm.decrypt(address.octets[::-1] + _ATC1441_HEAD + data[:1], data[1:], _AAD)
    if plain is None:
        return DecodeFailure("auth-failed", BeaconFormat.ATC1441_ENC)
    values: dict[str, Value] = {
        "temperature": plain[0] / 2 - 40,
        "humidity": plain[1] / 2,
        "battery": plain[2] & 0x7F,
        "trigger_on": plain[2] > 0x7F,
    }
    return Reading(BeaconFormat.ATC1441_ENC, values, data[0], None, True)
