"""Reports as lines of text: JSON Lines and CSV, to standard output or any other text stream."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from typing import Any, Final, TextIO, TypeAlias

from mitherm.model.report import Report
from mitherm.publish.sink import Sink

Encode: TypeAlias = Callable[[Report], str]

CSV_COLUMNS: Final = (
    "time",
    "event",
    "address",
    "name",
    "rssi_dbm",
    "beacon_format",
    "key",
    "temperature_c",
    "humidity_pct",
    "battery_pct",
    "battery_mv",
    "available",
)


def json_line(report: Report) -> str:
    """One JSON object and a line feed."""
    return json.dumps(report.fields(), ensure_ascii=False) + "\n"


def csv_header() -> str:
    """The first line."""
    return csv_row(CSV_COLUMNS)


def csv_line(report: Report) -> str:
    """One row; unknown values are empty."""
    fields = report.fields()
    return csv_row([fields[name] for name in CSV_COLUMNS])


def csv_row(cells: Any) -> str:
    """Cells with the quoting of RFC 4180; truth as true and false."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    )
    return text.getvalue()


class LineSink(Sink):
    """Writes in a thread: a reader that does not read holds up nobody else. A closed pipe raises BrokenPipeError."""

    def __init__(self, name: str, stream: TextIO, encode: Encode, header: str = "") -> None:
        super().__init__(name)
        self._stream = stream
        self._encode = encode
        self._header = header

    async def run(self) -> None:
        """See Sink.run."""
        if self._header:
            await asyncio.to_thread(self._write, self._header)
            self._header = ""
        while batch := await self.feed.batch():
            await asyncio.to_thread(self._write, "".join(map(self._encode, batch)))
            self.sent += len(batch)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
