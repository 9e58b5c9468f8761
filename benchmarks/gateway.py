"""Adverts in, MQTT messages out, with 200 units and a real mosquitto: `python benchmarks/gateway.py [--json]`.

Three loads, each through the whole of `monitor` (receiver, Home Assistant layout, queue on disk, MQTT with QoS 1):
`usual`    every unit adverts every 2.5 s and measures every 10 s, as pvvx firmware does
`tenfold`  ten times that
`flood`    every advert is a new reading, as fast as they are taken
Latency is from the advert to the arrival at a subscriber, which is a process of its own. CPU is that of the gateway's
process, in percent of one core. `floor` is a bare MQTT client that publishes as many messages of that size with QoS 1.
Exit 1: a reading did not arrive, arrived with another value, or was dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mitherm.beacon import BeaconKey
from mitherm.beacon import bthome_encode as bthome
from mitherm.beacon import custom_encode as custom
from mitherm.beacon import mibeacon_encode as mi
from mitherm.beacon.custom_encode import SensorValues
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench, Stores
from mitherm.ops.gateway.monitor import Monitor
from mitherm.ops.hearing.receiver import Receiver
from mitherm.primitives.secret import Secret
from mitherm.publish.broker import Broker as BrokerUrl
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.mqtt import MqttSink
from mitherm.radio.stream import SightingStream
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.vault import Vault
from monitor.broker import HOST, Broker, find_mosquitto, wait_for

UNITS = 200
REPEATS = 4
"""Adverts per reading, the same bytes again."""
USUAL_S, TENFOLD_S, FLOOD_READINGS = 20.0, 10.0, 10_000
FLOOD_WINDOW = 64
KEY = Secret(bytes(range(16)))
FORMATS = ("atc1441", "pvvx-enc", "bthome2-enc", "mibeacon-enc")
_BASE = "-0000-1000-8000-00805f9b34fb"


def address(unit: int) -> Address:
    return Address(bytes.fromhex("a4c138") + unit.to_bytes(3, "big"))


def frame(unit: int, number: int, key: BeaconKey) -> tuple[str, bytes]:
    """Reading `number` of a unit; its temperature in tenths counts up from 0.1 C."""
    where, tenths = address(unit), 1 + number % 600
    measured = SensorValues(10 * tenths, 4500, 3000, 90)
    match FORMATS[unit % len(FORMATS)]:
        case "atc1441":
            return "181a", custom.pvvx_atc1441(where, measured, number % 256)
        case "pvvx-enc":
            return "181a", custom.pvvx_custom_encrypted(where, measured, number % 256, 0, key)
        case "bthome2-enc":
            return "fcd2", bthome.bthome2_encrypted(bthome.pvvx_kind1(measured), number + 100, where, key)
    return "fe95", mi.MiBeacon(
        0x055B, number + 100, where, objects=mi.mi_object(0x1004, struct.pack("<h", tenths))
    ).encrypted(where, key)


class Feeder:
    """A radio whose adverts are made beforehand."""

    name = "feeder"
    simulated = False

    def __init__(self) -> None:
        self.stream = SightingStream()
        self.heard: dict[tuple[str, float], float] = {}

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[AsyncIterator[Sighting]]:
        yield self.stream

    def put(self, unit: int, number: int, kind: str, data: bytes, *, fresh: bool) -> None:
        now = time.monotonic()
        uuid = f"0000{kind}{_BASE}"
        self.stream.put(
            Sighting(
                str(address(unit)), None, -60, {uuid: data}, now, fresh=frozenset({uuid}) if fresh else frozenset()
            )
        )
        if fresh:
            self.heard[address(unit).compact, round(0.1 * (1 + number % 600), 1)] = now


def subscriber(port: int, pipe: Connection) -> None:
    """A process: notes when which temperature of which unit arrived; on request tells all, then forgets."""
    import paho.mqtt.client as paho

    arrived: dict[tuple[str, float], float] = {}

    def take(client: Any, userdata: Any, message: Any) -> None:
        now = time.monotonic()
        state = json.loads(message.payload)
        arrived.setdefault((message.topic.split("/")[1], state["temperature"]), now)

    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = take
    client.on_subscribe = lambda *_: pipe.send("ready")
    client.connect(HOST, port)
    client.subscribe("mitherm/+/state", 1)
    client.loop_start()
    while (asked := pipe.recv()) != "end":
        if asked == "count":
            pipe.send(len(arrived))
        else:
            pipe.send(dict(arrived))
            arrived.clear()


@dataclass
class Load:
    """What a feeder does."""

    name: str
    readings: int
    period_s: float
    """Between adverts of a unit; 0: as fast as they are taken."""

    @property
    def repeats(self) -> int:
        return REPEATS if self.period_s else 1

    @property
    def rounds(self) -> int:
        return self.readings // UNITS


def frames(load: Load) -> list[list[tuple[str, bytes]]]:
    """All frames of a load, made beforehand: by round, by unit."""
    key = BeaconKey(KEY)
    return [[frame(unit, number, key) for unit in range(UNITS)] for number in range(load.rounds)]


async def feed(load: Load, made: list[list[tuple[str, bytes]]], feeder: Feeder, sink: MqttSink) -> None:
    """Adverts on time, evenly spread over the units; a flood waits for nothing but the queue."""
    begun, step_s, sent = time.monotonic(), load.period_s / UNITS, 0
    for number, row in enumerate(made):
        for repeat in range(load.repeats):
            for unit, (kind, data) in enumerate(row):
                feeder.put(unit, number, kind, data, fresh=repeat == 0)
                sent += 1
                if load.period_s:
                    ahead = begun + sent * step_s - time.monotonic()
                    if ahead > 0.002:
                        await asyncio.sleep(ahead)
                elif sent % FLOOD_WINDOW == 0:
                    while sink.sent + 4 * FLOOD_WINDOW < sent:  # noqa: ASYNC110
                        await asyncio.sleep(0.001)


async def run(load: Load, port: int, home: Path, pipe: Connection) -> dict[str, Any]:
    """One load through a fresh monitor. Raises SystemExit where anything is missing or wrong."""
    feeder = Feeder()
    stores = Stores(Vault(home / "vault"), Journal(home / "j"), Inventory(home / "i.json"), Library(home / "l"))
    bench = Bench(
        radio=feeder,  # type: ignore[arg-type]
        stores=stores,
        entropy=os.urandom,
        wall=lambda: datetime.now(UTC),
        clock=asyncio.get_running_loop().time,
        tell=lambda event: print(event, file=sys.stderr),
        ask=lambda question: False,
    )
    broker = BrokerUrl.parse(f"mqtt://{HOST}:{port}")
    sink = MqttSink(broker, [HomeAssistantLayout()], queue_file=home / f"queue-{load.name}")
    monitor = Monitor(bench, Receiver(), [sink])
    made = frames(load)
    running = asyncio.create_task(monitor.run())
    while not sink.connected:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    cpu, begun = _cpu_s(), time.monotonic()
    await feed(load, made, feeder, sink)
    while sink.sent < load.readings or sink.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    cpu, seconds = _cpu_s() - cpu, time.monotonic() - begun
    monitor.stop.set()
    await running
    return _row(load, cpu, seconds, sink, feeder, await asyncio.to_thread(_arrived, pipe, len(feeder.heard)))


def _arrived(pipe: Connection, expected: int) -> dict[tuple[str, float], float]:
    def all_there() -> bool:
        pipe.send("count")
        return bool(pipe.recv() >= expected)

    try:
        wait_for("all messages", all_there, 10)
    finally:
        pipe.send("tell")
        arrived: dict[tuple[str, float], float] = pipe.recv()
    return arrived


def _row(
    load: Load, cpu: float, seconds: float, sink: MqttSink, feeder: Feeder, arrived: dict[tuple[str, float], float]
) -> dict[str, Any]:
    missing = feeder.heard.keys() - arrived.keys()
    if missing or arrived.keys() - feeder.heard.keys() or sink.dropped:
        raise SystemExit(f"wrong: {load.name}: {len(missing)} readings missing, {sink.dropped} dropped")
    latencies = sorted(1000 * (arrived[reading] - at) for reading, at in feeder.heard.items())
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "name": "mitherm",
        "load": load.name,
        "units": UNITS,
        "adverts_per_s": round(load.readings * load.repeats / seconds, 1),
        "messages_per_s": round(sink.sent / seconds, 1),
        "cpu_pct": round(100 * cpu / seconds, 1),
        "cpu_us_per_message": round(1e6 * cpu / sink.sent, 1),
        "latency_p50_ms": round(cuts[49], 2),
        "latency_p95_ms": round(cuts[94], 2),
        "latency_p99_ms": round(cuts[98], 2),
    }


async def floor(port: int) -> dict[str, Any]:
    """The same client, as many messages of that size, nothing else."""
    import aiomqtt

    payload = "x" * 110
    no_delay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with aiomqtt.Client(HOST, port, socket_options=[no_delay]) as client:
        client.pending_calls_threshold = 1000
        cpu, begun = _cpu_s(), time.monotonic()
        for _ in range(FLOOD_READINGS // FLOOD_WINDOW):
            await asyncio.gather(*(client.publish("floor", payload, 1, True) for _ in range(FLOOD_WINDOW)))
        cpu, seconds = _cpu_s() - cpu, time.monotonic() - begun
    count = FLOOD_READINGS // FLOOD_WINDOW * FLOOD_WINDOW
    return {
        "name": "floor",
        "load": "flood",
        "units": UNITS,
        "messages_per_s": round(count / seconds, 1),
        "cpu_pct": round(100 * cpu / seconds, 1),
        "cpu_us_per_message": round(1e6 * cpu / count, 1),
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def loads() -> Iterator[Load]:
    yield Load("usual", round(USUAL_S / (2.5 * REPEATS)) * UNITS, 2.5)
    yield Load("tenfold", round(TENFOLD_S / (0.25 * REPEATS)) * UNITS, 0.25)
    yield Load("flood", FLOOD_READINGS, 0.0)


def rows() -> list[dict[str, Any]]:
    """All loads against one broker."""
    program = find_mosquitto()
    if program is None:
        raise SystemExit("mosquitto is needed: install Debian's package of that name")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        vault = Vault(home / "vault")
        for unit in range(UNITS):
            vault.add(address(unit), MiKeys(bind_key=KEY), "benchmark", datetime.now(UTC), kind="beacon_key")
        broker = Broker(program, home / "broker")
        broker.start()
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=subscriber, args=(broker.port, theirs), daemon=True
        )
        process.start()
        ours.recv()
        try:
            found = [asyncio.run(run(load, broker.port, home, ours)) for load in loads()]
            return [*found, asyncio.run(floor(broker.port))]
        finally:
            ours.send("end")
            process.join(5)
            broker.kill()


def show(found: list[dict[str, Any]]) -> None:
    print(f"{UNITS} units; every reading was received and compared")
    print(
        f"{'':10}{'load':10}{'adverts/s':>11}{'messages/s':>12}{'CPU %':>8}{'us/message':>12}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}"
    )
    for row in found:
        latencies = "".join(f"{row.get(f'latency_{cut}_ms', ''):>9}" for cut in ("p50", "p95", "p99"))
        print(
            f"{row['name']:10}{row['load']:10}{row.get('adverts_per_s', ''):>11}{row['messages_per_s']:>12}"
            f"{row['cpu_pct']:>8}{row['cpu_us_per_message']:>12}{latencies}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    as_json = parser.parse_args().json
    found = rows()
    if as_json:
        print(json.dumps({"rows": found}, indent=1))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
