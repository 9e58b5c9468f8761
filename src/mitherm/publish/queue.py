"""Messages that wait for the broker: on disk, bounded, in order; they survive the death of the program."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from mitherm.errors import Busy, DiskProblem
from mitherm.publish.topics import Message

LIMIT: Final = 10_000
"""Messages, 2 MB on disk: what ten units that send every half minute publish in eight hours."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload TEXT NOT NULL, retain INTEGER NOT NULL,
    pause_s REAL NOT NULL
)
"""


class MessageQueue:
    """A queue in an SQLite file that one process owns; `path` None keeps it in memory. When full, the oldest goes."""

    def __init__(self, path: Path | None, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._limit = limit
        try:
            if path is not None:
                path.parent.mkdir(0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(":memory:" if path is None else path, timeout=0.5, isolation_level=None)
            self._prepare()
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:  # the upper bits say on which occasion
                raise Busy(f"another `mitherm monitor` uses {path}", hint="one gateway per broker and topic") from None
            raise DiskProblem(f"cannot use {path}: {problem}") from problem
        except (sqlite3.DatabaseError, OSError) as problem:
            raise DiskProblem(
                f"cannot use {path}: {problem}", hint="move the file away to begin a new one"
            ) from problem
        self._length = int(self._database.execute("SELECT count(*) FROM message").fetchone()[0])

    def __len__(self) -> int:
        return self._length

    def put(self, message: Message) -> None:
        """Add at the end; what is dropped for it is counted. Raises DiskProblem."""
        row = (message.topic, message.payload, message.retain, message.pause_s)
        try:
            self._database.execute("INSERT INTO message (topic, payload, retain, pause_s) VALUES (?, ?, ?, ?)", row)
            self._length += 1
            if self._length > self._limit:
                self._drop(self._length - self._limit)
        except sqlite3.Error as problem:
            raise DiskProblem(f"cannot queue a message: {problem}") from problem

    def head(self, count: int) -> list[tuple[int, Message]]:
        """The oldest messages with their numbers; they stay until `done`."""
        rows = self._database.execute(
            "SELECT id, topic, payload, retain, pause_s FROM message ORDER BY id LIMIT ?", (count,)
        )
        return [(row[0], Message(row[1], row[2], bool(row[3]), row[4])) for row in rows]

    def done(self, last: int) -> None:
        """Everything up to number `last` was delivered."""
        self._length -= self._database.execute("DELETE FROM message WHERE id <= ?", (last,)).rowcount

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def _prepare(self) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")  # the lock dies with the process
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute(_SCHEMA)
        self._database.execute("COMMIT")

    def _drop(self, count: int) -> None:
        dropped = self._database.execute(
            "DELETE FROM message WHERE id IN (SELECT id FROM message ORDER BY id LIMIT ?)", (count,)
        ).rowcount
        self._length -= dropped
        self.dropped += dropped
