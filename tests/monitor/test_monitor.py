"""Listening as a whole, on simulated time: right values from a mixed fleet, silence, sinks that fail, the command."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from helpers import assert_document, assert_fits
from mitherm.cli.app import run
from mitherm.cli.documents.lines import report as document
from mitherm.errors import BrokerUnreachable, RadioUnavailable, SettingsError, UsageProblem
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.report import Report
from mitherm.ops.bench import Bench
from mitherm.ops.gateway.config import LayoutChoice, MonitorConfig, MqttConfig, UnitConfig
from mitherm.ops.gateway.install import Installer, latest_version
from mitherm.ops.gateway.monitor import Monitor
from mitherm.ops.gateway.service import Notifier
from mitherm.ops.gateway.sinks import monitor
from mitherm.ops.hearing.receiver import Receiver
from mitherm.ops.info import info
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.sink import Feed, Gateway, Sink
from monitor import fleet
from monitor.reports import report
from rig import UNIT, Rig

TRUE = {
    fleet.BOUND: (20.1, 45.0),
    fleet.ATC1441: (20.3, 45),
    fleet.PVVX_ATC: (20.4, 45),
    fleet.PVVX_CUSTOM: (20.5, 45.0),
    fleet.PVVX_MI: (20.6, 45.0),
    fleet.PVVX_BTHOME: (20.7, 45.0),
}


class Keeper(Sink):
    """Keeps every report."""

    def __init__(self) -> None:
        super().__init__("keeper")
        self.reports: list[Report] = []

    async def run(self) -> None:
        while batch := await self.feed.batch():
            self.reports += batch
            self.sent += len(batch)


class Sleeper(Sink):
    """Never reads."""

    def __init__(self) -> None:
        super().__init__("sleeper")
        self.feed = Feed(limit=10)

    async def run(self) -> None:
        await asyncio.Event().wait()


class Patient(Keeper):
    """Fails at first, as a server does that is not up yet."""

    failures = 2

    async def run(self) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerUnreachable("not yet")
        self.problem = None
        await super().run()


def monitored(
    rig: Rig, duration_s: float, *sinks: Sink, act: Callable[[Bench, Monitor], Awaitable[None]] | None = None
) -> Monitor:
    """Listen for some simulated time."""

    async def work(bench: Bench) -> Monitor:
        monitor = Monitor(bench, Receiver(), sinks)
        helper = asyncio.create_task(act(bench, monitor)) if act is not None else None  # type: ignore[arg-type]
        await monitor.run(duration_s)
        if helper is not None:
            await helper
        return monitor

    return rig.run(work)


def test_a_mixed_fleet_for_half_an_hour(tmp_path: Path) -> None:
    """Every value told is true, every readable unit tells both, the others say why not."""
    keeper = Keeper()
    monitored(fleet.mixed_fleet(tmp_path), 1800, keeper)
    for address, (temperature, humidity) in TRUE.items():
        mine = [one for one in keeper.reports if one.address == address]
        assert {one.temperature_c for one in mine} - {None} == {temperature}, address
        assert {one.humidity_pct for one in mine} - {None} == {humidity}, address
        assert {one.key for one in mine} <= {"right", "unneeded"}
    told = {one.address: one for one in keeper.reports}
    assert told[fleet.WRONG_KEY].key == "wrong"
    assert told[fleet.WRONG_KEY].values == {}
    assert told[fleet.UNBOUND].bound is None
    assert told[fleet.BOUND].bound is True
    assert fleet.SILENT not in told
    for one in keeper.reports:
        assert_fits(document(one), "monitor --json")


def test_silence_and_return(tmp_path: Path) -> None:
    """A unit that goes out of range is silent after a while, and there again when it comes back."""
    rig = Rig(tmp_path, "pvvx-5.8", "atc1441")
    keeper = Keeper()

    async def leave(bench: Bench, monitor: Monitor) -> None:
        unit = bench.radio._units[0]  # type: ignore[attr-defined]
        for level, wait_s in ((-60, 100), (None, 600), (-60, 0)):
            unit.rssi_dbm = level
            await asyncio.sleep(wait_s)

    monitored(rig, 900, keeper, act=leave)
    events = [(one.unit[-2:], one.event) for one in keeper.reports if one.event != "reading" or not one.available]
    assert events == [("01", "silent")]
    silent = next(one for one in keeper.reports if one.event == "silent")
    assert not silent.available
    assert keeper.reports[-1].available


def test_a_dead_sink_holds_up_nobody(tmp_path: Path) -> None:
    """It loses its own reports, counted; everybody else gets all."""
    keeper, sleeper = Keeper(), Sleeper()
    monitor = monitored(Rig(tmp_path, "pvvx-5.8"), 120, keeper, sleeper)
    assert len(keeper.reports) > 20
    assert sleeper.feed.dropped == len(keeper.reports) - 10
    counters = monitor.counters()
    assert counters["mitherm_sink_dropped_total/sink"] == {"keeper": 0, "sleeper": sleeper.feed.dropped}
    assert counters["mitherm_sink_sent_total/sink"]["keeper"] == len(keeper.reports)


def test_a_sink_may_begin_late(tmp_path: Path) -> None:
    """What time heals is tried again, and said once."""
    rig, sink = Rig(tmp_path, "pvvx-5.8"), Patient()
    monitored(rig, 60, sink)
    assert sink.reports
    assert [one.text for one in rig.events if "patient" in str(one) or "keeper" in str(one)] == [  # type: ignore[union-attr]
        "keeper: not yet",
        "keeper: works again",
    ]


def test_a_sink_that_cannot_be_opened_ends_it(tmp_path: Path) -> None:
    """Before anything is heard, and as the plain error."""

    class Broken(Keeper):
        async def open(self, gateway: Gateway) -> None:
            raise UsageProblem("no")

    with pytest.raises(UsageProblem):
        monitored(Rig(tmp_path, "pvvx-5.8"), 60, Keeper(), Broken())


def test_a_radio_that_never_works_ends_it(tmp_path: Path) -> None:
    """As the plain error."""

    async def work(bench: Bench) -> None:
        def broken() -> object:
            raise RadioUnavailable("no adapter")

        bench.radio.sightings = broken  # type: ignore[method-assign,assignment]
        await Monitor(bench, Receiver(), [Keeper()]).run(60)

    with pytest.raises(RadioUnavailable):
        Rig(tmp_path, "pvvx-5.8").run(work)


def test_new_keys_are_found_while_listening(tmp_path: Path) -> None:
    """A key that comes into the vault meanwhile is used."""
    rig = fleet.mixed_fleet(tmp_path)
    keeper = Keeper()

    async def add_key(bench: Bench, monitor: Monitor) -> None:
        from mitherm.model.keys import MiKeys
        from mitherm.primitives.secret import Secret

        await asyncio.sleep(30)
        keys = MiKeys(bind_key=Secret(fleet.UNKNOWN))
        bench.stores.vault.add(fleet.WRONG_KEY, keys, "test", bench.wall(), kind="beacon_key")

    monitored(rig, 150, keeper, act=add_key)
    mine = [one for one in keeper.reports if one.address == fleet.WRONG_KEY]
    assert [mine[0].key, mine[-1].key] == ["wrong", "right"]
    assert mine[-1].temperature_c == 20.8


def test_home_assistant_installs_firmware(tmp_path: Path) -> None:
    """A request goes through the guarded flash, progress is told, and the version follows."""
    rig = Rig(tmp_path, "pvvx-5.0")
    rig.shelve("pvvx-5.8")
    keeper, posted, reloads = Keeper(), [], []
    layout = HomeAssistantLayout(latest=lambda report: latest_version(report, shipped_catalogue()), install=True)

    async def ask(bench: Bench, monitor: Monitor) -> None:
        await asyncio.sleep(20)
        for one in keeper.reports:
            layout.messages(one)
        installer = Installer(bench, layout)
        for unit in ("a4c138ffffff", UNIT.compact, UNIT.compact):
            installer.request(unit, posted.extend, lambda: reloads.append(monitor.reload()))
        await asyncio.sleep(200)

    rig.run(lambda bench: info(bench, str(UNIT)))
    monitored(rig, 300, keeper, act=ask)
    states = [json.loads(one.payload) for one in posted]
    percents = [one["update_percentage"] for one in states]
    assert percents[0] == 0
    assert percents[-1] is None
    assert percents[:-1] == sorted(percents[:-1])
    assert len(percents) > 10
    assert [one["in_progress"] for one in states] == [True] * (len(states) - 1) + [False]
    assert keeper.reports[-1].version == "5.8"
    assert len(reloads) == 1


def test_an_update_that_cannot_be_is_told(tmp_path: Path) -> None:
    """No image at hand: a notice, no progress left hanging, the unit as it was."""
    rig, posted = Rig(tmp_path, "pvvx-5.0"), []
    layout = HomeAssistantLayout(install=True)

    async def work(bench: Bench) -> None:
        layout.messages(report(unit=str(UNIT), address=UNIT, version="5.0"))
        Installer(bench, layout).request(UNIT.compact, posted.extend, lambda: None)
        await asyncio.sleep(60)

    before = rig.flash()
    rig.run(work)
    assert json.loads(posted[-1].payload)["in_progress"] is False
    assert any("update of" in str(one) for one in rig.events)
    assert rig.flash() == before


# --- the command ------------------------------------------------------------------------------------------------------


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line fits the schema; virtual units cost no real time."""
    rig = Rig(tmp_path, "pvvx-5.8", "stock-1.0.0_0109")
    assert run(["--radio", f"virtual:{rig.folder}", "monitor", "--json", "--duration", "3600"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) > 300
    for line in lines:
        assert_fits(line, "monitor --json")
    assert {line["address"][-2:] for line in lines} == {"01", "02"}
    assert {line["battery_mv"] for line in lines} == {None, 3000}


@pytest.mark.parametrize(("form", "begins"), [("csv", "time,event,address"), ("table", "")])
def test_text_forms(form: str, begins: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV with its header; lines for people where there is no terminal; a last word on stderr."""
    rig = Rig(tmp_path, "pvvx-5.8")
    assert run(["--radio", f"virtual:{rig.folder}", "monitor", "--format", form, "--duration", "30"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(begins)
    assert "21.5" in captured.out
    assert "1 units" in captured.err


def test_local_sinks_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite and lines get the same readings."""
    import sqlite3

    rig = Rig(tmp_path, "pvvx-5.8")
    path = tmp_path / "readings.db"
    assert (
        run(["--radio", f"virtual:{rig.folder}", "--json", "monitor", "--sqlite", str(path), "--duration", "60"]) == 0
    )
    readings = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["event"] == "reading"]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT time FROM reading ORDER BY time").fetchall() == [
            (one["time"],) for one in readings
        ]


def test_bad_settings_are_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and no value of the file is quoted."""
    config = tmp_path / "monitor.toml"
    config.write_text('[mqtt]\nurl = "mqtt://me:secret@host"\nlayuot = "ha"\n')
    assert run(["monitor", "--json", "--config", str(config)]) == 2
    text = capsys.readouterr().out
    document = assert_document(text, "monitor")
    assert "layout" in document["error"]["hint"]
    assert "secret" not in text


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """Exit 0, whole lines, units saved."""
    rig = Rig(tmp_path, "pvvx-5.8")
    command = [sys.executable, "-m", "mitherm", "--radio", f"virtual:{rig.folder}", "monitor", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    for line in (first + rest).splitlines():
        assert_fits(json.loads(line), "monitor --json")


def test_readiness_watchdog_and_farewell(tmp_path: Path) -> None:
    """systemd hears READY, WATCHDOG and STOPPING."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
        service_manager.bind(str(path))
        service_manager.setblocking(False)

        async def work(bench: Bench) -> None:
            await Monitor(bench, Receiver(), [], notifier=Notifier({"NOTIFY_SOCKET": str(path)})).run(5)

        Rig(tmp_path / "rig", "pvvx-5.8").run(work)
        heard = []
        while True:
            try:
                heard.append(service_manager.recv(1000).decode().partition("\n")[0])
            except BlockingIOError:
                break
    assert heard[0] == "READY=1"
    assert heard[-1] == "STOPPING=1"
    assert set(heard[1:-1]) == {"WATCHDOG=1"}


class TestConfig:
    """The TOML file of the service."""

    def test_everything(self, tmp_path: Path) -> None:
        """All tables, addresses in any spelling; options go before the file."""
        path = tmp_path / "monitor.toml"
        path.write_text(
            'radio = "system:hci1"\nsilence_s = 60\nonly = ["a4c138000001"]\nsqlite = "x.db"\nprometheus = ":9265"\n'
            '[mqtt]\nurl = "mqtt://host"\nqueue = 5\nlayout = "both"\n[influx]\nurl = "http://db/?db=x"\n'
            '[units."A4:C1:38:00:00:01"]\nname = "Bath"\narea = "First floor"\n'
        )
        config = MonitorConfig.load(path).with_options(mqtt="mqtt://other", sqlite="y.db", allow_install=True)
        assert config.mqtt is not None
        assert (config.mqtt.url, config.mqtt.queue, config.mqtt.allow_install) == ("mqtt://other", 5, True)
        assert (config.sqlite, config.prometheus, config.silence_s) == ("y.db", ":9265", 60)
        assert config.units[fleet.BOUND].name == "Bath"
        assert config.accepts(fleet.BOUND)
        assert not config.accepts(fleet.UNBOUND)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("silence_s = 0", "silence_s is between 1 and 86400"),
            ('silence_s = "60"', "silence_s: a number is wanted"),
            ("silence_s = true", "silence_s: a number is wanted"),
            ("colour = 1", "unknown setting colour"),
            ("mqtt = 1", "mqtt: a table is wanted"),
            ("[mqtt]", "mqtt.url: it is missing"),
            ('[mqtt]\nurl = "mqtt://h"\nlayuot = "ha"', "mqtt: unknown setting layuot"),
            ('[mqtt]\nurl = "mqtt://h"\nlayout = "odd"', "mqtt.layout: one of ha, plain, both is wanted"),
            ('[mqtt]\nurl = "mqtt://h"\nqueue = 0', "mqtt: queue is at least 1"),
            ('[mqtt]\nurl = "mqtt://h"\nqueue = 1.5', "mqtt.queue: a whole number is wanted"),
            ('[mqtt]\nurl = "mqtt://h"\nallow_install = 1', "mqtt.allow_install: true or false is wanted"),
            ("radio = 1\nsqlite = 2", "radio: a text is wanted; sqlite: a text is wanted"),
            ("only = 4", "only: a list is wanted"),
            ('only = "A4"', "only[0]: an address is wanted"),
            ('ignore = ["a4c138000001", "x"]', "ignore[1]: an address is wanted"),
            ("units = 1", "units: a table is wanted"),
            ('[units."x"]\nname = "y"', "units['x']: an address is wanted"),
            ('[units."a4c138000001"]\nname = 1', "units['a4c138000001'].name: a text is wanted"),
            ("no toml", "cannot read"),
        ],
    )
    def test_mistakes(self, text: str, words: str, tmp_path: Path) -> None:
        """Named by their keys, with the file."""
        path = tmp_path / "monitor.toml"
        path.write_text(text)
        with pytest.raises(SettingsError) as problem:
            MonitorConfig.load(path)
        assert problem.value.exit_code == 2
        assert str(path) in problem.value.message
        assert words in problem.value.message

    def test_the_password_is_not_shown(self) -> None:
        """URLs stay out of repr."""
        config = MonitorConfig().with_options(mqtt="mqtt://me:secret@host", influx="http://me:secret@db/?db=x")
        assert "secret" not in repr(config)


# --- the library ------------------------------------------------------------------------------------------------------


def test_listening_from_python(tmp_path: Path) -> None:
    """Readings as an asynchronous iterator; keys from the vault and from the caller; the caller may take its time."""
    import mitherm
    from mitherm.primitives.secret import Secret

    rig = fleet.mixed_fleet(tmp_path)

    async def work(bench: Bench) -> list[mitherm.Report]:
        found = []
        keys = {fleet.WRONG_KEY: [Secret(fleet.UNKNOWN)]}
        async for reading in mitherm.listen(bench, duration_s=60, keys=keys):
            await asyncio.sleep(0.1)
            found.append(reading)
        return found

    readings = rig.run(work)
    temperatures = {one.address: one.temperature_c for one in readings}
    assert temperatures[fleet.PVVX_CUSTOM] == 20.5
    assert temperatures[fleet.WRONG_KEY] == 20.8
    assert {one.event for one in readings} == {"reading"}


def test_listening_to_every_event(tmp_path: Path) -> None:
    """First sight of a unit that tells nothing."""
    import mitherm

    async def work(bench: Bench) -> list[str]:
        return [one.event async for one in mitherm.listen(bench, duration_s=10, every_event=True)]

    assert Rig(tmp_path, "stock-1.0.0_0109").run(work) == ["seen"]


def test_a_monitor_from_python(tmp_path: Path) -> None:
    """The operation behind the command: sinks of the configuration and of the caller, names of the configuration first."""
    rig, keeper = Rig(tmp_path, "pvvx-5.8"), Keeper()
    config = MonitorConfig(sqlite=str(tmp_path / "readings.db"), units={UNIT: UnitConfig(name="Bath")})
    rig.run(lambda bench: monitor(bench, config, sinks=(keeper,), duration_s=60))
    assert {one.name for one in keeper.reports} == {"Bath"}
    with closing(sqlite3.connect(tmp_path / "readings.db")) as database:
        assert database.execute("SELECT count(*) FROM reading").fetchone() == (len(keeper.reports),)


def test_a_monitor_from_python_whose_broker_is_not_there(tmp_path: Path) -> None:
    """The same error as at the command line, and the messages wait beside the journal."""
    rig = Rig(tmp_path, "pvvx-5.8")
    config = MonitorConfig(mqtt=MqttConfig("mqtt://127.0.0.1:9", layout=LayoutChoice.BOTH, allow_install=True))
    with pytest.raises(BrokerUnreachable, match="never reached"):
        rig.run(lambda bench: monitor(bench, config, duration_s=60, environ={}))
    assert list((rig.home / "queues").iterdir())
