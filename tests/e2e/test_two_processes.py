"""Several processes on one folder of units and one home: they take turns, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.person import Said, error_of, person_of
from mitherm.store.lock import FileLock
from rig import UNIT, Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    """Every command waits for --timeout and then is 6; a command that may wait long enough succeeds."""
    rig = Rig(tmp_path, "pvvx-5.8")
    person = person_of(rig)
    folder = str(rig.folder)
    lock = FileLock.take(rig.folder / ".lock", 1.0, what=rig.folder)
    try:
        for command, words in (
            ("scan", []),
            ("virtual list", [folder]),
            ("virtual create", [folder, "--unit", "atc1441"]),
            ("virtual serve", [folder, "--hci", "tcp-server:127.0.0.1:0"]),
        ):
            failed = person.gets(command, *words, "--timeout", "0.3", code=6)
            assert folder in error_of(failed, "Busy")["message"]
        with person.begins("info", str(UNIT), "--timeout", "60") as patient:
            patient.still_runs(1.5)
            lock.release()
            assert patient.ends().code == 0
    finally:
        lock.release()


def test_at_the_same_time(tmp_path: Path) -> None:
    """Looking at units and naming them from several processes: all succeed, and every name is kept."""
    rig = Rig(tmp_path, *["atc1441"] * 3)
    person = person_of(rig)
    units = [f"A4:C1:38:00:00:0{number}" for number in (1, 2, 3)]
    lines = [*(("info", unit) for unit in units), *(("inventory", "name", unit, f"Room {unit[-1]}") for unit in units)]

    def types(line: tuple[str, ...]) -> Said:
        return person.types(*line)

    with ThreadPoolExecutor(len(lines)) as several:
        assert [said.code for said in several.map(types, lines)] == [0] * len(lines)
    known = person.gets("inventory list")["units"]
    assert [(unit["address"], unit["name"], unit["firmware"]["family"]) for unit in known] == [
        (unit, f"Room {unit[-1]}", "atc1441") for unit in units
    ]
