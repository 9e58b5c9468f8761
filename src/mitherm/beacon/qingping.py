"""Decoder of Qingping's own beacons, 0xFDCD (beacons.md 5)."""

from __future__ import annotations

import struct
from typing import Final

from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import DecodeFailure, Reading

_CLIMATE: Final = struct.Struct("<hH").unpack_from


def decode_qingping(data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    """Service data of 0xFDCD."""
    if len(data) < 8:
        return DecodeFailure("truncated", BeaconFormat.QINGPING)
    mac = data[7:1:-1]
    reading = Reading(BeaconFormat.QINGPING, {"device_type": data[1]}, mac=mac)
    reading.mac_mismatch = address is not None and mac != address.octets
    at, end = 8, len(data)
    while at + 2 <= end and at + 2 + data[at + 1] <= end:
        behind = at + 2 + data[at + 1]
        _object(data[at], data[at + 2 : behind], reading)
        at = behind
    reading.undecoded = data[at:]
    return reading


def _object(number: int, data: bytes, reading: Reading) -> None:
    if number == 0x01 and len(data) == 4:
        temperature, humidity = _CLIMATE(data)
        reading.values |= {"temperature": temperature / 10, "humidity": humidity / 10}
    elif number == 0x02 and len(data) == 1:
        reading.values["battery"] = data[0]
    elif number == 0x0F and len(data) == 1:
        reading.packet_id = data[0]
    else:
        reading.unknown[f"{number:02x}"] = data
