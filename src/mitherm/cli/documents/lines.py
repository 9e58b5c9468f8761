"""Reports of `monitor` as lines: JSON Lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Final

from mitherm.cli.documents import Document
from mitherm.model.report import MAIN, Report, quantities, utc_text

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


def report(report: Report) -> Document:
    """A line of `monitor --json`."""
    return {
        "time": utc_text(report.at),
        "event": report.event,
        "address": report.unit,
        "name": report.name,
        "model": report.model,
        "firmware": {"family": report.family.shown, "version": report.version},
        "bound": report.bound,
        "rssi_dbm": report.rssi_dbm,
        "beacon_format": report.format,
        "key": report.key,
        "packet_id": report.packet_id,
        "temperature_c": report.temperature_c,
        "humidity_pct": report.humidity_pct,
        "battery_pct": report.battery_pct,
        "battery_mv": report.battery_mv,
        "more": {name: value for name, value in quantities(report.values or {}).items() if name not in MAIN},
        "received": sorted(quantities(report.received or {})),
        "sensor_fault": report.fault,
        "available": report.available,
        "interval_s": report.health.interval_s,
        "lost": report.health.lost,
    }


def json_line(reading: Report) -> str:
    """One JSON object and a line feed."""
    return json.dumps(report(reading), ensure_ascii=False) + "\n"


def csv_header() -> str:
    """The first line."""
    return csv_row(CSV_COLUMNS)


def csv_line(reading: Report) -> str:
    """One row; unknown values are empty."""
    document = report(reading)
    return csv_row(document[name] for name in CSV_COLUMNS)


def csv_row(cells: Iterable[object]) -> str:
    """Cells with the quoting of RFC 4180; truth as true and false."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    )
    return text.getvalue()
