"""The journal: what was done to which unit, how far it got, and which guards were waived. Append-only, no secrets.

Lines of schema 1, which older versions wrote, hold a step as a sentence; `_old_step` alone reads those.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mitherm.errors import DiskProblem, MithermError
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import RARE_BUILD, Outcome, StepKind, StepRecord, StepState
from mitherm.store import documents
from mitherm.store.atomic import append_line, make_folder
from mitherm.store.documents import MalformedDocument, field, optional
from mitherm.store.moments import iso, parse_iso, stamp

_LOG: Final = logging.getLogger(__name__)
SCHEMA: Final = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One operation as the journal tells it; without outcome it was cut off, in or after the last of its steps."""

    id: str
    operation: str
    address: Address | None
    started: datetime
    waivers: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    """Kind of the error that ended it."""
    finished: datetime | None = None


class Entry:
    """An operation that is being done; see `Journal.operation`."""

    def __init__(self, write: Callable[[str, dict[str, object]], None]) -> None:
        self._write = write
        self._begun = False
        self._outcome = Outcome.ENDED

    def step(self, record: StepRecord) -> None:
        """A step begins now, or got further. Raises DiskProblem."""
        try:
            self._write("step", _step_line(record))
        except DiskProblem as problem:
            problem.device = "unknown" if self._begun else "unchanged"
            raise
        self._begun = True

    def outcome(self, outcome: Outcome) -> None:
        """How it will have ended if nothing is raised any more."""
        self._outcome = outcome

    def close(self, error: BaseException | None) -> None:
        """Write the end. A full disk must not turn a flashed unit into a failure: that is only logged."""
        ending: dict[str, object] = {"outcome": self._outcome, "error": None}
        if error is not None:
            ending = {"outcome": Outcome.FAILED if isinstance(error, Exception) else Outcome.INTERRUPTED}
            ending["error"] = error.kind if isinstance(error, MithermError) else type(error).__name__
        try:
            self._write("finished", ending)
        except DiskProblem as problem:
            _LOG.warning("the journal lacks the end of an operation: %s", problem.message)


class Journal:
    """The journal in one file of JSON lines, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count(1)

    @contextmanager
    def operation(
        self, name: str, address: Address | None, wall: Callable[[], datetime], waivers: Iterable[str] = ()
    ) -> Iterator[Entry]:
        """Record what happens inside. Raises DiskProblem on entry if the journal cannot be written: nothing was done."""
        make_folder(self.path.parent)
        run = f"{stamp(wall())}-{os.getpid()}-{next(self._numbers)}"

        def write(event: str, more: dict[str, object]) -> None:
            line = {"at": iso(wall()), "run": run, "event": event, **more}
            append_line(self.path, documents.encode_line(line, SCHEMA))

        who = str(address) if address is not None else None
        write("started", {"operation": name, "address": who, "waivers": list(waivers)})
        entry = Entry(write)
        try:
            yield entry
        except BaseException as error:
            entry.close(error)
            raise
        entry.close(None)

    def copy(self, path: Path) -> Journal:
        """An independent journal that begins with what is in this one."""
        if self.path.exists():
            shutil.copyfile(self.path, path)
        return Journal(path)

    def runs(
        self, *, address: Address | None = None, operation: str | None = None, since: datetime | None = None
    ) -> tuple[Run, ...]:
        """The operations that fit, in the order in which they began."""
        runs, _ = self._replay()
        return tuple(
            run
            for run in runs
            if (address is None or run.address == address)
            and (operation is None or run.operation == operation)
            and (since is None or run.started >= since)
        )

    def damaged_lines(self) -> int:
        """How many lines could not be used; a last line torn by a crash does not count."""
        _, damaged = self._replay()
        return damaged

    def _replay(self) -> tuple[list[Run], int]:
        runs: dict[str, Run] = {}
        damaged = 0
        for line in self._lines():
            try:
                if not isinstance(line, dict):
                    raise MalformedDocument(str(line))
                name = field(line, "run", str)
                runs[name] = _continued(runs.get(name), line)
            except ValueError:
                damaged += 1
        return list(runs.values()), damaged

    def _lines(self) -> Iterator[object]:
        try:
            yield from documents.read_lines(self.path, SCHEMA)
        except OSError as problem:
            raise DiskProblem(f"cannot read {self.path}: {problem.strerror}") from problem


def _continued(run: Run | None, line: dict[str, Any]) -> Run:
    event, at = field(line, "event", str), parse_iso(field(line, "at", str))
    if event == "started":
        who = optional(line, "address", str)
        address = Address.parse(who) if who is not None else None
        waivers = tuple(map(str, field(line, "waivers", list)))
        return Run(field(line, "run", str), field(line, "operation", str), address, at, waivers)
    if run is None:
        raise MalformedDocument("it goes on without a start")
    if event == "step":
        return replace(run, steps=(*run.steps, _step(line)))
    if event == "finished":
        outcome = Outcome(field(line, "outcome", str))
        return replace(run, outcome=outcome, error=optional(line, "error", str), finished=at)
    raise MalformedDocument("an unknown event")


def _step_line(record: StepRecord) -> dict[str, object]:
    line: dict[str, object] = {"step": record.kind, "state": record.state}
    if record.family is not None:
        line |= {"family": record.family, "version": record.version, "build": record.build}
    return line


def _step(line: dict[str, Any]) -> StepRecord:
    """The step of a line. Raises ValueError."""
    word = field(line, "step", str)
    if field(line, "schema", int) == 1:
        return _old_step(word)
    family = optional(line, "family", str)
    return StepRecord(
        StepKind(word),
        StepState(field(line, "state", str)),
        Family(family) if family is not None else None,
        optional(line, "version", str),
        optional(line, "build", str),
    )


_OLD_STATES: Final = {"verified: ": StepState.VERIFIED, "not accepted: ": StepState.NOT_ACCEPTED}


def _old_step(sentence: str) -> StepRecord:
    """Schema 1: `save-keys`, `verified: flash stock 2.1.1_0159_B1.6`. The common build went without a name there."""
    prefix = next((prefix for prefix in _OLD_STATES if sentence.startswith(prefix)), "")
    word, _, image = sentence.removeprefix(prefix).partition(" ")
    step = StepRecord(StepKind(word), _OLD_STATES.get(prefix, StepState.BEGUN))
    if (step.kind is StepKind.FLASH) is not bool(image):
        raise MalformedDocument("an unknown step")
    return _with_old_image(step, image) if image else step


def _with_old_image(step: StepRecord, label: str) -> StepRecord:
    family, _, full = label.partition(" ")
    version = full.removesuffix(f"_{RARE_BUILD}")
    build = RARE_BUILD if version != full else None
    return replace(step, family=Family(family), version=version or None, build=build)
