"""The journal: what was done and how far it got, whatever interrupted it."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.errors import DiskProblem, TransferFailed
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepKind, StepRecord, StepState
from mitherm.primitives.secret import Secret
from mitherm.store.journal import Journal, Run

UNIT = Address.parse("A4:C1:38:01:02:03")
OTHER = Address.parse("A4:C1:38:0A:0B:0C")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACTIVATE, SAVE = StepRecord(StepKind.ACTIVATE), StepRecord(StepKind.SAVE_KEYS)
FLASH = StepRecord(StepKind.FLASH, family=Family.PVVX, version="5.8")


class Wall:
    """A clock that moves one second with each look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    yield Journal(path)


def test_a_run_from_start_to_end(journal: Journal, path: Path) -> None:
    """Operation, unit, waivers, steps and outcome are there for a later process."""
    with journal.operation("bring", UNIT, Wall(), ["H5"]) as entry:
        entry.step(SAVE)
        entry.step(FLASH)
        entry.step(FLASH.but(StepState.VERIFIED))
        entry.outcome(Outcome.VERIFIED)
    (run,) = Journal(path).runs()
    assert run == Run(
        run.id,
        "bring",
        UNIT,
        NOW + timedelta(seconds=2),
        ("H5",),
        (SAVE, FLASH, FLASH.but(StepState.VERIFIED)),
        Outcome.VERIFIED,
        None,
        NOW + timedelta(seconds=6),
    )
    assert journal.damaged_lines() == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_error_is_named(journal: Journal) -> None:
    """The kind of error is kept, and the error goes on."""
    with pytest.raises(TransferFailed), journal.operation("flash", UNIT, Wall()) as entry:
        entry.outcome(Outcome.VERIFIED)
        raise TransferFailed("block 7")
    (run,) = journal.runs()
    assert (run.outcome, run.error) == ("failed", "TransferFailed")


def test_an_interruption_is_named(journal: Journal) -> None:
    """Ctrl-C is not a failure."""
    with pytest.raises(KeyboardInterrupt), journal.operation("flash", UNIT, Wall()):
        raise KeyboardInterrupt
    assert (journal.runs()[0].outcome, journal.runs()[0].error) == ("interrupted", "KeyboardInterrupt")


def test_a_killed_process_leaves_its_steps(path: Path) -> None:
    """After a kill the last step that began is known and there is no outcome."""
    child = os.fork()
    if child == 0:
        with Journal(path).operation("flash", UNIT, Wall()) as entry:
            entry.step(ACTIVATE)
            os._exit(9)
    os.waitpid(child, 0)
    (run,) = Journal(path).runs()
    assert (run.steps, run.outcome, run.finished) == ((ACTIVATE,), None, None)


def test_a_torn_line_is_tolerated(journal: Journal, path: Path) -> None:
    """A crash in the middle of a line costs that line only, now and after the journal goes on."""
    with journal.operation("flash", UNIT, Wall()):
        pass
    with path.open("ab") as file:
        file.write(b'{"schema":1,"at":"2026')
    assert (len(journal.runs()), journal.damaged_lines()) == (1, 0)
    with journal.operation("info", UNIT, Wall()):
        pass
    assert [run.operation for run in journal.runs()] == ["flash", "info"]
    assert journal.damaged_lines() == 1


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"schema":3,"at":"2026-01-02T03:04:05Z","run":"r","event":"started"}',
        '{"schema":1,"at":"2026-01-02T03:04:05Z","run":"r","event":"step","step":"without a start"}',
        '{"schema":1,"at":"never","run":"r","event":"started","operation":"x","address":null,"waivers":[]}',
        '{"schema":1,"at":"2026-01-02T03:04:05Z","run":"r","event":"started","operation":"x","address":"y","waivers":[]}',
    ],
)
def test_damaged_lines_are_counted(journal: Journal, path: Path, line: str) -> None:
    """A line that cannot be used hides no other and is counted."""
    with journal.operation("flash", UNIT, Wall()), path.open("a") as file:
        file.write(line + "\n")
    assert [run.outcome for run in journal.runs()] == ["ended"]
    assert journal.damaged_lines() == 1


def test_filters(journal: Journal) -> None:
    """By unit, operation and time; runs of several units at once do not mix."""
    wall = Wall()
    with journal.operation("flash", UNIT, wall) as one, journal.operation("info", OTHER, wall) as two:
        two.step(SAVE)
        one.step(FLASH)
    with journal.operation("scan", None, wall):
        pass
    assert [run.steps for run in journal.runs(address=UNIT)] == [(FLASH,)]
    assert [run.address for run in journal.runs(operation="info")] == [OTHER]
    assert [run.operation for run in journal.runs(since=journal.runs()[2].started)] == ["scan"]


def test_two_in_one_instant(journal: Journal) -> None:
    """Operations that begin in the same microsecond are two."""
    for _ in range(2):
        with journal.operation("info", UNIT, lambda: NOW):
            pass
    assert len(journal.runs()) == 2


def test_secrets_cannot_be_written(journal: Journal, path: Path) -> None:
    """A secret that slips into a step is refused, never written."""
    with pytest.raises(TypeError), journal.operation("flash", UNIT, Wall()) as entry:
        entry.step(replace(FLASH, version=Secret(b"\x01" * 12)))  # type: ignore[arg-type]
    assert "0101" not in path.read_text()


def test_no_journal_no_work(path: Path) -> None:
    """If the journal cannot be written, the operation does not begin."""
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    done = False
    with pytest.raises(DiskProblem) as caught, Journal(path).operation("flash", UNIT, Wall()):
        done = True
    assert not done
    assert caught.value.device == "unchanged"


def test_disk_fills_up_on_the_way(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A later step does not claim an unchanged unit; the end alone is only logged."""

    def refuse(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskProblem) as caught, journal.operation("flash", UNIT, Wall()) as entry:
        entry.step(ACTIVATE)
        monkeypatch.setattr(os, "fsync", refuse)
        entry.step(FLASH)
    assert caught.value.device == "unknown"
    assert "lacks the end" in caplog.text


def test_an_empty_journal(journal: Journal, path: Path) -> None:
    """Reading creates nothing."""
    assert journal.runs() == ()
    assert not path.parent.exists()


# --- schema 1 ---------------------------------------------------------------------------------------------------------

OLD = Path(__file__).with_name("journal_schema_1.jsonl")
"""Written by commit d40508d, which kept sentences: three updates over 2.1.1_0159 that ended well, one that broke, then
clock, settings, history and keys of a pvvx unit; the last operation was cut off.
"""
OLD_OUTCOMES = (
    *("verified", "verified", "verified", "failed"),
    *("verified", "verified", "dry-run", "verified", "fetched", "nothing-to-do", "right", "saved", None),
)


def old_sentences() -> list[list[str]]:
    """The steps of each operation of OLD, as they stand there."""
    runs: dict[str, list[str]] = {}
    for line in map(json.loads, OLD.read_text().splitlines()):
        steps = runs.setdefault(line["run"], [])
        if line["event"] == "step":
            steps.append(line["step"])
    return list(runs.values())


def test_an_old_journal_tells_the_same(path: Path) -> None:
    """Every line of schema 1 becomes a record that reads as the sentence did."""
    path.parent.mkdir()
    path.write_bytes(OLD.read_bytes())
    journal = Journal(path)
    assert journal.damaged_lines() == 0
    assert [[step.text for step in run.steps] for run in journal.runs()] == old_sentences()
    assert tuple(run.outcome for run in journal.runs()) == OLD_OUTCOMES


def test_what_an_old_sentence_meant(path: Path) -> None:
    """Kind, state, family, version and build are told apart; new lines go on in the same file."""
    path.parent.mkdir()
    path.write_bytes(OLD.read_bytes())
    journal = Journal(path)
    first, second, third, *_ = journal.runs()
    assert first.steps[1] == FLASH.but(StepState.NOT_ACCEPTED)
    assert second.steps[-1] == StepRecord(StepKind.FLASH, StepState.VERIFIED, Family.STOCK, "2.1.1_0159", "B1.6")
    assert third.steps[-1] == StepRecord(StepKind.FLASH, StepState.VERIFIED, Family.ATC1441)
    with journal.operation("flash", UNIT, Wall()) as entry:
        entry.step(FLASH)
    assert [run.steps for run in journal.runs()[-1:]] == [(FLASH,)]


@pytest.mark.parametrize(
    "sentence", ["", "dance", "verified: ", "flash", "save-keys pvvx 5.8", "not-accepted: flash x"]
)
def test_sentences_nobody_wrote(journal: Journal, path: Path, sentence: str) -> None:
    """They are damage, not steps."""
    with journal.operation("flash", UNIT, Wall()):
        run = json.loads(path.read_text())["run"]
        line = {"schema": 1, "at": "2026-01-02T03:04:05Z", "run": run, "event": "step", "step": sentence}
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert journal.damaged_lines() == 1
    assert journal.runs()[0].steps == ()
