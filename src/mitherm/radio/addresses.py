"""The true address of a unit where the operating system hides it (product-needs.md 4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from mitherm.beacon.decode import decode
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.protocol import uuids


def true_address(sighting: Sighting) -> Address | None:
    """The Bluetooth address: as the system names the unit, else from its beacons, else from its name; None if unknown."""
    try:
        return Address.parse(sighting.address)
    except ValueError:
        return _in_beacons(sighting.service_data) or models.address_in(sighting.name)


def _in_beacons(service_data: Mapping[str, bytes]) -> Address | None:
    """The address in the head of a beacon, which is readable without a key; encrypted custom formats carry none."""
    for uuid, data in service_data.items():
        number = uuids.number_of(uuid)
        address = None if number is None else decode(number, data).address
        if address is not None:
            return address
    return None
