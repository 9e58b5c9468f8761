"""Ctrl-C and SIGTERM, whenever they come: 130, a sentence on the unit, and the same command again finishes the work."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.person import MITHERM, Person, Running, Said, error_of, person_of, served
from helpers import assert_fits
from mitherm.model.address import Address
from mitherm.ops.keys.activate import activate
from mitherm.ops.updating.flash import bring, flash
from mitherm.store.lock import FileLock
from mitherm.virtual.view import state_of
from rig import UNIT, Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HERE = str(UNIT)


def test_every_phase_of_a_conversation(tmp_path: Path) -> None:
    """Over real time: while identifying, registering, committing keys, transferring, waiting for the restart, verifying."""
    phases: dict[int, tuple[str, str, tuple[str, ...]]] = {
        1: ("activate", "read 2a24", ("-vv",)),
        2: ("activate", "write 0010 15", ("-vv", "--json")),
        3: ("activate", "write 0010 13", ("-vv", "--json")),
        4: ("flash", "transfer: 0 %", ()),
        5: ("flash", "transfer: 100 %", ()),
        6: ("flash", "wait until", ()),
    }
    rig = Rig(tmp_path, *["stock-1.0.0_0130"] * 3, *["atc1441"] * 3)
    rig.shelve("pvvx-5.8")

    def words(number: int) -> list[str]:
        unit = f"A4:C1:38:00:00:0{number}"
        return ["activate", unit] if phases[number][0] == "activate" else ["flash", unit, "pvvx-5.8", "--yes"]

    with served(rig) as (_, moniker), ThreadPoolExecutor(len(phases)) as several:
        person = Person(rig.home, f"hci:{moniker}", MITHERM_ALLOW_SYNTHETIC="1")

        def interrupted(number: int) -> Said:
            _, line, options = phases[number]
            with person.begins(*words(number), *options) as running:
                running.until(line)
                return running.interrupted()

        ends = dict(zip(phases, several.map(interrupted, phases), strict=True))

    for number, said in ends.items():
        command, _, options = phases[number]
        assert said.code == 130, (number, said)
        if "--json" in options:
            error_of(said.document(command), "MithermError", "unknown")
        else:
            assert "mitherm info" in said.err
    for number in (1, 2, 3):
        address = Address.parse(f"A4:C1:38:00:00:0{number}")
        done = rig.run(lambda bench, address=address: activate(bench, address))
        assert done.generation.keys.record in rig.flash(address)
    for number in (4, 5, 6):
        rig.run(lambda bench, number=number: flash(bench, f"A4:C1:38:00:00:0{number}", "pvvx-5.8"))
        runs = rig.world(lambda world, number=number: state_of(world.units[number - 1]).runs)
        assert runs == "pvvx 5.8"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_middle_of_a_virtual_transfer(tmp_path: Path, number: int) -> None:
    """The units of the folder are saved, no fault remains, and the repeat ends well."""
    rig = Rig(tmp_path, "pvvx-5.8,bound=mi-home")
    rig.shelve("stock-1.0.0_0130")
    person = person_of(rig, "air")
    with person.begins("bring", HERE, "--to", "stock", "--yes") as running:
        running.until("transfer: 10 %")
        said = running.ends(number)
    assert said.code == 130
    assert "interrupted" in said.err
    assert rig.run(lambda bench: bring(bench, HERE, "stock")).outcome == "verified"
    assert rig.keys[UNIT] is not None
    assert rig.stores.vault.find(UNIT, rig.keys[UNIT]) is not None


@contextmanager
def at_a_terminal(person: Person, *words: str) -> Iterator[tuple[Running, int]]:
    """Like `Person.begins`, with a terminal for stdin; gives the other end of it."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*MITHERM, *words],
            env=person.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        with Running(process) as running:
            yield running, ours
    finally:
        os.close(ours)
        os.close(theirs)


def until_asked(running: Running) -> None:
    """The question has no end of line."""
    assert running.process.stderr is not None
    while "(y/N)" not in running.read:
        letter = running.process.stderr.read(1)
        assert letter, running.read
        running.read += letter


@pytest.mark.parametrize("answer", ["Ctrl-C", "n", "y"])
def test_at_the_question(tmp_path: Path, answer: str) -> None:
    """One Ctrl-C ends it, `n` is 2, and nothing was done; `y` does it."""
    rig = Rig(tmp_path, "pvvx-5.8")
    rig.shelve("stock-1.0.0_0130")
    with at_a_terminal(person_of(rig), "bring", HERE, "--to", "stock") as (running, keyboard):
        until_asked(running)
        if answer == "Ctrl-C":
            said = running.interrupted()
        else:
            os.write(keyboard, answer.encode() + b"\n")
            said = running.ends()
    assert said.code == {"Ctrl-C": 130, "n": 2, "y": 0}[answer]
    (unit,) = person_of(rig).gets("virtual list", str(rig.folder))["units"]
    assert unit["runs"] == ("stock 1.0.0_0130" if answer == "y" else "pvvx 5.8")


def test_while_another_process_has_the_folder(tmp_path: Path) -> None:
    """Waiting for the lock can be interrupted, in a loop and outside of one."""
    rig = Rig(tmp_path, "pvvx-5.8")
    person = person_of(rig)
    with (
        FileLock.take(rig.folder / ".lock", 1.0, what=rig.folder),
        person.begins("scan", "--timeout", "60") as first,
        person.begins("virtual", "list", str(rig.folder), "--timeout", "60") as second,
    ):
        first.still_runs(2.0)
        second.still_runs(0.1)
        assert first.interrupted().code == 130
        assert second.interrupted().code == 130
    assert person.gets("virtual list", str(rig.folder))["units"][0]["runs"] == "pvvx 5.8"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watching_ends_cleanly(tmp_path: Path, number: int) -> None:
    """`scan --watch` is ended by a signal and by nothing else: 0, whole JSON lines, nothing on stderr."""
    rig = Rig(tmp_path, "pvvx-5.8")
    with person_of(rig, "air").begins("scan", "--watch", "--json") as running:
        assert running.process.stdout is not None
        first = running.process.stdout.readline()
        said = running.ends(number)
    assert (said.code, said.err) == (0, "")
    for line in (first, *said.out.splitlines()):
        assert_fits(json.loads(line), "scan --watch")


STARTING = """
import signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == "mitherm.cli.app":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
from mitherm.__main__ import main
main()
"""


def test_while_the_program_starts() -> None:
    """A Ctrl-C that comes while our modules are imported is 130 without a traceback."""
    done = subprocess.run([sys.executable, "-c", STARTING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
