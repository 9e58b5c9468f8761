"""The journal: what was done and how far it got, whatever interrupted it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.errors import DiskProblem, TransferFailed
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret
from mitherm.store.journal import Journal, Run

UNIT = Address.parse("A4:C1:38:01:02:03")
OTHER = Address.parse("A4:C1:38:0A:0B:0C")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


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
        entry.step("save-keys")
        entry.step("flash pvvx 5.8")
        entry.outcome("verified")
    (run,) = Journal(path).runs()
    assert run == Run(
        run.id,
        "bring",
        UNIT,
        NOW + timedelta(seconds=2),
        ("H5",),
        ("save-keys", "flash pvvx 5.8"),
        "verified",
        None,
        NOW + timedelta(seconds=5),
    )
    assert journal.damaged_lines() == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_error_is_named(journal: Journal) -> None:
    """The kind of error is kept, and the error goes on."""
    with pytest.raises(TransferFailed), journal.operation("flash", UNIT, Wall()) as entry:
        entry.outcome("verified")
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
            entry.step("activate")
            os._exit(9)
    os.waitpid(child, 0)
    (run,) = Journal(path).runs()
    assert (run.steps, run.outcome, run.finished) == (("activate",), None, None)


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
        '{"schema":2,"at":"2026-01-02T03:04:05Z","run":"r","event":"started"}',
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
        two.step("b")
        one.step("a")
    with journal.operation("scan", None, wall):
        pass
    assert [run.steps for run in journal.runs(address=UNIT)] == [("a",)]
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
        entry.step(Secret(b"\x01" * 12))  # type: ignore[arg-type]
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
        entry.step("activate")
        monkeypatch.setattr(os, "fsync", refuse)
        entry.step("flash")
    assert caught.value.device == "unknown"
    assert "lacks the end" in caplog.text


def test_an_empty_journal(journal: Journal, path: Path) -> None:
    """Reading creates nothing."""
    assert journal.runs() == ()
    assert not path.parent.exists()
