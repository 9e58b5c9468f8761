"""The true address of a unit where the operating system hides it (product-needs.md 4.3)."""

from __future__ import annotations

import re
from typing import Final

from mitherm.model.address import XIAOMI_OUI, Address
from mitherm.model.sighting import Sighting
from mitherm.protocol import uuids

_MIBEACON_HAS_ADDRESS: Final = 0x0010
_MIBEACON_HEADER: Final = 5
"""Frame control (2), product id (2), counter (1)."""
_ATC1441_LENGTH: Final = 13
_PVVX_LENGTH: Final = 15
_BTHOME_HAS_ADDRESS: Final = 0x02
_NAME: Final = re.compile(r"(?:ATC|BTH|BTE|MHO|MJ6|D02|CGG|CGD)_([0-9A-Fa-f]{6})")
"""Default names of custom firmware (beacons.md 2)."""


def true_address(sighting: Sighting) -> Address | None:
    """The Bluetooth address: as the system names the unit, else from its beacons, else from its name; None if unknown.

    A name carries three bytes only; the other three are taken as Xiaomi's.
    """
    try:
        return Address.parse(sighting.address)
    except ValueError:
        return (
            _from_mibeacon(sighting.service_data.get(uuids.ADV_MIBEACON, b""))
            or _from_custom(sighting.service_data.get(uuids.ADV_CUSTOM, b""))
            or _from_bthome(sighting.service_data.get(uuids.ADV_BTHOME2, b""))
            or _from_name(sighting.name or "")
        )


def _from_mibeacon(data: bytes) -> Address | None:
    """Bytes 5..10, reversed, when the frame control says so (beacons.md)."""
    if len(data) < _MIBEACON_HEADER + 6 or not int.from_bytes(data[:2], "little") & _MIBEACON_HAS_ADDRESS:
        return None
    return Address.from_reversed(data[_MIBEACON_HEADER : _MIBEACON_HEADER + 6])


def _from_custom(data: bytes) -> Address | None:
    """First six bytes: atc1441 in display order, pvvx reversed; the encrypted forms carry none."""
    if len(data) == _ATC1441_LENGTH:
        return Address(data[:6])
    if len(data) == _PVVX_LENGTH:
        return Address.from_reversed(data[:6])
    return None


def _from_bthome(data: bytes) -> Address | None:
    """Bytes 1..6, reversed, when bit 1 of the information byte is set."""
    return Address.from_reversed(data[1:7]) if len(data) >= 7 and data[0] & _BTHOME_HAS_ADDRESS else None


def _from_name(name: str) -> Address | None:
    found = _NAME.fullmatch(name)
    return Address.parse(f"{XIAOMI_OUI}:{found[1]}") if found else None
