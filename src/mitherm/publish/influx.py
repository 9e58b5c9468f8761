"""InfluxDB line protocol, to a server over HTTP (write API of version 1 or 2) or appended to a file."""

from __future__ import annotations

import asyncio
import math
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from mitherm.errors import BrokerUnreachable, DiskProblem, UsageProblem
from mitherm.model.report import Report, quantities
from mitherm.primitives.secret import Secret
from mitherm.publish.sink import Sink

MEASUREMENT: Final = "thermometer"
TIMEOUT_S: Final = 5.0
_KEY: Final = re.compile(r"([,= ])")


def line(report: Report) -> str | None:
    """What the reading brought as one line, nanoseconds; None where it brought nothing that can be written.

    thermometer,address=A4:C1:38:00:00:01,name=Bath temperature_c=21.37,rssi_dbm=-60i 1767268800000000000
    """
    tags = {"address": report.unit, "name": report.name, "format": report.format}
    fields = _fields(quantities(report.received or {}))
    if not fields:
        return None
    if report.rssi_dbm is not None:
        fields["rssi_dbm"] = f"{report.rssi_dbm}i"
    head = ",".join([MEASUREMENT, *(f"{name}={_key(value)}" for name, value in tags.items() if value)])
    body = ",".join(f"{_key(name)}={value}" for name, value in fields.items())
    return f"{head} {body} {round(report.at.timestamp() * 1000)}000000\n"


def _fields(values: Mapping[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            fields[name] = "true" if value else "false"
        elif isinstance(value, int | float) and math.isfinite(value):
            # one type per field for ever: InfluxDB refuses a float where an integer was first
            fields[name] = f"{value}i" if name in ("battery_pct", "battery_mv", "count") else repr(float(value))
        elif isinstance(value, str):
            fields[name] = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    return fields


def _key(text: str) -> str:
    """Tags and keys: comma, equals sign and blank escaped; no line feed, no backslash at the end."""
    return _KEY.sub(r"\\\1", text.replace("\n", " ").replace("\r", " ")).rstrip("\\") or "_"


class InfluxSink(Sink):
    """`url` is http(s)://host:8086/?db=NAME (version 1), ?org=O&bucket=B (version 2), any full write URL, or file:PATH."""

    def __init__(self, url: str, token: Secret | None = None) -> None:
        super().__init__("influx")
        self._file = _file(url)
        self._token = token
        self._url = "" if self._file else write_url(url)

    async def run(self) -> None:
        """See Sink.run; a batch that fails comes again."""
        while batch := await self.feed.batch():
            text = "".join(filter(None, map(line, batch)))
            try:
                if text:
                    await asyncio.to_thread(self._append if self._file else self._post, text)
            except (DiskProblem, BrokerUnreachable):
                for report in batch:
                    self.feed.put(report)
                raise
            self.sent += len(batch)

    def _append(self, text: str) -> None:
        path = self._file or Path()
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as problem:
            raise DiskProblem(f"cannot write {path}: {problem.strerror}") from problem

    def _post(self, text: str) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._token is not None:
            headers["Authorization"] = f"Token {self._token.reveal().decode()}"
        request = urllib.request.Request(self._url, text.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                response.read()
        except urllib.error.HTTPError as problem:
            with problem:
                self._refused(problem)
        except (OSError, HTTPException) as problem:
            raise BrokerUnreachable(f"InfluxDB cannot be reached: {getattr(problem, 'reason', problem)}") from None

    def _refused(self, problem: urllib.error.HTTPError) -> None:
        """400: these lines will never be taken, so repeating them would block all that follow."""
        if problem.code == 400:
            self.lost += 1
            self.problem = "InfluxDB refused some lines (HTTP 400)"
            return
        raise BrokerUnreachable(f"InfluxDB answered HTTP {problem.code}") from None


def write_url(url: str) -> str:
    """The URL to post to. Raises UsageProblem."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageProblem("an InfluxDB URL is http(s)://HOST:PORT/?db=NAME or ?org=O&bucket=B, or file:PATH")
    query = parse_qs(parts.query)
    path = parts.path
    if path in ("", "/"):
        if not query.keys() & {"db", "bucket"}:
            raise UsageProblem("the InfluxDB URL names no database", hint="add ?db=NAME, or ?org=O&bucket=B")
        path = "/api/v2/write" if "bucket" in query else "/write"
    text = parts.query if "precision" in query else f"{parts.query}&precision=ns".lstrip("&")
    return urlunsplit(parts._replace(path=path, query=text))


def _file(url: str) -> Path | None:
    return Path(url.removeprefix("file:").removeprefix("//")) if url.startswith("file:") else None
