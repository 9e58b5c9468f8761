"""Stored records of units into CSV and SQLite; in a database the records of many fetches grow together."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Final

from mitherm.errors import BadFile, DiskProblem, SchemaTooNew
from mitherm.model.history import StoredRecord

COLUMNS: Final = {
    "pvvx": ("time", "clock_s", "temperature_c", "humidity_pct", "battery_mv"),
    "stock": (
        "time",
        "clock_s",
        "record",
        "temperature_min_c",
        "temperature_max_c",
        "humidity_min_pct",
        "humidity_max_pct",
    ),
}
"""Family of firmware to what its records hold; `time` is None where the clock of the unit was not set."""
VERSION: Final = 1
_BUSY_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE pvvx_history (
    address TEXT NOT NULL, time TEXT, clock_s INTEGER NOT NULL, temperature_c REAL NOT NULL, humidity_pct REAL NOT NULL,
    battery_mv INTEGER NOT NULL, UNIQUE (address, clock_s, temperature_c, humidity_pct, battery_mv)
) STRICT;
CREATE TABLE stock_history (
    address TEXT NOT NULL, time TEXT, clock_s INTEGER NOT NULL, record INTEGER NOT NULL, temperature_min_c REAL NOT NULL,
    temperature_max_c REAL NOT NULL, humidity_min_pct INTEGER NOT NULL, humidity_max_pct INTEGER NOT NULL,
    UNIQUE (address, clock_s, record)
) STRICT;
"""


def to_csv(family: str, records: Sequence[StoredRecord]) -> str:
    """A line of names, then a line per record."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS[family], lineterminator="\n")
    table.writeheader()
    table.writerows(map(_row, records))
    return text.getvalue()


def merge(path: Path, address: str, family: str, records: Sequence[StoredRecord]) -> int:
    """Add what the database does not have yet; the number of new records. Raises BadFile, SchemaTooNew, DiskProblem."""
    names = COLUMNS[family]
    marks = ", ".join("?" for _ in range(len(names) + 1))
    statement = f"INSERT OR IGNORE INTO {family}_history VALUES ({marks})"
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_S)) as database, database:
            _prepare(database, path)
            before = database.total_changes
            database.executemany(statement, ([address, *_row(record).values()] for record in records))
            return database.total_changes - before
    except sqlite3.OperationalError as problem:
        raise DiskProblem(f"cannot write {path}: {problem}") from problem
    except sqlite3.DatabaseError as problem:
        raise BadFile(f"{path} is no SQLite file: {problem}") from problem


def _row(record: StoredRecord) -> dict[str, object]:
    """The columns of the record's family."""
    moment = record.time.astimezone(UTC).isoformat(timespec="microseconds") if record.time is not None else None
    return asdict(record) | {"time": moment and moment.replace("+00:00", "Z")}


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if "pvvx_history" in tables:
        if version > VERSION:
            raise SchemaTooNew(f"{path} was written by a newer mitherm (schema {version})")
    elif tables:
        raise BadFile(f"{path} is a database of something else", hint="choose another file")
    else:
        database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
