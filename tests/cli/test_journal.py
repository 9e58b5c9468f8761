"""`mitherm journal` and `mitherm inventory`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_document
from mitherm.cli.app import run
from mitherm.errors import LinkLost
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.store.journal import Journal

KITCHEN, CELLAR = "A4:C1:38:00:00:01", "A4:C1:38:00:00:02"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command with --json and checks its document and exit code."""

    def say(command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        assert run([*command.split(), *arguments, "--json"]) == code
        document = assert_document(capsys.readouterr().out, command)
        found: dict[str, Any] = document["result"] if code == 0 else document["error"]
        return found

    return say


@pytest.fixture
def journal(home: Path) -> Journal:
    """Two operations, the second failed in its second step with a waived guard."""
    journal = Journal(home / "journal.jsonl")
    with journal.operation("activate", Address.parse(KITCHEN), lambda: NOW) as entry:
        entry.outcome(Outcome.ACTIVATED)
    with pytest.raises(LinkLost), journal.operation("flash", Address.parse(CELLAR), lambda: NOW, ["H5"]) as entry:
        entry.step(StepRecord(StepKind.SAVE_KEYS))
        entry.step(StepRecord(StepKind.FLASH, family=Family.PVVX, version="5.8"))
        raise LinkLost
    return journal


def test_empty_journal(said: Any) -> None:
    """Nothing done yet is success."""
    assert said("journal")["entries"] == []


def test_entries_tell_how_far_it_got(said: Any, journal: Journal) -> None:
    """Steps, waivers, outcome and error of each operation, the newest last."""
    first, second = said("journal")["entries"]
    assert (first["operation"], first["address"], first["outcome"], first["error"]) == (
        "activate",
        KITCHEN,
        "activated",
        None,
    )
    assert (second["steps"], second["waivers"]) == (["save-keys", "flash pvvx 5.8"], ["H5"])
    assert (second["outcome"], second["error"]) == ("failed", "LinkLost")


def test_filters(said: Any, journal: Journal) -> None:
    """--unit keeps one unit, by address or name; --limit keeps the newest."""
    assert [one["operation"] for one in said("journal", "--unit", "a4c138000001")["entries"]] == ["activate"]
    assert [one["operation"] for one in said("journal", "--limit", "1")["entries"]] == ["flash"]
    said("inventory name", CELLAR, "Cellar")
    assert [one["operation"] for one in said("journal", "--unit", "cellar")["entries"]] == ["flash"]


def test_damaged_lines_hide_no_others(said: Any, journal: Journal, home: Path) -> None:
    """A broken line is counted; the rest is shown."""
    path = home / "journal.jsonl"
    path.write_text("{broken\n" + path.read_text())
    found = said("journal")
    assert (found["damaged_lines"], len(found["entries"])) == (1, 2)


def test_text_shows_the_table(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    """People see operation, unit, waiver and how it ended."""
    assert run(["journal"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("activate", CELLAR, "H5", "failed: LinkLost"))


def test_names(said: Any) -> None:
    """A name is stored, stored again without a change, and taken away."""
    assert said("inventory name", KITCHEN, "Kitchen")["changed"]
    assert not said("inventory name", "kitchen", "Kitchen")["changed"]
    assert said("inventory list")["units"][0]["name"] == "Kitchen"
    assert said("inventory name", "Kitchen", "")["unit"]["name"] is None


def test_names_that_would_confuse_are_refused(said: Any) -> None:
    """Two units of one name, and an address as a name, are usage errors."""
    said("inventory name", KITCHEN, "Kitchen")
    said("inventory name", CELLAR, "kitchen", code=2)
    said("inventory name", CELLAR, "A4C138000009", code=2)
