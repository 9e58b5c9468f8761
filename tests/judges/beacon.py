"""Judges of beacon-frames and beacon-sequences: decoding by the contract of beacons.md 9, receiver rules of 8, re-encoding.

Every frame that decodes is encoded again from its fields, but for the NOT_ENCODED, and must give the same bytes or, where
the fields do not tell the bytes (order of objects, ignored ones, reserved bits), a frame with the same fields. Where several
objects mean the same (temperature as 02, 45, 57 or 58), one choice of them must do.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from mitherm.beacon import BeaconKey, DecodeFailure, Reading, advert, bthome_encode, custom_encode, decode, decode_event
from mitherm.beacon.bthome_objects import BUTTON, DIMMER, KINDS, Kind
from mitherm.beacon.custom_encode import SensorValues
from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_object
from mitherm.beacon.tracker import Tracker
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import Flags, MiHeader
from mitherm.primitives.secret import Secret

Judged = Iterator[tuple[str, str | None]]

TOLERANCE: Final = 0.005

_PVVX_V1: Final = {"battery", "temperature", "humidity", "voltage", "power", "opening", "count"}

NOT_ENCODED: Final[dict[str, Callable[[Reading], bool]]] = {
    "Qingping: no virtual unit sends it": lambda reading: reading.format == "qingping",
    "MiBeacon v2/v3 encrypted: Yeelight remotes, and most of the tag is not on the air": lambda reading: (
        reading.mi is not None and reading.mi.version < 4 and reading.mi.encrypted
    ),
    "MiBeacon idle frame with the encryption bit, or with one of the old bits 0 to 2: no unit of ours sends it": lambda reading: (
        reading.mi is not None and (reading.mi.control & 7 != 0 or (reading.mi.encrypted and not reading.mi.has_object))
    ),
    "BTHome v1 with objects that pvvx never sent": lambda reading: (
        reading.format == "bthome1"
        and (bool(reading.unknown or reading.undecoded or reading.mac) or not reading.values.keys() <= _PVVX_V1)
    ),
}
"""What is decoded only, and why. Every other frame that decodes must come out of our encoders again."""

NAMED: Final = {"temperature", "humidity", "battery", "voltage", "packet_id", "counter", "opening", "power", "count"}
"""Quantities that beacons.md 9 names. What 7.1 only describes (lux, kWh, V of gas ...) may be spelled in any way."""


PARTS: Final = ({"event", "steps"}, {"opcode", "arguments"})
"""Values of dimmer and command, in this order; 7.1 does not name the parts."""


def judge_frames(document: dict[str, Any]) -> Judged:
    """One frame per case: decode, compare all fields, encode again."""
    for case in document["cases"]:
        yield case["name"], _frame(case)


def judge_sequences(document: dict[str, Any]) -> Judged:
    """Frames of one unit in time order through a fresh tracker."""
    for case in document["cases"]:
        yield case["name"], _sequence(case)


AREAS = {"beacon-frames": judge_frames, "beacon-sequences": judge_sequences}


def _frame(case: dict[str, Any]) -> str | None:
    address = Address.parse(case["mac"]) if case.get("mac") else None
    key = _key(case.get("bindkey"))
    if "service_data" in case:
        return _pair(case, address, key)
    uuid, data = int(case["uuid"], 16), bytes.fromhex(case["data"])
    found = decode(uuid, data, address, key)
    if "expected_error" in case:
        return None if isinstance(found, DecodeFailure) and found.error == case["expected_error"] else f"got {found}"
    if isinstance(found, DecodeFailure):
        return f"error {found.error}"
    return difference(found.fields(), case["expected"]) or _encoded(found, uuid, data, address, key)


def _pair(case: dict[str, Any], address: Address | None, key: BeaconKey | None) -> str | None:
    """Several service data structures of one advertisement: each by itself, and the advertisement built again."""
    parts = [(int(part["uuid"], 16), bytes.fromhex(part["data"])) for part in case["service_data"]]
    for (uuid, data), expected in zip(parts, case["expected_each"], strict=True):
        found = decode(uuid, data, address, key)
        if isinstance(found, DecodeFailure):
            wrong = None if expected.get("error") == found.error else str(found)
        else:
            wrong = difference(found.fields(), expected) or _encoded(found, uuid, data, address, key)
        if wrong:
            return wrong
    sent = b"".join(advert.service_data_ad(uuid, data) for uuid, data in parts)
    if advert.service_data(sent) != parts:
        return "the AD structures do not survive"
    if sorted(uuid for uuid, _ in parts) != [advert.EVENT_FLAGS, advert.EVENT_COUNT]:
        return None
    event = decode_event(parts)
    if isinstance(event, DecodeFailure):
        return f"the pair: {event.error}"
    again = list(zip((advert.EVENT_FLAGS, advert.EVENT_COUNT), _event(event), strict=True))
    return None if sorted(again) == sorted(parts) else f"encoded {again}"


def _sequence(case: dict[str, Any]) -> str | None:
    key, ring = _key(case.get("bindkey")), KeyRing()
    if key is not None:
        ring.add(key, Address.parse(case["mac"]))
    tracker = Tracker(ring)
    for step in case["steps"]:
        address = Address.parse(step.get("mac", case["mac"]))
        uuid, data = int(step["uuid"], 16), bytes.fromhex(step["data"])
        received = tracker.receive(address, uuid, data, step["t"])
        wrong = None if received.name == step["status"] else f"{received.name} instead of {step['status']}"
        if wrong is None and received.reading is not None:
            wrong = _encoded(received.reading, uuid, data, address, key)
            if "expected" in step:
                wrong = wrong or difference(received.reading.fields(), step["expected"])
        if wrong:
            return f"t={step['t']}: {wrong}"
    return None


def _key(text: str | None) -> BeaconKey | None:
    return None if text is None else BeaconKey(Secret.from_hex(text))


# --- fields -----------------------------------------------------------------------------------------------------------


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """What differs, in either direction; floats within TOLERANCE."""
    wanted = {_ours(name, value, found, expected): value for name, value in expected.items()}
    names = wanted.keys() | found.keys()
    wrong = [
        name
        for name in sorted(names)
        if name not in found or name not in wanted or not _same(found[name], wanted[name])
    ]
    return "; ".join(f"{name}: {found.get(name)!r} instead of {wanted.get(name)!r}" for name in wrong) or None


def _ours(name: str, value: Any, found: dict[str, Any], expected: dict[str, Any]) -> str:
    """The name that we give this quantity: the same, or one of the free ones with the same value."""
    if name in found and _same(found[name], value):
        return name
    free = (other for other in found if other not in NAMED and other not in expected)
    return next((other for other in free if _same(found[other], value)), name)


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list) and not isinstance(found, dict):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and found.keys() in PARTS and isinstance(wanted, dict | list):
        parts = list(wanted.values() if isinstance(wanted, dict) else wanted)
        return len(parts) == len(found) and all(map(_same, found.values(), parts))
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(_same(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, bool) or isinstance(found, bool):
        return bool(found == wanted)
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return abs(found - wanted) < TOLERANCE
    return bool(found == wanted) or _word(found) == _word(wanted)


def _word(value: Any) -> Any:
    """An event in the words of beacons.md 7.1, where `double` and `rotate left` are as good as ours."""
    if not isinstance(value, str):
        return "none" if value is None else value
    word = value.lower().replace(" ", "_").replace("-", "_").removeprefix("rotate_")
    return word if word == "press" else word.removesuffix("_press")


# --- encoding again ---------------------------------------------------------------------------------------------------


def _encoded(reading: Reading, uuid: int, data: bytes, address: Address | None, key: BeaconKey | None) -> str | None:
    sender = reading.address or address
    if any(applies(reading) for applies in NOT_ENCODED.values()) or sender is None:
        return None
    tried = list(_candidates(reading, uuid, len(data), sender, key))
    if not tried and reading.format == "bthome1":
        return None  # a length that the v2 object of this id does not have
    if data in tried or any(_means(candidate, reading, uuid, address, key) for candidate in tried):
        return None
    return f"encoded {[candidate.hex() for candidate in tried[:4]]} instead of {data.hex()}"


def _means(candidate: bytes, reading: Reading, uuid: int, address: Address | None, key: BeaconKey | None) -> bool:
    again = decode(uuid, candidate, address, key)
    return isinstance(again, Reading) and again.fields() == reading.fields()


def _candidates(reading: Reading, uuid: int, length: int, address: Address, key: BeaconKey | None) -> Iterator[bytes]:
    match reading.format:
        case "mibeacon":
            assert reading.mi is not None
            yield from _mibeacon(reading, reading.mi, length, address, key)
        case "bthome1" | "bthome2":
            yield from _bthome(reading, uuid, address, key)
        case "pvvx-event":
            yield from _event(reading)
        case _:
            yield _custom(reading, address, key)


def _custom(reading: Reading, address: Address, key: BeaconKey | None) -> bytes:
    values: dict[str, Any] = dict(reading.values)
    counter = reading.packet_id or 0
    temperature, humidity = round(values["temperature"] * 100), round(values["humidity"] * 100)
    measured = SensorValues(temperature, humidity, round(values.get("voltage", 0) * 1000), values["battery"])
    if reading.format == "atc1441":
        return custom_encode.atc1441_plain(
            address, temperature // 10, values["humidity"], measured.battery_pct, measured.battery_mv, counter
        )
    if reading.format == "atc1441-enc":
        assert key is not None
        # pvvx rounds towards zero: below zero the middle of the step encodes to itself, its end does not.
        measured = replace(measured, temperature_x100=temperature - 25 * (temperature < 0))
        return custom_encode.atc1441_encrypted(address, measured, counter, key, trigger_on=values["trigger_on"])
    flags: Flags = values["flags"]
    if reading.format == "pvvx":
        return custom_encode.pvvx_custom(address, measured, counter, flags.byte)
    assert key is not None
    return custom_encode.pvvx_custom_encrypted(address, measured, counter, flags.byte, key)


def _event(reading: Reading) -> Iterator[bytes]:
    flags, count = reading.values.get("flags"), reading.values.get("count")
    if isinstance(flags, Flags):
        yield bytes((flags.byte,))
    if isinstance(count, int):
        yield custom_encode.event_count(count)


_MI_NUMBERS: Final = {
    "temperature": ((0x1004, "<h", 10), (0x4801, "<f", 1), (0x4C01, "<f", 1)),
    "humidity": ((0x1006, "<H", 10), (0x4802, "B", 1), (0x4C02, "B", 1), (0x4808, "<f", 1), (0x4C08, "<f", 1)),
    "battery": ((0x100A, "B", 1), (0x4803, "B", 1), (0x4C03, "B", 1), (0x5003, "B", 1)),
    "count": ((0x20E1, "<I", 1),),
    "battery_low": ((0x4A01, "?", 1), (0x4E01, "?", 1)),
}


def _mi_objects(reading: Reading) -> Iterator[bytes]:
    """Every way to send these values: several objects mean the same, and 0x100D joins two of them."""
    ways: list[list[bytes]] = []
    values: dict[str, Any] = dict(reading.values)
    if {"temperature", "humidity"} <= values.keys():
        tenths = round(values["temperature"] * 10), round(values["humidity"] * 10)
        climate = struct.pack("<hH", *(min(max(tenth, -(1 << 15)), 0x7FFF) for tenth in tenths))
        rest = Reading(BeaconFormat.MIBEACON, {k: v for k, v in values.items() if k not in ("temperature", "humidity")})
        rest.unknown, rest.undecoded = reading.unknown, reading.undecoded
        for one in _mi_objects(rest):
            yield mi_object(0x100D, climate) + one
    for name, value in values.items():
        if name == "opening":
            ways.append([mi_object(0x1019, bytes((state,))) for state in ((0, 2) if value else (1,))])
        else:
            ways.append([data for way in _MI_NUMBERS[name] if (data := _mi_number(*way, value)) is not None])
    ways += [[mi_object(int(number, 16), data)] for number, data in reading.unknown.items()]
    silent = [b"", *(mi_object(number, bytes((state,))) for number in (0x1019, 0x4C14, 0x5414) for state in range(256))]
    for objects in itertools.product(*ways, silent if not ways else [b""]):
        yield b"".join(objects) + reading.undecoded


def _mi_number(number: int, layout: str, factor: int, value: Any) -> bytes | None:
    """None where the value does not fit."""
    try:
        return mi_object(number, struct.pack(layout, value if layout in ("<f", "?") else round(value * factor)))
    except struct.error:
        return None


def _mibeacon(
    reading: Reading, head: MiHeader, length: int, address: Address, key: BeaconKey | None
) -> Iterator[bytes]:
    """All ways; zero bytes pad the objects to the length of the frame."""
    frame = MiBeacon(
        head.product_id,
        reading.packet_id or 0 if reading.counter is None else reading.counter,
        reading.address,
        head.capability,
        head.io_capability,
        b"",
        head.version,
        head.auth_mode,
        head.registered,
        head.solicited,
    )
    if not head.has_object:
        yield (frame.plain() + reading.undecoded).ljust(length, b"\0")
        return
    room = length - len(frame.plain()) - 7 * reading.authenticated
    padded_or_not = ((way.ljust(room, b"\0"), way) for way in _mi_objects(reading))
    for objects in filter(None, itertools.chain.from_iterable(padded_or_not)):
        full = replace(frame, objects=objects)
        if not reading.authenticated:
            yield full.plain()
        elif key is not None:
            yield full.encrypted(address, key)


def _bthome(reading: Reading, uuid: int, address: Address, key: BeaconKey | None) -> Iterator[bytes]:
    """Every choice of object ids that can carry these values, in the order of appearance."""
    v1 = uuid != advert.BTHOME2
    items = [
        (name, value)
        for name, found in reading.values.items()
        for value in (found if isinstance(found, list) else [found])
    ]
    ways = [[(kind.number, data) for kind in KINDS.values() if kind.name == name and (data := _raw(kind, value)) is not None]
            for name, value in items]  # fmt: skip
    for chosen in itertools.product(*ways):
        if reading.undecoded:
            chosen = (*chosen, (reading.undecoded[0], reading.undecoded[1:]))
        yield from _bthome_frames(reading, list(chosen), v1, address, key)


def _bthome_frames(
    reading: Reading, objects: list[bthome_encode.Object], v1: bool, address: Address, key: BeaconKey | None
) -> Iterator[bytes]:
    if v1 and reading.authenticated:
        assert key is not None
        yield bthome_encode.bthome1_encrypted(objects, reading.counter or 0, address, key)
    elif v1:
        yield bthome_encode.bthome1(objects, reading.packet_id)
    else:
        trigger, mac = bool((reading.bthome or 0) & 4), reading.address
        if reading.authenticated:
            assert key is not None
            objects = objects if reading.packet_id is None else [(0, bytes((reading.packet_id,))), *objects]
            yield bthome_encode.bthome2_encrypted(
                objects, reading.counter or 0, address, key, include_mac=mac is not None, trigger_based=trigger
            )
        else:
            yield bthome_encode.bthome2(objects, reading.packet_id, mac=mac, trigger_based=trigger)


def _raw(kind: Kind, value: Any) -> bytes | None:
    """The data bytes of a value in this kind of object; None when it does not fit."""
    if kind.meaning == "bool":
        return bytes((value,))
    if kind.meaning == "number":
        return _number(kind, value) if isinstance(value, int | float) else None
    match kind.name:
        case "button":
            return bytes((next((number for number, name in BUTTON.items() if name == value), value),))
        case "dimmer":
            event = next((number for number, name in DIMMER.items() if name == value["event"]), value["event"])
            return bytes((event, value["steps"]))
        case "firmware":
            parts = bytes(int(part) for part in reversed(value.split(".")))
            return parts if len(parts) == kind.length else None
        case "command":
            arguments = bytes.fromhex(value["arguments"])
            return bytes((len(arguments), value["opcode"])) + arguments
        case "text" | "raw":
            content: bytes = value.encode() if kind.name == "text" else bytes.fromhex(value)
            return bytes((len(content),)) + content
    return None


def _number(kind: Kind, value: Any) -> bytes | None:
    scaled: int = round(value * (kind.divisor or 1))
    steps, rest = divmod(scaled, 35) if kind.number == 0x58 else (scaled, 0)
    for signed in (False, True):
        try:
            data = steps.to_bytes(kind.length, "little", signed=signed)
        except OverflowError:
            continue
        back = kind.unpack(data, 0)[0]
        if not rest and (back / kind.divisor if kind.divisor else back) == value:
            return data
    return None
