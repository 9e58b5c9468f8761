"""Encoders of the 0x181A formats and the pvvx event pair (beacons.md 3 and 4). All return service data."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.primitives.crypto import CcmKey

AAD: Final = b"\x11"

_ATC1441: Final = struct.Struct(">6shBBHB")
_PVVX: Final = struct.Struct("<6shHHBBB")
_PVVX_SECRET: Final = struct.Struct("<hHBB")


@dataclass(frozen=True, slots=True)
class SensorValues:
    """What pvvx knows after a measurement: 0.01 C, 0.01 %, mV (running average), %."""

    temperature_x100: int
    humidity_x100: int
    battery_mv: int
    battery_pct: int


def toward_zero(dividend: int, divisor: int) -> int:
    """C's integer division."""
    return dividend // divisor if dividend >= 0 else -(-dividend // divisor)


def tenths(x100: int) -> int:
    """Hundredths to tenths as pvvx rounds: -1.05 becomes -1.0, -0.04 becomes 0.0 (beacons.md 3)."""
    return toward_zero(x100 + 5, 10)


def atc1441_plain(
    address: Address, temperature_x10: int, humidity_pct: int, battery_pct: int, battery_mv: int, counter: int
) -> bytes:
    """atc1441, 13 bytes, from the values the original firmware holds."""
    return _ATC1441.pack(address.octets, temperature_x10, humidity_pct, battery_pct, battery_mv, counter & 0xFF)


def pvvx_atc1441(address: Address, measured: SensorValues, counter: int) -> bytes:
    """atc1441, 13 bytes, rounded as pvvx does."""
    humidity = toward_zero(measured.humidity_x100 + 50, 100)
    return atc1441_plain(
        address, tenths(measured.temperature_x100), humidity, measured.battery_pct, measured.battery_mv, counter
    )


def pvvx_custom(address: Address, measured: SensorValues, counter: int, flags: int) -> bytes:
    """pvvx custom, 15 bytes; bits of `flags` as in beacons.md 4.1."""
    return _PVVX.pack(
        address.reversed,
        measured.temperature_x100,
        measured.humidity_x100,
        measured.battery_mv,
        measured.battery_pct,
        counter & 0xFF,
        flags,
    )


def pvvx_custom_encrypted(address: Address, measured: SensorValues, counter: int, flags: int, key: BeaconKey) -> bytes:
    """pvvx custom encrypted, 11 bytes."""
    plain = _PVVX_SECRET.pack(measured.temperature_x100, measured.humidity_x100, measured.battery_pct, flags)
    return _sealed(address, counter, plain, key)


def atc1441_encrypted(
    address: Address, measured: SensorValues, counter: int, key: BeaconKey, *, trigger_on: bool = False
) -> bytes:
    """atc1441 encrypted (a pvvx format), 8 bytes: half degrees from -40 C, half percents."""
    plain = bytes(
        (
            toward_zero(measured.temperature_x100 + 25, 50) + 80 & 0xFF,
            toward_zero(measured.humidity_x100 + 25, 50) & 0xFF,
            measured.battery_pct | trigger_on << 7,
        )
    )
    return _sealed(address, counter, plain, key)


def event_count(count: int) -> bytes:
    """Service data of 0x2AEB; 0x2A56 carries the flags byte alone (beacons.md 4.4)."""
    return (count & 0xFFFFFF).to_bytes(3, "big")


def sealing(key: BeaconKey) -> CcmKey:
    """The cipher of a 16-byte key; raises ValueError for other lengths."""
    if key.ccm is None or key.length != 16:
        raise ValueError("a bind key has 16 bytes")
    return key.ccm


def nonce(reversed_mac: bytes, length: int, counter: bytes) -> bytes:
    """Nonce of encrypted custom frames: MACr, the AD head as sent, counter; `length` of the service data."""
    return reversed_mac + bytes((length + 3, 0x16, 0x1A, 0x18)) + counter


def _sealed(address: Address, counter: int, plain: bytes, key: BeaconKey) -> bytes:
    head = bytes((counter & 0xFF,))
    return head + sealing(key).encrypt(nonce(address.reversed, len(plain) + 5, head), plain, AAD)
