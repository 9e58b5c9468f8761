"""Our readings against those of xiaomi-ble and bthome-ble; every difference is named here."""

import random
import struct
from datetime import datetime
from typing import Any

import pytest
from oracles import bthome, xiaomi

from mitherm.beacon import BeaconKey, Reading, decode
from mitherm.beacon.bthome_encode import bthome1, bthome1_encrypted, bthome2, bthome2_encrypted
from mitherm.beacon.bthome_objects import KINDS, Kind
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_object
from mitherm.beacon.mibeacon_objects import NUMBERS, OTHERS
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

ADDRESS = Address.parse("A4:C1:38:56:53:84")
RAW_KEY = bytes.fromhex("b9ea895fac7eea6d30532432a516f3a3")
KEY = BeaconKey(Secret(RAW_KEY))
ROUNDS = 20
LENGTHS = {number: entry[0] for number, entry in (NUMBERS | OTHERS).items()}

PRODUCTS = (0x055B, 0x0387, 0x0347, 0x0B48, 0x066F, 0x2832, 0x4C47, 0x5BEA, 0x16E4, 0x2542, 0x045B, 0x01AA, 0x0576)
WHOLE_PERCENT = (0x055B, 0x0387)
"""xiaomi-ble cuts the humidity of these to whole percents (beacons.md 9); we keep the tenths."""
LOW_BATTERY = (0x4A01, 0x4E01)
"""xiaomi-ble calls the binary sensor `battery` and keeps the raw byte."""
OURS_ONLY = (0x20E1, 0x4C14, 0x5414)
"""pvvx's counter, unknown to xiaomi-ble; modes, which it reports for other products and we ignore."""


def _values(uuid: int, data: bytes, key: BeaconKey | None = None) -> dict[str, Any]:
    reading = decode(uuid, data, ADDRESS, key)
    assert isinstance(reading, Reading)
    return reading.values


def _like_xiaomi(values: dict[str, Any], product: int, number: int) -> dict[str, Any]:
    values = dict(values)
    if number == 0x1006 and product in WHOLE_PERCENT:
        values["humidity"] = int(values["humidity"])
    return values


def _body(number: int, length: int, dice: random.Random) -> bytes:
    """Data that make sense for this object."""
    if number in (0x4801, 0x4C01, 0x4808, 0x4C08):
        return struct.pack("<f", dice.randrange(-400, 1000) / 10)
    if number == 0x1019:
        return bytes((dice.randrange(3),))
    return bytes((dice.randrange(101),)) if length == 1 else dice.randbytes(length)


@pytest.mark.parametrize("number", [number for number in LENGTHS if number not in OURS_ONLY], ids=hex)
@pytest.mark.parametrize("encrypted", [False, True])
def test_mibeacon_objects_read_like_xiaomi_ble(number: int, encrypted: bool) -> None:
    """Each object, of each product, plain and encrypted, gives the values xiaomi-ble gives."""
    dice = random.Random(number)
    for product in PRODUCTS:
        frame = MiBeacon(
            product,
            dice.randrange(1 << 32),
            ADDRESS if dice.random() < 0.5 else None,
            objects=mi_object(number, _body(number, LENGTHS[number], dice)),
        )
        data = frame.encrypted(ADDRESS, KEY) if encrypted else frame.plain()
        ours = _like_xiaomi(_values(0xFE95, data, KEY), product, number)
        theirs = xiaomi(str(ADDRESS), data, RAW_KEY)
        if number in LOW_BATTERY:
            ours = {"battery": ours["battery_low"]}
            theirs = {"battery": bool(theirs["battery"])}
        if "battery" in ours and number not in LOW_BATTERY:
            theirs.pop("voltage", None)  # made up from the percentage (beacons.md 9)
        theirs = {str(name): value for name, value in theirs.items() if name != "door_left_open"}
        assert ours == pytest.approx(theirs, rel=1e-6)  # they report float32 with all its digits


RENAMED = {
    "mass_kg": "mass",
    "mass_lb": "mass",
    "power_w": "power",
    "co2": "carbon_dioxide",
    "tvoc": "volatile_organic_compounds",
    "soil_moisture": "moisture",
    "battery_low": "battery",
    "charging": "battery_charging",
    "co": "carbon_monoxide",
    "distance_mm": "distance",
    "distance_m": "distance",
    "volume_l": "volume",
    "volume_ml": "volume",
    "gas_m3": "gas",
    "water_l": "water",
    "volume_storage_l": "volume_storage",
}
"""bthome-ble uses one name for quantities of different unit or kind; in our flat values each needs its own."""


def _like_bthome(values: dict[str, Any]) -> dict[str, Any]:
    """Our values in bthome-ble's words."""
    renamed = {RENAMED.get(name, name): value for name, value in values.items()}
    if "dimmer" in renamed:
        renamed["dimmer"] = renamed["dimmer"]["event"]
    return {name: value for name, value in renamed.items() if value is not None}  # no event: it says nothing


def _theirs(values: dict[str, Any]) -> dict[str, Any]:
    plain = {str(getattr(name, "value", name)): value for name, value in values.items() if name != "packet_id"}
    return {name: value.timestamp() if isinstance(value, datetime) else value for name, value in plain.items()}


def _data(kind: Kind, dice: random.Random) -> bytes:
    match kind.name:
        case "text" | "raw":
            return b"\x04" + bytes(dice.choices(b"abcxyz", k=4))
        case "button":
            return bytes((dice.choice([0, 1, 2, 3, 4, 5, 6, 0x80, 0x81]),))
        case "dimmer":
            return bytes((dice.randrange(3), dice.randrange(9)))
    return bytes((dice.randrange(2),)) if kind.meaning == "bool" else dice.randbytes(kind.length)


NO_SENSOR = ("device_type_id", "firmware", "command")
"""bthome-ble keeps the first two as device data; commands it reports by name for five opcodes only."""
BTHOME = [kind for kind in KINDS.values() if kind.name not in NO_SENSOR]


@pytest.mark.parametrize("kind", BTHOME, ids=lambda kind: f"{kind.number:02x}")
def test_bthome2_objects_read_like_bthome_ble(kind: Kind) -> None:
    """Each object alone gives bthome-ble's value."""
    dice = random.Random(kind.number)
    for _ in range(ROUNDS):
        data = bthome2([(kind.number, _data(kind, dice))])
        ours, theirs = _like_bthome(_values(0xFCD2, data)), _theirs(bthome(str(ADDRESS), 0xFCD2, data))
        if kind.number == 0x58:  # steps of 0.35: bthome-ble rounds to tenths
            assert ours["temperature"] == pytest.approx(theirs["temperature"], abs=0.0501)
        else:
            assert ours == theirs


def test_bthome_frames_read_like_bthome_ble() -> None:
    """Random sets of objects, v1 and v2, plain and encrypted, give all of bthome-ble's values."""
    dice = random.Random(7)
    plain_kinds = [kind for kind in BTHOME if kind.number and kind.number != 0x58 and kind.meaning != "other"]
    for _ in range(300):
        names: dict[str, Kind] = {RENAMED.get(kind.name, kind.name): kind for kind in dice.sample(plain_kinds, 5)}
        chosen = sorted(names.values(), key=lambda kind: kind.number)
        objects = [(kind.number, _data(kind, dice)) for kind in chosen]
        v1 = [(0x02, dice.randbytes(2)), (0x03, dice.randbytes(2))]  # one object alone is too short for bthome-ble
        v1 += [(number, data) for number, data in objects if number in (0x01, 0x0C, 0x10, 0x11)]
        counter = dice.randrange(1 << 32)
        frames = [
            (0xFCD2, bthome2(objects, 7), None),
            (0xFCD2, bthome2_encrypted(objects, counter, ADDRESS, KEY, include_mac=True, trigger_based=True), RAW_KEY),
            (0x181C, bthome1(v1, 7), None),
            (0x181E, bthome1_encrypted(v1, counter, ADDRESS, KEY), RAW_KEY),
        ]
        for uuid, data, key in frames:  # with a key, bthome-ble calls plain frames a downgrade
            theirs = _theirs(bthome(str(ADDRESS), uuid, data, key))
            assert _like_bthome(_values(uuid, data, KEY)) == theirs
