"""Encoder of MiBeacon (0xFE95) service data (beacons.md 6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from mitherm.beacon.custom_encode import AAD, sealing
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address

ENCRYPTED: Final = 1 << 3
WITH_MAC: Final = 1 << 4
WITH_CAPABILITY: Final = 1 << 5
WITH_OBJECT: Final = 1 << 6
MESH: Final = 1 << 7
REGISTERED: Final = 1 << 8
SOLICITED: Final = 1 << 9

_HEAD: Final = struct.Struct("<HHB")


@dataclass(frozen=True, slots=True)
class MiBeacon:
    """One frame to be sent. MAC, capability and I/O capability are left out where None.

    `counter` is the 32-bit counter; its low byte is the frame counter, the rest travels in encrypted frames only.
    `version` and `auth_mode`: 5 and 2 for stock and pvvx, 3 and 0 for atc1441.
    """

    product_id: int
    counter: int
    mac: Address | None = None
    capability: int | None = None
    io_capability: int | None = None
    objects: bytes = b""
    version: int = 5
    auth_mode: int = 2
    registered: bool = False
    solicited: bool = False

    def plain(self) -> bytes:
        """Service data, not encrypted."""
        return self._head(0) + self.objects

    def encrypted(self, address: Address, key: BeaconKey) -> bytes:
        """Service data with the objects encrypted (v4/v5); `address` is the sender's, with or without `mac`."""
        extension = (self.counter >> 8 & 0xFFFFFF).to_bytes(3, "little")
        head = self._head(ENCRYPTED)
        sealed = sealing(key).encrypt(address.reversed + head[2:5] + extension, self.objects, AAD)
        return head + sealed[:-4] + extension + sealed[-4:]

    def _head(self, control: int) -> bytes:
        parts = b""
        if self.mac is not None:
            control |= WITH_MAC
            parts += self.mac.reversed
        if self.capability is not None:
            control |= WITH_CAPABILITY
            parts += bytes((self.capability,))
        if self.io_capability is not None:
            parts += self.io_capability.to_bytes(2, "little")
        if self.objects:
            control |= WITH_OBJECT
        control |= REGISTERED * self.registered | SOLICITED * self.solicited | self.auth_mode << 10 | self.version << 12
        return _HEAD.pack(control, self.product_id, self.counter & 0xFF) + parts


def mi_object(number: int, data: bytes) -> bytes:
    """One object: id, length, data."""
    return struct.pack("<HB", number, len(data)) + data


def mi_temperature(x10: int) -> bytes:
    """0x1004, 0.1 C."""
    return mi_object(0x1004, struct.pack("<h", x10))


def mi_humidity(x10: int) -> bytes:
    """0x1006, 0.1 %."""
    return mi_object(0x1006, struct.pack("<H", x10))


def mi_battery(percent: int) -> bytes:
    """0x100A."""
    return mi_object(0x100A, bytes((percent,)))


def mi_climate(temperature_x10: int, humidity_x10: int) -> bytes:
    """0x100D: temperature and humidity, 0.1 C and 0.1 %."""
    return mi_object(0x100D, struct.pack("<hH", temperature_x10, humidity_x10))


def mi_opening(*, opened: bool) -> bytes:
    """0x1019: 0 open, 1 closed."""
    return mi_object(0x1019, bytes((not opened,)))


def mi_count(count: int) -> bytes:
    """0x20E1: pulse counter of pvvx."""
    return mi_object(0x20E1, count.to_bytes(4, "little"))


def mi_like_battery(percent: int) -> bytes:
    """Battery object of atc1441 with its three padding zeros (beacons.md 6.3)."""
    return mi_battery(percent) + bytes(3)
