"""The latest values and the counters as text for Prometheus, served by a small HTTP server of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from mitherm.errors import Unavailable, UsageProblem
from mitherm.model.report import Report
from mitherm.publish.sink import Counters, Gateway, Sink

PORT: Final = 9265
_REQUEST_S: Final = 5.0
"""A scraper on the same network asks in milliseconds; who takes longer only holds a connection."""
_LONGEST_REQUEST: Final = 8192
_UNREADABLE: Final = ("missing", "wrong", "changed")
_CONTENT: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of units: its name, its help, and how a report gives it."""

    name: str
    help: str
    value: Callable[[Report], Any]
    kind: str = "gauge"


METRICS: Final = (
    Metric("mitherm_temperature_celsius", "Temperature", lambda report: report.temperature_c),
    Metric("mitherm_humidity_percent", "Relative humidity", lambda report: report.humidity_pct),
    Metric("mitherm_battery_percent", "Battery as the firmware scales it", lambda report: report.battery_pct),
    Metric("mitherm_battery_volts", "Battery", lambda report: report.battery_mv and report.battery_mv / 1000),
    Metric("mitherm_rssi_dbm", "Strength of the last advert", lambda report: report.rssi_dbm),
    Metric("mitherm_available", "0: silent", lambda report: int(report.available)),
    Metric("mitherm_sensor_fault", "1: the sensor fails", lambda report: int(report.fault)),
    Metric("mitherm_key_problem", "1: beacons cannot be read", lambda report: int(report.key in _UNREADABLE)),
    Metric(
        "mitherm_lost_total",
        "Measurements missed, from gaps of the packet id",
        lambda report: report.health.lost,
        "counter",
    ),
)


def exposition(reports: Mapping[str, Report], counters: Counters) -> str:
    """The whole text, in format 0.0.4, which every Prometheus reads."""
    return "\n".join([*_units(reports), *_counters(counters), ""])


def _units(reports: Mapping[str, Report]) -> Iterator[str]:
    for metric in METRICS:
        rows = [(report, metric.value(report)) for report in reports.values()]
        if any(value is not None for _, value in rows):
            yield f"# HELP {metric.name} {metric.help}"
            yield f"# TYPE {metric.name} {metric.kind}"
        for report, value in rows:
            if value is not None:
                labels = f'address="{_escaped(report.unit)}",name="{_escaped(report.name or "")}"'
                yield f"{metric.name}{{{labels}}} {value}"


def _counters(counters: Counters) -> Iterator[str]:
    for key, rows in counters.items():
        name, _, label = key.partition("/")
        yield f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
        for value, number in sorted(rows.items()):
            yield f'{name}{{{label}="{_escaped(value)}"}} {number}' if label else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def parse_endpoint(text: str) -> tuple[str, int]:
    """HOST:PORT, :PORT (every interface), PORT or HOST. Raises UsageProblem."""
    if text.isdecimal():
        text = f"127.0.0.1:{text}"
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(PORT))
    if not port.isdecimal() or not 0 <= int(port) <= 0xFFFF:
        raise UsageProblem(f"{text!r} is no address to listen on", hint=f"HOST:PORT, for instance 127.0.0.1:{PORT}")
    return host.strip("[]"), int(port)


class PrometheusSink(Sink):
    """GET /metrics. The gateway's counters are asked for at every request."""

    def __init__(self, endpoint: str) -> None:
        super().__init__("prometheus")
        self._host, self._port = parse_endpoint(endpoint)
        self._gateway: Gateway | None = None
        self._reports: dict[str, Report] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port in use, also where 0 was asked for."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._port

    async def open(self, gateway: Gateway) -> None:
        """Listen. Raises Unavailable."""
        self._gateway = gateway
        try:
            self._server = await asyncio.start_server(self._serve, self._host or None, self._port)
        except OSError as problem:
            raise Unavailable(f"cannot listen on {self._host}:{self._port}: {problem.strerror or problem}") from problem

    async def run(self) -> None:
        """See Sink.run."""
        while batch := await self.feed.batch():
            self._reports.update((report.unit, report) for report in batch)
            self.sent += len(batch)

    async def close(self) -> None:
        """See Sink.close."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head[:_LONGEST_REQUEST]))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "only GET\n", method)
        if path == b"/":
            return _response("200 OK", "mitherm: see /metrics\n", method)
        if path != b"/metrics":
            return _response("404 Not Found", "see /metrics\n", method)
        counters = self._gateway.counters() if self._gateway is not None else {}
        return _response("200 OK", exposition(self._reports, counters), method)


def _response(status: str, text: str, method: bytes) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_CONTENT}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if method == b"HEAD" else body)
