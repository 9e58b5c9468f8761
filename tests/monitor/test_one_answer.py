"""`scan` and `monitor` tell the same of one and the same advert: one interpreter stands behind both."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import assert_document
from mitherm.beacon.bthome_encode import bthome2, pvvx_kind1
from mitherm.beacon.custom_encode import SensorValues, pvvx_atc1441, pvvx_custom
from mitherm.beacon.keys import BeaconKey
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_battery, mi_climate
from mitherm.cli.app import run
from mitherm.cli.documents.lines import json_line
from mitherm.cli.documents.units import scanned_unit
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.models import MODELS
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench, Stores
from mitherm.ops.gateway.monitor import Monitor
from mitherm.ops.hearing.receiver import Receiver
from mitherm.ops.hearing.scan import scan
from mitherm.primitives.secret import Secret
from mitherm.publish.lines import LineSink
from mitherm.radio.gatt import Radio
from mitherm.radio.stream import SightingStream
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.vault import Vault
from mitherm.virtual.clock import VirtualClockLoop
from monitor.reports import BEGUN, A, ring, sighting

ENVIRONMENT, MIBEACON, BTHOME, QINGPING = 0x181A, 0xFE95, 0xFCD2, 0xFDCD
KEY = bytes(range(16))
M = SensorValues(2137, 4512, 2983, 87)
VALUES = ("temperature_c", "humidity_pct", "battery_pct", "battery_mv")
LISTEN_S = "20"
FRAMES = [
    (int(case["uuid"], 16), bytes.fromhex(case["data"]))
    for path in ("vectors/beacon-frames.json", "vectors_extra/beacon-frames-extra.json")
    for case in json.loads((Path(__file__).parent.parent / path).read_text())["cases"]
    if "uuid" in case
]
NAMES = [
    None,
    "LYWSD03MMC",
    "Kitchen",
    "ATC_Bath",
    *sorted({f"{model.prefix}0A0B0C" for model in MODELS if model.prefix}),
]


class Player:
    """A radio that reports what is given, then nothing."""

    name = "player"
    simulated = True

    def __init__(self, *sightings: Sighting) -> None:
        self._sightings = sightings

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[AsyncIterator[Sighting]]:
        stream = SightingStream()
        for each in self._sightings:
            stream.put(each)
        yield stream


def stores(folder: Path) -> Stores:
    return Stores(Vault(folder / "vault"), Journal(folder / "j"), Inventory(folder / "i.json"), Library(folder / "l"))


def bench_of(stores: Stores, *sightings: Sighting) -> Bench:
    loop = asyncio.get_running_loop()
    radio = cast(Radio, Player(*sightings))
    return Bench(radio, stores, os.urandom, lambda: BEGUN, loop.time, lambda event: None, lambda question: True)


def both(stores: Stores, *sightings: Sighting) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The unit as `scan --json` has it and the last line of `monitor --format jsonl`; None: no unit of ours."""

    async def listen() -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        units = [scanned_unit(unit) for unit in await scan(bench_of(stores, *sightings), 1.0)]
        text = io.StringIO()
        await Monitor(bench_of(stores, *sightings), Receiver(), [LineSink("stdout", text, json_line)]).run(1.0)
        lines = [json.loads(line) for line in text.getvalue().splitlines()]
        assert len(units) <= 1
        return next(iter(units), None), (lines[-1] if lines else None)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(listen())


def facts(document: dict[str, Any]) -> dict[str, Any]:
    """What both documents have, by the same names."""
    reading = document["reading"] or {} if "reading" in document else document
    same = ("address", "model", "firmware", "bound", "rssi_dbm", "beacon_format")
    return {name: document[name] for name in same} | {name: reading.get(name) for name in VALUES}


def agreed(stores: Stores, *sightings: Sighting) -> dict[str, Any]:
    """What both say. Fails where they differ, or where nobody says anything."""
    scanned, told = both(stores, *sightings)
    assert scanned is not None and told is not None
    assert facts(scanned) == facts(told)
    return facts(scanned)


def mi(product: int, objects: bytes = mi_climate(213, 451), **more: Any) -> dict[int, bytes]:
    return {MIBEACON: MiBeacon(product, 7, A, objects=objects, **more).plain()}


PVVX, BTHOME2 = {ENVIRONMENT: pvvx_custom(A, M, 7, 0)}, {BTHOME: bthome2(pvvx_kind1(M), 7)}
ATC1441 = {ENVIRONMENT: pvvx_atc1441(A, M, 7)}
QINGPING_FRAME = {QINGPING: bytes.fromhex("0810") + A.reversed + bytes.fromhex("0104d500c201")}


@pytest.mark.parametrize(
    ("frame", "name", "model", "family"),
    [
        (mi(0x055B), "CGG_0A0B0C", "CGG1", "pvvx"),
        (mi(0x055B), "TH3_0A0B0C", "TH03", "pvvx"),
        (mi(0x055B), "TH1-0A0B0C", "ZBeacon-TH01", "pvvx"),
        (mi(0x055B), "MHO_0A0B0C", None, "pvvx"),
        (mi(0x055B), "ATC_0A0B0C", "LYWSD03MMC", "unknown"),
        (mi(0x055B), "ATC_Bath", "LYWSD03MMC", "unknown"),
        (mi(0x055B), "LYWSD03MMC", "LYWSD03MMC", "stock"),
        (mi(0x055B), None, "LYWSD03MMC", "stock"),
        (mi(0x0B48), "CGG_0A0B0C", "CGG1", "pvvx"),
        (mi(0x0098), "Flower care", None, "unknown"),
        (PVVX, "CGG_0A0B0C", "CGG1", "pvvx"),
        (PVVX, "TH3_0A0B0C", "TH03", "pvvx"),
        (PVVX, "ATC_0A0B0C", "LYWSD03MMC", "pvvx"),
        (PVVX, "Kitchen", None, "pvvx"),
        (BTHOME2, "TH3_0A0B0C", "TH03", "pvvx"),
        (BTHOME2, "ZGV_0A0B0C", "ZG-204ZV", "pvvx"),
        (ATC1441, "ATC_0A0B0C", "LYWSD03MMC", "atc1441"),
        (QINGPING_FRAME, None, "CGDK2", "unknown"),
        (QINGPING_FRAME, "Qingping Temp & RH M", "CGG1", "unknown"),
        ({}, "LYWSD03MMC", "LYWSD03MMC", "unknown"),
        ({}, "ZTH_0A0B0C", None, "unknown"),
    ],
)
def test_model_and_family(
    tmp_path: Path, frame: dict[int, bytes], name: str | None, model: str | None, family: str
) -> None:
    """The product id tells the model, except the one that pvvx sends for all boards without one: there the name does."""
    told = agreed(stores(tmp_path), sighting(0.0, frame, name=name))
    assert (told["model"], told["firmware"]["family"]) == (model, family)


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        ({BTHOME: bthome2([(0x02, b"\x59\x08"), (0x03, b"\x60\xea")], 1)}, (21.37, None, None, None)),
        ({ENVIRONMENT: pvvx_custom(A, SensorValues(2137, 65535, 2983, 87), 7, 0)}, (21.37, None, 87, 2983)),
        ({BTHOME: bthome2([(0x03, b"\x60\xea")], 1)}, (None, None, None, None)),
        ({BTHOME: bthome2([(0x02, b"\x79\x08"), (0x02, b"\xc4\xf0")], 1)}, (21.69, None, None, None)),
        ({BTHOME: bthome2([(0x03, b"\xa0\x11"), (0x03, b"\x60\xea")], 1)}, (None, None, None, None)),
        (mi(0x055B, mi_battery(0)), (None, None, 0, None)),
        (PVVX, (21.37, 45.12, 87, 2983)),
    ],
    ids=[
        "600 % beside a temperature",
        "a broken sensor",
        "600 % alone",
        "two probes",
        "45 % and 600 %",
        "empty cell",
        "usual",
    ],
)
def test_values(tmp_path: Path, frame: dict[int, bytes], values: tuple[float | None, ...]) -> None:
    """What cannot be measured is no reading for anybody; of a repeated quantity both show the first."""
    told = agreed(stores(tmp_path), sighting(0.0, frame, name="ATC_0A0B0C"))
    assert tuple(told[name] for name in VALUES) == values


def test_bound(tmp_path: Path) -> None:
    """An encrypted object is the proof, whether it can be read or not; without one the inventory's word counts."""
    mine = stores(tmp_path)
    locked = MiBeacon(0x055B, 300, A, objects=mi_climate(213, 451)).encrypted(A, BeaconKey(Secret(KEY)))
    idle = sighting(0.0, {MIBEACON: MiBeacon(0x055B, 7, A, 8).plain()}, name="LYWSD03MMC")
    assert agreed(mine, sighting(0.0, {MIBEACON: locked}, name="LYWSD03MMC"))["bound"] is True
    assert agreed(mine, idle)["bound"] is None
    mine.inventory.note(A, now=BEGUN, family=Family.STOCK, version="1.0.0_0130", bound=False)
    told = agreed(mine, idle)
    assert (told["bound"], told["firmware"]) == (False, {"family": "stock", "version": "1.0.0_0130"})
    assert agreed(mine, sighting(0.0, PVVX))["bound"] is None


@pytest.mark.parametrize(
    "frame",
    [
        {MIBEACON: MiBeacon(0x0A8D, 7, A, 8).plain()},
        {MIBEACON: MiBeacon(0x0A8D, 300, A, objects=mi_battery(9)).encrypted(A, BeaconKey(Secret(KEY)))},
        {MIBEACON: b"\x30\x58\x5b"},
        {MIBEACON: bytes.fromhex("01880b8eb6dba54f35e88012ad19c85e2b")},
        {ENVIRONMENT: bytes(16)},
        {0x1234: bytes(13)},
        {},
    ],
    ids=["idle lamp", "locked lock", "cut", "another protocol of Xiaomi", "b-parasite", "something else", "nothing"],
)
def test_strangers_are_nobodys_units(tmp_path: Path, frame: dict[int, bytes]) -> None:
    """Other devices share the service data."""
    assert both(stores(tmp_path), sighting(0.0, frame, name="lamp")) == (None, None)


@pytest.fixture(scope="module")
def inventories(tmp_path_factory: pytest.TempPathFactory) -> list[Stores]:
    """Stores that know nothing, and such that know the sender as each family, with keys."""
    families = (None, Family.STOCK, Family.PVVX, Family.ATC1441, Family.ZBDEVICE)
    found = []
    for family in families:
        mine = stores(tmp_path_factory.mktemp("stores"))
        if family is not None:
            mine.inventory.note(A, now=BEGUN, family=family, version="1.0", model="CGDK2", bound=True)
        found.append(mine)
    return found


@settings(max_examples=400, deadline=None)
@given(data=st.data(), frame=st.sampled_from(FRAMES), name=st.sampled_from(NAMES))
def test_any_advert(inventories: list[Stores], data: st.DataObject, frame: tuple[int, bytes], name: str | None) -> None:
    """Whatever is sent, under whatever name and with whatever the inventory says, both documents agree."""
    mine = inventories[data.draw(st.integers(0, len(inventories) - 1))]
    number, payload = frame
    scanned, told = both(mine, sighting(0.0, {number: payload}, name=name))
    assert (scanned is None) is (told is None)
    assert scanned is None or told is None or facts(scanned) == facts(told)


# --- typed ------------------------------------------------------------------------------------------------------------


class Typed:
    """The two commands over one virtual unit, which was set up first."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], spec: str, *settings: str) -> None:
        self._radio = ("--radio", f"virtual:{folder / 'units'}")
        self._capsys = capsys
        assert run(["virtual", "create", str(folder / "units"), "--unit", f"{spec},address={A}"]) == 0
        if settings:
            assert run([*self._radio, "config", "set", str(A), *settings, "--yes"]) == 0
        capsys.readouterr()

    def scan(self) -> dict[str, Any]:
        assert run([*self._radio, "scan", "--duration", LISTEN_S, "--json"]) == 0
        (unit,) = assert_document(self._capsys.readouterr().out, "scan")["result"]["units"]
        return cast(dict[str, Any], unit)

    def monitor(self) -> dict[str, Any]:
        assert run([*self._radio, "monitor", "--format", "jsonl", "--duration", LISTEN_S]) == 0
        return cast(dict[str, Any], json.loads(self._capsys.readouterr().out.splitlines()[-1]))


def _typed() -> Iterator[tuple[str, tuple[str, ...], str | None, str]]:
    mi_mode, custom_mode = ("advertising_type=2",), ("advertising_type=1",)
    yield "pvvx-5.8,name=CGG_0A0B0C", mi_mode, "CGG1", "pvvx"
    yield "pvvx-5.8,model=TH03", mi_mode, "TH03", "pvvx"
    yield "pvvx-5.8,model=CGG1", mi_mode, "CGG1", "pvvx"
    yield "pvvx-5.8,model=CGG1", custom_mode, "CGG1", "pvvx"
    yield "pvvx-5.8,model=TH03", custom_mode, "TH03", "pvvx"
    yield "pvvx-5.8,model=ZTH01", (), None, "pvvx"
    yield "pvvx-5.8", mi_mode, "LYWSD03MMC", "unknown"
    yield "atc1441", (), "LYWSD03MMC", "atc1441"
    yield "stock-2.1.1_0159,bound=mi-home", (), "LYWSD03MMC", "stock"
    yield "stock-1.0.0_0130", (), "LYWSD03MMC", "stock"


@pytest.mark.parametrize(("spec", "settings", "model", "family"), list(_typed()))
def test_the_commands_agree(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spec: str,
    settings: tuple[str, ...],
    model: str | None,
    family: str,
) -> None:
    """`scan --json` and the last line of `monitor --format jsonl`, for somebody who never met the unit."""
    units = Typed(tmp_path, capsys, spec, *settings)
    monkeypatch.setenv("MITHERM_HOME", str(tmp_path / "somebody else"))
    scanned, told = units.scan(), units.monitor()
    assert (scanned["model"], scanned["firmware"]["family"]) == (model, family)
    assert facts(scanned) == facts(told)
    assert scanned["reading"] is not None or family == "stock"


def test_what_was_read_over_a_connection_goes_before_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`config set` met the unit: it has a name of another model, and is none."""
    units = Typed(tmp_path, capsys, "pvvx-5.8,name=CGG_0A0B0C", "advertising_type=2")
    scanned, told = units.scan(), units.monitor()
    assert (scanned["model"], scanned["firmware"]) == ("LYWSD03MMC", {"family": "pvvx", "version": "5.8"})
    assert facts(scanned) == facts(told)


def test_a_hidden_address_is_told_by_every_default_name() -> None:
    """On systems that hide addresses, a name that custom firmware gives is as good as an address: any prefix there is."""
    prefixes = {model.prefix for model in MODELS if model.prefix is not None}
    assert len(prefixes) == 24
    for prefix in prefixes:
        receiver = Receiver(ring((KEY, A)))
        heard = sighting(0.0, {BTHOME: b"\x41" + bytes(12)}, sender="0A1B2C3D-0000-1111-2222", name=f"{prefix}0A0B0C")
        report = receiver.hear(heard, BEGUN)
        assert report is not None and report.address == Address.parse("A4:C1:38:0A:0B:0C"), prefix
