"""The true address, where the system gives a UUID instead."""

import pytest

from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.protocol import uuids
from mitherm.radio.addresses import true_address

UNIT = Address.parse("A4:C1:38:AB:CD:EF")
MAC_UUID = "0A1B2C3D-0000-1111-2222-333344445555"


def sighting(address: str = MAC_UUID, name: str | None = None, **data: bytes) -> Sighting:
    return Sighting(address, name, -60, {getattr(uuids, key): value for key, value in data.items()}, 0.0)


@pytest.mark.parametrize(
    "seen",
    [
        sighting("a4:c1:38:ab:cd:ef", name="ATC_000000"),
        sighting(ADV_MIBEACON=bytes.fromhex("30585b0501") + UNIT.reversed + b"\x08"),
        sighting(ADV_CUSTOM=UNIT.octets + bytes(7)),
        sighting(ADV_CUSTOM=UNIT.reversed + bytes(9)),
        sighting(ADV_BTHOME2=b"\x42" + UNIT.reversed + b"\x00\x01"),
        sighting(name="ATC_ABCDEF"),
        sighting(name="BTH_abcdef", ADV_BTHOME2=b"\x41" + bytes(12)),
    ],
    ids=["system", "mibeacon", "atc1441", "pvvx", "bthome", "name", "name beside encrypted data"],
)
def test_address_is_found(seen: Sighting) -> None:
    """Every carrier of the address gives the same unit."""
    assert true_address(seen) == UNIT


@pytest.mark.parametrize(
    "seen",
    [
        sighting(),
        sighting(name="LYWSD03MMC"),
        sighting(name="ATC_ABCDE"),
        sighting(ADV_MIBEACON=bytes.fromhex("48585b0501") + bytes(12)),
        sighting(ADV_MIBEACON=bytes.fromhex("30585b0501") + bytes(5)),
        sighting(ADV_CUSTOM=bytes(11)),
    ],
)
def test_no_address_is_invented(seen: Sighting) -> None:
    """Without a carrier the address is unknown."""
    assert true_address(seen) is None
