"""Frames decoded per second, ours beside other decoders: `python benchmarks/decode.py [--json]`.

One process, all decoders interleaved, medians of ROUNDS; inputs are prepared outside the timing in the form each decoder
wants. Before anything is timed every decoder must give our temperature, humidity and battery for every frame; a peer that
does not is named and not timed.
`floor` is the least a Python decoder can do: one function call with one AES-CCM call (encrypted formats) and one unpack,
giving a dict; no check, no dispatch. Exit 1: our reading is not the floor's, or a pure Python peer is less than GOAL times slower.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from mitherm.beacon import BeaconKey, Reading, advert, decode
from mitherm.beacon import bthome_encode as bthome
from mitherm.beacon import custom_encode as custom
from mitherm.beacon import mibeacon_encode as mi
from mitherm.beacon.custom_encode import SensorValues
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

ROUNDS = 9
SLICE_S = 0.02
GOAL = 4.0
PURE_PYTHON = ("xiaomi-ble", "bthome-ble", "atc-mi-interface")

MAC = Address.parse("A4:C1:38:56:53:84")
RAW_KEY = bytes.fromhex("b9ea895fac7eea6d30532432a516f3a3")
KEY = BeaconKey(Secret(RAW_KEY))
CCM = AESCCM(RAW_KEY, 4)

Values = dict[str, Any]
Run = Callable[[], None]


@dataclass(frozen=True)
class Format:
    """A format with frames of different content; `sketch` is its floor."""

    name: str
    uuid: int
    frames: Sequence[bytes]
    sketch: Callable[[bytes], Values]


@dataclass(frozen=True)
class Contender:
    """A decoder with its prepared inputs; `values` gives what it makes of one of them."""

    name: str
    inputs: Sequence[Any]
    run: Callable[[Any], Any]
    values: Callable[[Any], Values]


# --- frames and their cost floors --------------------------------------------------------------------------------------


def measured(number: int) -> SensorValues:
    """Values that change from frame to frame and survive every format's resolution."""
    return SensorValues(2100 + 50 * (number % 8), 5000 + 50 * 2 * (number % 4), 2900 + number, 60 + number % 40)


def _unpack(layout: str) -> Callable[[bytes], tuple[Any, ...]]:
    return struct.Struct(layout).unpack


_ATC, _PVVX, _PVVX_SECRET = _unpack(">6shBBHB"), _unpack("<6shHHBBB"), _unpack("<hHBB")
_MI, _MI_SECRET = _unpack("<HHB6sHBhH"), _unpack("<HBh")
_V2, _V2_SECRET, _V1, _THREE = _unpack("<xBBBBBhBH"), _unpack("<BBBhBH"), _unpack("<BBBBBBBBhBBH"), _unpack("BBB")


def _climate(temperature: float, humidity: float, battery: int) -> Values:
    return {"temperature": temperature, "humidity": humidity, "battery": battery}


def _atc1441(data: bytes) -> Values:
    mac, temperature, humidity, battery, millivolts, counter = _ATC(data)
    return {
        "temperature": temperature / 10, "humidity": humidity, "battery": battery, "voltage": millivolts / 1000,
        "mac": mac, "packet_id": counter,
    }  # fmt: skip


def _pvvx(data: bytes) -> Values:
    mac, temperature, humidity, millivolts, battery, counter, flags = _PVVX(data)
    return {
        "temperature": temperature / 100, "humidity": humidity / 100, "battery": battery, "voltage": millivolts / 1000,
        "mac": mac, "packet_id": counter, "flags": flags,
    }  # fmt: skip


def _atc1441_enc(data: bytes) -> Values:
    plain = CCM.decrypt(_REVERSED + b"\x0b\x16\x1a\x18" + data[:1], data[1:], b"\x11")
    temperature, humidity, battery = _THREE(plain)
    return _climate(temperature / 2 - 40, humidity / 2, battery & 0x7F)


def _pvvx_enc(data: bytes) -> Values:
    plain = CCM.decrypt(_REVERSED + b"\x0e\x16\x1a\x18" + data[:1], data[1:], b"\x11")
    temperature, humidity, battery, _ = _PVVX_SECRET(plain)
    return _climate(temperature / 100, humidity / 100, battery)


def _mibeacon(data: bytes) -> Values:
    control, product, counter, mac, _, _, temperature, humidity = _MI(data)
    return {
        "temperature": temperature / 10, "humidity": humidity / 10,
        "control": control, "product_id": product, "packet_id": counter, "mac": mac,
    }  # fmt: skip


def _mibeacon_enc(data: bytes) -> Values:
    plain = CCM.decrypt(data[5:11] + data[2:5] + data[-7:-4], data[11:-7] + data[-4:], b"\x11")
    return {"temperature": _MI_SECRET(plain)[2] / 10}


def _bthome2(data: bytes) -> Values:
    _, packet_id, _, battery, _, temperature, _, humidity = _V2(data)
    return {"packet_id": packet_id} | _climate(temperature / 100, humidity / 100, battery)


def _bthome2_enc(data: bytes) -> Values:
    plain = CCM.decrypt(MAC.octets + b"\xd2\xfc" + data[:1] + data[-8:-4], data[1:-8] + data[-4:], None)
    _, battery, _, temperature, _, humidity = _V2_SECRET(plain)
    return _climate(temperature / 100, humidity / 100, battery)


def _bthome1(data: bytes) -> Values:
    _, _, packet_id, _, _, battery, _, _, temperature, _, _, humidity = _V1(data)
    return {"packet_id": packet_id} | _climate(temperature / 100, humidity / 100, battery)


_REVERSED = MAC.reversed


def formats() -> list[Format]:
    """256 frames of plain formats, so that packet ids run through; 99 encrypted, so that counters may restart."""
    every, counted = [(n, measured(n)) for n in range(256)], [(n, measured(n)) for n in range(1, 100)]
    kind1 = bthome.pvvx_kind1
    return [
        Format("atc1441", 0x181A, [custom.pvvx_atc1441(MAC, m, n) for n, m in every], _atc1441),
        Format("atc1441-enc", 0x181A, [custom.atc1441_encrypted(MAC, m, n, KEY) for n, m in counted], _atc1441_enc),
        Format("pvvx", 0x181A, [custom.pvvx_custom(MAC, m, n, 5) for n, m in every], _pvvx),
        Format("pvvx-enc", 0x181A, [custom.pvvx_custom_encrypted(MAC, m, n, 5, KEY) for n, m in counted], _pvvx_enc),
        Format(
            "mibeacon",
            0xFE95,
            [
                mi.MiBeacon(
                    0x055B, n, MAC, objects=mi.mi_climate(m.temperature_x100 // 10, m.humidity_x100 // 10)
                ).plain()
                for n, m in every
            ],
            _mibeacon,
        ),
        Format(
            "mibeacon-enc",
            0xFE95,
            [
                mi.MiBeacon(0x055B, n, MAC, objects=mi.mi_temperature(m.temperature_x100 // 10)).encrypted(MAC, KEY)
                for n, m in counted
            ],
            _mibeacon_enc,
        ),
        Format("bthome2", 0xFCD2, [bthome.bthome2(kind1(m), n) for n, m in every], _bthome2),
        Format(
            "bthome2-enc", 0xFCD2, [bthome.bthome2_encrypted(kind1(m), n, MAC, KEY) for n, m in counted], _bthome2_enc
        ),
        Format("bthome1", 0x181C, [bthome.bthome1(kind1(m), n) for n, m in every], _bthome1),
    ]


# --- contenders --------------------------------------------------------------------------------------------------------


def ours(kind: Format) -> Contender:
    """mitherm through its public door."""
    uuid = kind.uuid

    def values(data: bytes) -> Values:
        found = decode(uuid, data, MAC, KEY)
        assert isinstance(found, Reading), found
        return found.values

    return Contender("mitherm", kind.frames, lambda data: decode(uuid, data, MAC, KEY), values)


def home_assistant(kind: Format) -> Contender | None:
    """xiaomi-ble and bthome-ble, one parser object per unit as Home Assistant has it."""
    try:
        from bthome_ble import BTHomeBluetoothDeviceData
        from home_assistant_bluetooth import BluetoothServiceInfo
        from xiaomi_ble import XiaomiBluetoothDeviceData
    except ImportError:
        return None
    if kind.uuid == advert.ENVIRONMENT:
        return None

    class Info(BluetoothServiceInfo):
        time = 0.0

    logging.disable(logging.CRITICAL)
    name, maker = (
        ("xiaomi-ble", XiaomiBluetoothDeviceData)
        if kind.uuid == advert.MIBEACON
        else ("bthome-ble", BTHomeBluetoothDeviceData)
    )
    encrypted = kind.name.endswith("-enc")
    parser = maker(bindkey=RAW_KEY if encrypted else None)
    uuid = f"{kind.uuid:08x}-0000-1000-8000-00805f9b34fb"
    inputs = [Info("ATC_565384", str(MAC), -60, {}, {uuid: data}, [], "") for data in kind.frames]

    def values(info: Any) -> Values:
        fresh = maker(bindkey=RAW_KEY if encrypted else None).update(info)
        return {key.key: value.native_value for key, value in fresh.entity_values.items()}

    return Contender(name, inputs, parser.update, values)


def theengs(kind: Format) -> Contender | None:
    """Theengs decoder (C++), from and to JSON; decrypts nothing and does not know pvvx' MiBeacon nor BTHome v1."""
    try:
        from TheengsDecoder import decodeBLE
    except ImportError:
        return None
    if kind.name not in ("atc1441", "pvvx", "bthome2"):
        return None
    head = {"id": str(MAC), "name": "ATC_565384", "rssi": -60, "servicedatauuid": f"{kind.uuid:04x}"}
    inputs = [json.dumps(head | {"servicedata": data.hex()}) for data in kind.frames]

    def values(text: str) -> Values:
        found = json.loads(decodeBLE(text))
        return {"temperature": found["tempc"], "humidity": found["hum"], "battery": found["batt"]}

    return Contender("theengsdecoder", inputs, decodeBLE, values)


_ATC_MI = {
    "atc1441": "atc1441_format",
    "atc1441-enc": "atc1441_enc_format",
    "pvvx": "custom_format",
    "pvvx-enc": "custom_enc_format",
    "mibeacon": "mi_like_format",
    "mibeacon-enc": "mi_like_format",
    "bthome2": "bt_home_v2_format",
    "bthome2-enc": "bt_home_v2_format",
    "bthome1": "bt_home_format",
}


def atc_mi(kind: Format) -> Contender | None:
    """atc-mi-interface, told the format beforehand."""
    try:
        import atc_mi_interface
    except ImportError:
        return None
    layout = getattr(atc_mi_interface, _ATC_MI[kind.name])
    inputs = [advert.service_data_ad(kind.uuid, data) for data in kind.frames]

    def run(data: bytes) -> Any:
        return layout.parse(data, mac_address=MAC.octets, bindkey=RAW_KEY)

    return Contender("atc-mi-interface", inputs, run, lambda data: _flat(run(data)))


_WORDS = {"temperature": "temperature", "humidity": "humidity", "battery_level": "battery"}


def _flat(container: Any) -> Values:
    """The three values, wherever a construct container holds them."""
    found: Values = {}
    for name, value in container.items() if hasattr(container, "items") else enumerate(container):
        if name in _WORDS and isinstance(value, int | float):
            found[_WORDS[name]] = value
        elif hasattr(value, "items") or (isinstance(value, list) and value):
            found |= _flat(value)
    return found


def contenders(kind: Format) -> list[Contender]:
    """Whoever can be imported and claims the format, us and the floor first."""
    floor = Contender("floor", kind.frames, kind.sketch, kind.sketch)
    peers = (home_assistant(kind), theengs(kind), atc_mi(kind))
    return [ours(kind), floor, *(peer for peer in peers if peer is not None)]


# --- checking and timing -----------------------------------------------------------------------------------------------


def differences(kind: Format, rivals: list[Contender]) -> dict[str, str]:
    """Contender to the first reading that is not ours; only values that both report are compared."""
    wrong: dict[str, str] = {}
    for rival in rivals[1:]:
        for data, given in zip(kind.frames, rival.inputs, strict=True):
            mine, theirs = rivals[0].values(data), rival.values(given)
            shared = [name for name in ("temperature", "humidity", "battery") if name in mine and name in theirs]
            if not shared or any(abs(mine[name] - theirs[name]) > 0.005 for name in shared):
                wrong[rival.name] = f"{data.hex()}: {theirs} instead of {mine}"
                break
    return wrong


def timed(rival: Contender, repeat: int) -> float:
    """Frames per second over `repeat` passes."""
    run, inputs = rival.run, rival.inputs
    begun = time.perf_counter()
    for _ in range(repeat):
        for given in inputs:
            run(given)
    return repeat * len(inputs) / (time.perf_counter() - begun)


def race(rivals: list[Contender]) -> dict[str, float]:
    """Median frames per second, interleaved."""
    repeats = [max(1, round(timed(rival, 1) * SLICE_S / len(rival.inputs))) for rival in rivals]
    laps = [[timed(rival, repeat) for rival, repeat in zip(rivals, repeats, strict=True)] for _ in range(ROUNDS)]
    return {
        rival.name: statistics.median(column) for rival, column in zip(rivals, zip(*laps, strict=True), strict=True)
    }


def show(rows: list[Values], skipped: list[Values]) -> None:
    """The same for people."""
    print(f"{'format':14}{'decoder':18}{'frames/s':>12}{'mitherm is':>14}")
    for row in rows:
        speed = next(r["frames_per_s"] for r in rows if r["format"] == row["format"] and r["name"] == "mitherm")
        print(f"{row['format']:14}{row['name']:18}{row['frames_per_s']:12,}{speed / row['frames_per_s']:12.2f} x")
    for row in skipped:
        print(f"not timed: {row['name']}, {row['format']}: {row['reason']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    as_json = parser.parse_args().json
    rows: list[Values] = []
    skipped: list[Values] = []
    problems: list[str] = []
    for kind in formats():
        rivals = contenders(kind)
        wrong = differences(kind, rivals)
        if "floor" in wrong:
            problems.append(f"{kind.name}: readings differ: {wrong['floor']}")
        speeds = race([rival for rival in rivals if rival.name not in wrong])
        rows += [{"name": name, "format": kind.name, "frames_per_s": round(speed)} for name, speed in speeds.items()]
        skipped += [{"name": name, "format": kind.name, "reason": f"wrong: {text}"} for name, text in wrong.items()]
        slow = [name for name in PURE_PYTHON if name in speeds and speeds["mitherm"] < GOAL * speeds[name]]
        problems += [f"{kind.name}: less than {GOAL} times {name}" for name in slow]
    if as_json:
        print(json.dumps({"rows": rows, "skipped": skipped}, indent=1))
    else:
        show(rows, skipped)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
