"""Readings into an SQLite file: one row per reading with what it brought, one row per unit (WAL, PRAGMA user_version 1)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from mitherm.errors import BadFile, DiskProblem, SchemaTooNew
from mitherm.model.report import MAIN, Report, quantities, utc_text
from mitherm.publish.sink import Gateway, Sink

VERSION: Final = 1
_BUSY_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE unit (
    address TEXT PRIMARY KEY, name TEXT, model TEXT, family TEXT, version TEXT, last_seen TEXT NOT NULL
) STRICT;
CREATE TABLE reading (
    time TEXT NOT NULL, address TEXT NOT NULL REFERENCES unit (address), beacon_format TEXT, rssi_dbm INTEGER,
    temperature_c REAL, humidity_pct REAL, battery_pct INTEGER, battery_mv INTEGER, more TEXT
) STRICT;
CREATE INDEX reading_of_unit ON reading (address, time);
"""
_UNIT: Final = """
INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET
    name = coalesce(excluded.name, name), model = coalesce(excluded.model, model),
    family = excluded.family, version = coalesce(excluded.version, version), last_seen = excluded.last_seen
"""
_READING: Final = "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteSink(Sink):
    """`more` holds the other quantities of a reading as a JSON object, or NULL."""

    def __init__(self, path: Path) -> None:
        super().__init__("sqlite")
        self._path = path

    async def open(self, gateway: Gateway) -> None:
        """Make the tables if they are not there. Raises SchemaTooNew, BadFile, DiskProblem."""
        await asyncio.to_thread(self._prepare)

    async def run(self) -> None:
        """See Sink.run; a batch is one transaction, and comes again after a failure."""
        while batch := await self.feed.batch():
            try:
                await asyncio.to_thread(self._write, batch)
            except DiskProblem:
                for report in batch:
                    self.feed.put(report)
                raise
            self.sent += len(batch)

    def _prepare(self) -> None:
        try:
            with closing(self._connect()) as database, database:
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version > VERSION:
                    raise SchemaTooNew(f"{self._path} was written by a newer mitherm (schema {version})")
                if version == 0:
                    self._create(database)
        except sqlite3.OperationalError as problem:
            raise DiskProblem(f"cannot use {self._path}: {problem}") from problem
        except sqlite3.DatabaseError as problem:
            raise BadFile(f"{self._path} is no SQLite file: {problem}") from problem

    def _create(self, database: sqlite3.Connection) -> None:
        if database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise BadFile(f"{self._path} is a database of something else", hint="choose another file")
        database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=_BUSY_S)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        return database

    def _write(self, batch: list[Report]) -> None:
        try:
            with closing(self._connect()) as database, database:
                database.executemany(_UNIT, map(_unit, batch))
                database.executemany(_READING, [_reading(report) for report in batch if report.received])
        except sqlite3.Error as problem:
            raise DiskProblem(f"cannot write {self._path}: {problem}") from problem


def _unit(report: Report) -> tuple[Any, ...]:
    return report.unit, report.name, report.model, report.family, report.version, utc_text(report.at)


def _reading(report: Report) -> tuple[Any, ...]:
    brought = quantities(report.received or {})
    main = [brought.pop(name, None) for name in MAIN]
    more = json.dumps(brought) if brought else None
    return utc_text(report.at), report.unit, report.format, report.rssi_dbm, *main, more
