"""SQLite, InfluxDB, Prometheus: the right rows, and faults that do not spread."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from mitherm.errors import BadFile, BrokerUnreachable, SchemaTooNew, Unavailable, UsageProblem
from mitherm.model.report import Report
from mitherm.primitives.secret import Secret
from mitherm.publish.influx import InfluxSink, line, write_url
from mitherm.publish.prometheus import METRICS, PrometheusSink, exposition, parse_endpoint
from mitherm.publish.sink import Sink
from mitherm.publish.sqlite import VERSION, SqliteSink
from monitor.reports import StillGateway, report


async def deliver(sink: Sink, *reports: object) -> None:
    await sink.open(StillGateway())
    for one in reports:
        sink.feed.put(one)  # type: ignore[arg-type]
    sink.feed.close()
    try:
        await sink.run()
    finally:
        await sink.close()


# --- SQLite -----------------------------------------------------------------------------------------------------------


async def test_sqlite_rows(tmp_path: Path) -> None:
    """One row per reading with what it brought; WAL; a version; units with their last name."""
    path = tmp_path / "readings.db"
    await deliver(SqliteSink(path), report({"temperature": 21.37, "count": 2}), report(event="silent", received={}))
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        rows = database.execute("SELECT time, address, temperature_c, humidity_pct, more FROM reading").fetchall()
        assert rows == [("2026-01-01T12:00:00.000Z", "A4:C1:38:0A:0B:0C", 21.37, None, '{"count": 2}')]
        assert database.execute("SELECT address, name FROM unit").fetchall() == [("A4:C1:38:0A:0B:0C", "ATC_0A0B0C")]


async def test_sqlite_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """A second run adds; an unknown name does not erase a known one."""
    path = tmp_path / "readings.db"
    await deliver(SqliteSink(path), report())
    await deliver(SqliteSink(path), report(name=None))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM reading").fetchone() == (2,)
        assert database.execute("SELECT name FROM unit").fetchone() == ("ATC_0A0B0C",)


async def test_sqlite_leaves_other_files_alone(tmp_path: Path) -> None:
    """A newer schema, somebody else's database, no database at all."""
    newer, other, text = (tmp_path / name for name in ("newer", "other", "text"))
    with sqlite3.connect(newer) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (a)")
    text.write_text("no database, but long enough to be looked at " * 40)
    for path, error in ((newer, SchemaTooNew), (other, BadFile), (text, BadFile)):
        with pytest.raises(error):
            await SqliteSink(path).open(StillGateway())


async def test_sqlite_takes_a_batch_again_after_a_failure(tmp_path: Path) -> None:
    """The folder vanished for a while: nothing is lost."""
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = SqliteSink(folder / "readings.db")
    await sink.open(StillGateway())
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    sink.feed.put(report())
    with pytest.raises(Exception, match="cannot write"):
        await sink.run()
    folder.mkdir()
    await sink.open(StillGateway())
    sink.feed.close()
    await sink.run()
    assert sink.sent == 1


# --- InfluxDB ---------------------------------------------------------------------------------------------------------


def test_a_line_of_the_protocol() -> None:
    """Tags, typed fields of this frame only, nanoseconds; blanks and commas in a name are escaped."""
    one = report({"temperature": 21, "voltage": 2.983, "opening": True}, name="Bath, upper")
    assert line(one) == (
        r"thermometer,address=A4:C1:38:0A:0B:0C,name=Bath\,\ upper,format=pvvx "
        "temperature_c=21.0,battery_mv=2983i,opening=true,rssi_dbm=-60i 1767268800000000000\n"
    )
    assert line(report(received={})) is None
    assert "\n" not in (line(report(name="a\nb\\")) or "")[:-1]


def test_write_urls() -> None:
    """Both versions of the write API; a URL without a database is refused."""
    assert write_url("http://db:8086/?db=home") == "http://db:8086/write?db=home&precision=ns"
    assert write_url("http://db:8086?org=o&bucket=b") == "http://db:8086/api/v2/write?org=o&bucket=b&precision=ns"
    assert write_url("https://db/own/path?x=1") == "https://db/own/path?x=1&precision=ns"
    for bad in ("http://db:8086", "db:8086", "ftp://db/?db=x"):
        with pytest.raises(UsageProblem):
            write_url(bad)


@contextmanager
def influx(*codes: int) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server that answers with these codes, the last one for ever."""
    got: list[tuple[str, str, str]] = []
    left = list(codes)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.path, body, self.headers.get("Authorization", "")))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?db=home", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_influx_over_http() -> None:
    """Posted with the token, which nothing shows."""
    with influx(204) as (url, got):
        sink = InfluxSink(url, Secret(b"token"))
        await deliver(sink, report(), report())
        assert got == [("/write?db=home&precision=ns", 2 * (line(report()) or ""), "Token token")]
        assert sink.sent == 2


async def test_influx_that_is_ill_gets_the_batch_again() -> None:
    """503 is tried again, a line that is refused is not."""
    with influx(503, 204) as (url, got):
        sink = InfluxSink(url)
        with pytest.raises(BrokerUnreachable, match="503"):
            await deliver(sink, report())
        await sink.run()
        assert [body for _, body, _ in got] == 2 * [line(report())]
    with influx(400) as (url, got):
        sink = InfluxSink(url)
        await deliver(sink, report())
        assert (len(got), sink.lost) == (1, 1)


async def test_influx_that_is_away() -> None:
    """No server: a temporary trouble."""
    with pytest.raises(BrokerUnreachable):
        await deliver(InfluxSink("http://127.0.0.1:9/?db=x"), report())


async def test_influx_to_a_file(tmp_path: Path) -> None:
    """Appended."""
    path = tmp_path / "lines"
    await deliver(InfluxSink(f"file:{path}"), report())
    await deliver(InfluxSink(f"file:{path}"), report())
    assert path.read_text() == 2 * (line(report()) or "")


# --- Prometheus -------------------------------------------------------------------------------------------------------


def test_the_exposition_format() -> None:
    """Escaped labels, one HELP and TYPE per metric, counters."""
    text = exposition(
        {"a": report(name='say "hi"\n')}, {"mitherm_frames_total/result": {"new": 3}, "mitherm_units": {"": 1}}
    )
    assert 'mitherm_temperature_celsius{address="A4:C1:38:0A:0B:0C",name="say \\"hi\\"\\n"} 21.37\n' in text
    assert text.count("# TYPE mitherm_temperature_celsius gauge") == 1
    assert 'mitherm_frames_total{result="new"} 3\n' in text
    assert "\nmitherm_units 1\n" in text
    assert "mitherm_battery_volts{" not in text


NAMES = ['say "hi"', "back\\slash", "two\nlines", "Küche €", "", "a,b=c{d}"]
COUNTERS = {
    "mitherm_frames_total/result": {"new": 3, "error:tag mismatch": 2},
    "mitherm_units": {"": 6},
    "mitherm_last_seen_timestamp_seconds/address": {"A4:C1:38:0A:0B:0C": 1767268800.123},
}


def test_prometheus_reads_what_its_own_library_would_have_written() -> None:
    """Names, labels, values and types of every metric, also of names that need escaping."""
    reports = {str(number): report(name=name, unit=f"A4:C1:38:00:00:{number:02X}") for number, name in enumerate(NAMES)}
    registry = CollectorRegistry()
    registry.register(_Written(list(reports.values())))
    ours = _samples(exposition(reports, COUNTERS))
    assert ours == _samples(generate_latest(registry).decode())
    assert {dict(labels)["name"] for _, _, labels, _ in ours if "name" in dict(labels)} == set(NAMES)


class _Written(Collector):
    """The same data through prometheus-client."""

    def __init__(self, reports: list[Report]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        for metric in METRICS:
            family = _family(metric.name, ["address", "name"])
            for one in self._reports:
                if (value := metric.value(one)) is not None:
                    family.add_metric([one.unit, one.name or ""], value)
            if family.samples:
                yield family
        for key, rows in COUNTERS.items():
            name, _, label = key.partition("/")
            family = _family(name, [label] if label else [])
            for value, number in rows.items():
                family.add_metric([value] if label else [], number)
            yield family


def _family(name: str, labels: list[str]) -> Metric:
    return (CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily)(name, "", labels=labels)


def _samples(text: str) -> set[tuple[str, str, frozenset[tuple[str, str]], float]]:
    return {
        (family.type, sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def fetch(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_prometheus_is_served() -> None:
    """Metrics, and plain words for everything else."""
    sink = PrometheusSink("127.0.0.1:0")
    await sink.open(StillGateway({"mitherm_units": {"": 7}}))
    running = asyncio.create_task(sink.run())
    sink.feed.put(report())
    await asyncio.sleep(0.01)
    answer = await fetch(sink.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"\nmitherm_units 7\n" in answer
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"mitherm_humidity_percent" in answer
    for request, status in ((b"POST /metrics HTTP/1.1\r\n\r\n", b"405"), (b"GET /x HTTP/1.1\r\n\r\n", b"404")):
        assert status in (await fetch(sink.port, request)).split(b"\r\n")[0]
    with pytest.raises(Unavailable):
        await PrometheusSink(f"127.0.0.1:{sink.port}").open(StillGateway())
    sink.feed.close()
    await running
    await sink.close()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("9265", ("127.0.0.1", 9265)),
        (":9265", ("", 9265)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("host", ("host", 9265)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_endpoints(text: str, meant: tuple[str, int]) -> None:
    """Ways to say where to listen."""
    assert parse_endpoint(text) == meant


@pytest.mark.parametrize("text", ["host:x", "host:", "1:99999"])
def test_bad_endpoints(text: str) -> None:
    """Refused before anything begins."""
    with pytest.raises(UsageProblem):
        parse_endpoint(text)
