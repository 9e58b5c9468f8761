"""`mitherm monitor --mqtt` against a real mosquitto: a mixed fleet, deaths of both sides, passwords, TLS."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mitherm.model.address import Address
from mitherm.publish.broker import Broker as BrokerUrl
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.mqtt import InstallRequests, MqttSink, Post
from mitherm.publish.sink import Gateway
from mitherm.publish.topics import Message, PlainLayout
from monitor import fleet
from monitor.broker import Broker, Cable, Listener, wait_for
from monitor.conftest import Program
from monitor.reports import StillGateway, report
from rig import Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

Begin = Callable[..., Program]
Listen = Callable[[Broker], Listener]

FAST = {"advertising_interval": 4, "measure_interval": 4, "adv_interval_delay": 0}
"""A reading every second."""
TEMPERATURES = {
    fleet.BOUND: 20.1,
    fleet.ATC1441: 20.3,
    fleet.PVVX_ATC: 20.4,
    fleet.PVVX_CUSTOM: 20.5,
    fleet.PVVX_MI: 20.6,
    fleet.PVVX_BTHOME: 20.7,
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """The mixed fleet, quick, and old enough for stock firmware to send values."""
    rig = fleet.mixed_fleet(tmp_path_factory.mktemp("fleet"), **FAST)
    rig.run(lambda bench: asyncio.sleep(100))
    return rig


@pytest.fixture
def rig(grown: Rig, tmp_path: Path) -> Rig:
    """A copy of it for one test."""
    mine = copy.copy(grown)
    mine.folder, mine.home = tmp_path / "units", tmp_path / "home"
    shutil.copytree(grown.folder, mine.folder)
    shutil.copytree(grown.home, mine.home)
    return mine


def url(broker: Broker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def topic(address: Address) -> str:
    return f"homeassistant/device/mitherm_{address.compact}/config"


def told(listener: Listener, readings: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those readings of which no state message came."""
    units = {unit for unit, _ in readings}
    seen = {unit: {state["time"] for state in listener.states(unit)} for unit in units}
    return [(unit, time) for unit, time in readings if time not in seen[unit]]


def test_a_mixed_fleet_is_discovered_with_its_values(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """Every unit whose beacons can be read appears with right values; the others do not appear at all."""
    listener = listen(broker)
    running = program(rig, "--mqtt", url(broker), "--format", "jsonl")
    wait_for("states of all", lambda: all(_has(listener, unit, value) for unit, value in TEMPERATURES.items()), 80)
    for address in TEMPERATURES:
        config = json.loads(listener.last(topic(address)) or "null")
        assert config["origin"]["name"] == "mitherm"
        assert config["device"]["connections"] == [["bluetooth", str(address)]]
        state = listener.states(address.compact)[-1]
        assert config["components"].keys() <= state.keys()
        assert listener.last(f"mitherm/{address.compact}/availability") == "online"
    assert json.loads(listener.last(topic(fleet.ATC1441)) or "null")["device"]["name"] == "Bath"
    for address in (fleet.UNBOUND, fleet.WRONG_KEY, fleet.SILENT):
        assert not [one for one, _, _ in listener.messages if address.compact in one]
    keys = {line["address"]: line["key"] for line in running.lines()}
    assert keys[str(fleet.WRONG_KEY)] == "wrong"
    assert str(fleet.SILENT) not in keys
    assert running.stop() == 0
    assert wait_for("farewell", lambda: listener.last("mitherm/bridge/status") == "offline")


def _has(listener: Listener, address: Address, temperature: float) -> bool:
    """Stock firmware sends temperature and humidity a minute apart: either will do."""
    quantity, value = ("humidity", 45.0) if address == fleet.BOUND else ("temperature", temperature)
    return any(state.get(quantity) == value for state in listener.states(address.compact))


def test_a_broker_restart_loses_nothing(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """kill -9 of the broker, readings meanwhile, a new broker without memory: every reading arrives, in order."""
    listener = listen(broker)
    running = program(rig, "--mqtt", url(broker), "--format", "jsonl")
    wait_for("first states", lambda: listener.states(fleet.PVVX_BTHOME.compact))
    broker.kill()
    before = len(running.readings())
    wait_for("readings while the broker is away", lambda: len(running.readings()) >= before + 10)
    running.process.send_signal(signal.SIGSTOP)  # until the listener is there, so that it misses nothing
    listener.subscribed.clear()
    broker.start()
    assert listener.subscribed.wait(20)
    running.process.send_signal(signal.SIGCONT)
    after = len(running.readings())
    wait_for("readings after it", lambda: len(running.readings()) >= after + 5)
    readings = running.readings()
    wait_for("everything", lambda: not told(listener, readings))
    assert running.stop() == 0
    for unit in {unit for unit, _ in readings}:
        times = [state["time"] for state in listener.states(unit)]
        assert [time for index, time in enumerate(times) if time not in times[:index]] == sorted(set(times))
    assert "dropped" not in running.errors


def test_discovery_comes_back_with_the_broker(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """A broker that forgot everything is told everything again."""
    listener = listen(broker)
    program(rig, "--mqtt", url(broker), "--format", "jsonl")
    wait_for("discovery", lambda: listener.last(topic(fleet.PVVX_BTHOME)))
    broker.kill()
    listener.messages.clear()
    broker.start()
    wait_for("discovery again", lambda: listener.last(topic(fleet.PVVX_BTHOME)))
    wait_for("bridge", lambda: listener.last("mitherm/bridge/status") == "online")


def test_death_of_the_program_loses_nothing_that_waits(
    rig: Rig, broker: Broker, listen: Listen, program: Begin
) -> None:
    """kill -9 of mitherm while the broker is away: the next run delivers what waited on disk."""
    first = program(rig, "--mqtt", url(broker), "--format", "jsonl")
    wait_for("first readings", lambda: len(first.readings()) >= 3)
    broker.kill()
    wait_for("the broker is missed", lambda: "mqtt" in first.errors)
    before = len(first.readings())
    wait_for("readings while the broker is away", lambda: len(first.readings()) >= before + 10)
    kept = first.readings()[before:]
    time.sleep(0.5)  # the last one may still be on its way to the disk
    first.process.kill()
    first.process.wait()
    broker.start()
    listener = listen(broker)
    second = program(rig, "--mqtt", url(broker), "--format", "jsonl")
    wait_for("what waited", lambda: not told(listener, kept))
    assert second.stop() == 0


def test_the_last_will_tells_of_a_sudden_death(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """kill -9 of mitherm: the broker says offline."""
    listener = listen(broker)
    running = program(rig, "--mqtt", url(broker))
    wait_for("online", lambda: listener.last("mitherm/bridge/status") == "online")
    running.process.kill()
    wait_for("offline", lambda: listener.last("mitherm/bridge/status") == "offline")
    late = listen(broker)
    wait_for("offline for who comes later", lambda: late.last("mitherm/bridge/status"))
    assert late.last("mitherm/bridge/status") == "offline"


def test_birth_of_home_assistant_is_answered(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """Discovery and states are published again when it says online."""
    listener = listen(broker)
    program(rig, "--mqtt", url(broker))
    wait_for("discovery", lambda: listener.states(fleet.ATC1441.compact))
    listener.messages.clear()
    listener.publish("homeassistant/status", "online")
    wait_for("discovery again", lambda: listener.last(topic(fleet.ATC1441)))
    wait_for("state again", lambda: listener.states(fleet.ATC1441.compact))


def test_another_gateway_with_the_same_topics_may_die(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """Its last will is contradicted by the one that lives."""
    listener = listen(broker)
    program(rig, "--mqtt", url(broker))
    wait_for("online", lambda: listener.last("mitherm/bridge/status") == "online")
    listener.messages.clear()
    listener.publish("mitherm/bridge/status", "offline")
    wait_for("online again", lambda: listener.last("mitherm/bridge/status") == "online")


def test_password_and_tls(rig: Rig, mosquitto: str, tmp_path: Path, listen: Listen, program: Begin) -> None:
    """From a configuration file with a password file; the certificate is checked; nothing leaks."""
    broker = Broker(mosquitto, tmp_path / "tls", password="verysecret", tls=True)
    broker.start()
    try:
        listener = listen(broker)
        (tmp_path / "password").write_text("verysecret\n")
        config = tmp_path / "monitor.toml"
        config.write_text(
            f'[mqtt]\nurl = "mqtts://mitherm@127.0.0.1:{broker.port}/house"\nca_file = "{broker.ca_file}"\n'
            f'password_file = "{tmp_path / "password"}"\nlayout = "plain"\n'
        )
        running = program(rig, "--config", str(config))
        wait_for("a value", lambda: listener.last(f"house/{fleet.ATC1441.compact}/temperature_c") == "20.3")
        assert running.stop() == 0
        assert "verysecret" not in running.errors
        untrusting = program(rig, "--mqtt", f"mqtts://mitherm@127.0.0.1:{broker.port}", "--duration", "2")
        assert untrusting.wait() == 6
    finally:
        broker.kill()


def test_a_wrong_password_ends_it(rig: Rig, mosquitto: str, tmp_path: Path, program: Begin) -> None:
    """Exit 6 at once, and neither message nor traceback shows the password."""
    broker = Broker(mosquitto, tmp_path / "broker", password="verysecret")
    broker.start()
    try:
        running = program(rig, "--mqtt", url(broker).replace("//", "//mitherm:guessed@"), "--json")
        assert running.wait() == 6
        text = running.errors + running.output.read_text()
        assert "refused" in text
        assert "guessed" not in text
    finally:
        broker.kill()


def test_no_broker_at_all(rig: Rig, program: Begin) -> None:
    """With a duration: exit 6 at the end, and the messages wait for the next run."""
    running = program(rig, "--mqtt", "mqtt://127.0.0.1:9", "--duration", "3", "--json")
    assert running.wait() == 6
    lines = running.lines()
    assert lines[-1]["error"]["kind"] == "BrokerUnreachable"
    assert "wait on disk" in lines[-1]["error"]["hint"]


def test_a_unit_is_removed(rig: Rig, broker: Broker, listen: Listen, program: Begin) -> None:
    """Nothing retained is left of it; the others stay."""
    listener = listen(broker)
    running = program(rig, "--mqtt", url(broker))
    wait_for("states", lambda: listener.states(fleet.ATC1441.compact) and listener.states(fleet.PVVX_ATC.compact))
    assert running.stop() == 0
    removing = program(rig, "--mqtt", url(broker), "--remove", str(fleet.ATC1441), "--json")
    assert removing.wait() == 0
    assert json.loads(removing.output.read_text())["result"]["removed"] == [str(fleet.ATC1441)]
    fresh = listen(broker)
    wait_for("the others", lambda: fresh.last(topic(fleet.PVVX_ATC)))
    assert not [one for one, _, _ in fresh.messages if fleet.ATC1441.compact in one]


@asynccontextmanager
async def running(sink: MqttSink, gateway: Gateway | None = None) -> AsyncIterator[None]:
    """A sink that is connected; at the end its feed ends."""
    await sink.open(gateway or StillGateway())
    task = asyncio.create_task(sink.run())
    await asyncio.to_thread(wait_for, "connection", lambda: sink.connected)
    yield
    sink.feed.close()
    await task
    await sink.close()


async def test_a_request_to_install_is_heard(broker: Broker, listen: Listen) -> None:
    """The unit's id comes from the topic. A request that was kept by the broker is not obeyed: it may be a year old, and
    would be made again at every connection."""
    asked: list[str] = []
    gateway = StillGateway()

    def obey(unit: str, post: Post, done: Callable[[], None]) -> None:
        asked.append(unit)
        post([Message(f"progress/{unit}", "begun")])
        done()

    listener = listen(broker)
    listener.publish("mitherm/a4c1380000ff/fw/set", "install", retain=True)
    requests = InstallRequests(HomeAssistantLayout().install_topic(), obey)
    async with running(MqttSink(BrokerUrl.parse(url(broker)), [], requests=requests), gateway):
        listener.publish("mitherm/a4c138000001/fw/set", "install")
        await asyncio.to_thread(wait_for, "the request", lambda: listener.last("progress/a4c138000001") == "begun")
    assert asked == ["a4c138000001"]
    assert gateway.reloads == 1


async def test_who_comes_late_sees_the_values(broker: Broker, listen: Listen) -> None:
    """The plain layout: whoever subscribes when all is over still gets every quantity, and that nobody sends any more."""
    sink = MqttSink(BrokerUrl.parse(url(broker)), [PlainLayout()])
    async with running(sink):
        sink.feed.put(report({"temperature": 21.37, "voltage": 2.983}))
    late = listen(broker)
    expected = {
        "mitherm/a4c1380a0b0c/temperature_c": "21.37",
        "mitherm/a4c1380a0b0c/battery_mv": "2983",
        "mitherm/a4c1380a0b0c/rssi_dbm": "-60",
        "mitherm/a4c1380a0b0c/seen": "2026-01-01T12:00:00.000Z",
        "mitherm/a4c1380a0b0c/availability": "online",
        "mitherm/bridge/status": "offline",
    }
    await asyncio.to_thread(
        wait_for, "what was kept", lambda: expected.keys() <= {topic for topic, *_ in late.messages}
    )
    assert {topic: payload for topic, payload, _ in late.messages} == expected
    assert all(retained for _, _, retained in late.messages)


async def test_a_message_waits_until_the_broker_has_answered(broker: Broker, listen: Listen) -> None:
    """The connection dies between message and answer: the message is still queued, and goes over the next connection."""
    listener = listen(broker)
    topic = "mitherm/a4c1380a0b0c/temperature_c"
    async with Cable(broker) as cable:
        sink = MqttSink(BrokerUrl.parse(f"mqtt://127.0.0.1:{cable.port}"), [PlainLayout()])
        async with running(sink):
            cable.swallows = True
            sink.feed.put(report())
            await asyncio.to_thread(wait_for, "the message is under way", lambda: topic.encode() in cable.swallowed)
            assert sink.waiting
            assert sink.sent == 0
            cable.cut()
            cable.swallows = False
            await asyncio.to_thread(wait_for, "the message", lambda: listener.last(topic) == "21.37")
    assert sink.waiting == 0
