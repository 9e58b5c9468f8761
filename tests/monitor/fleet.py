"""A mixed fleet of virtual units: every firmware, four formats of pvvx, right keys, a wrong key, none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret
from mitherm.protocol.pvvx.config import Config
from mitherm.protocol.uuids import CUSTOM_COMMAND
from mitherm.virtual.unit import Unit
from rig import Rig

KEY: Final = bytes.fromhex("00112233445566778899aabbccddeeff")
UNKNOWN: Final = bytes.fromhex("aa112233445566778899aabbccddeeff")
WRONG: Final = bytes.fromhex("ff112233445566778899aabbccddeeff")

BOUND = Address.parse("A4:C1:38:00:00:01")
UNBOUND = Address.parse("A4:C1:38:00:00:02")
ATC1441 = Address.parse("A4:C1:38:00:00:03")
PVVX_ATC = Address.parse("A4:C1:38:00:00:04")
PVVX_CUSTOM = Address.parse("A4:C1:38:00:00:05")
PVVX_MI = Address.parse("A4:C1:38:00:00:06")
PVVX_BTHOME = Address.parse("A4:C1:38:00:00:07")
WRONG_KEY = Address.parse("A4:C1:38:00:00:08")
SILENT = Address.parse("A4:C1:38:00:00:09")

READABLE: Final = (BOUND, ATC1441, PVVX_ATC, PVVX_CUSTOM, PVVX_MI, PVVX_BTHOME)
_ADVERTISING: Final = {PVVX_ATC: (0, 0), PVVX_CUSTOM: (1, 1), PVVX_MI: (2, 1), PVVX_BTHOME: (3, 0), WRONG_KEY: (3, 1)}
"""Advertising type and encryption."""


def mixed_fleet(folder: Path, **more: int) -> Rig:
    """Nine units; the last one is out of range. The vault knows the keys, one of them wrongly.

    `more` are raw values of the pvvx configuration.
    """
    rig = Rig(
        folder,
        "stock-2.1.1_0159,bound=mi-home,temperature_c=20.1",
        "stock-1.0.0_0109,temperature_c=20.2",
        "atc1441,temperature_c=20.3",
        *(f"pvvx-5.8,temperature_c=20.{number}" for number in (4, 5, 6, 7, 8, 9)),
    )
    for address, how in _ADVERTISING.items():
        key = UNKNOWN if address == WRONG_KEY else KEY
        rig.world(lambda world, address=address, how=how, key=key: _advertise(world.find(address), how, key, more))
    rig.world(lambda world: setattr(world.find(SILENT), "rssi_dbm", None))
    own = rig.keys[BOUND]
    assert own is not None
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rig.stores.vault.add(BOUND, own, "test", now)
    rig.stores.vault.add(PVVX_CUSTOM, MiKeys(bind_key=Secret(KEY)), "test", now, kind="beacon_key")
    rig.stores.vault.add(PVVX_MI, MiKeys(bind_key=Secret(KEY)), "test", now, kind="beacon_key")
    rig.stores.vault.add(WRONG_KEY, MiKeys(bind_key=Secret(WRONG)), "test", now, kind="beacon_key")
    rig.stores.inventory.set_name(ATC1441, "Bath")
    return rig


def _advertise(unit: Unit, how: tuple[int, int], key: bytes, more: dict[str, int]) -> None:
    """Set type, encryption and key over a link, as a client does."""
    unit.connect(1.0)
    raw, _ = unit.read(1.0, CUSTOM_COMMAND)
    config = Config.from_bytes(raw).changed({"advertising_type": how[0], "adv_crypto": how[1], **more})
    unit.write(1.0, CUSTOM_COMMAND, config.to_bytes())
    unit.write(1.1, CUSTOM_COMMAND, b"\x18" + key)
    unit.disconnect(1.5)
