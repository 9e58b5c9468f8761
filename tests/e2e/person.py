"""A person at a terminal: types `mitherm ...`, each line a process of its own, and reads what comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from helpers import assert_document, assert_fits
from rig import Rig

MITHERM = (sys.executable, "-m", "mitherm")
PATIENCE_S = 100
_LEFT_OUT = ("MITHERM_", "PYTHONDONTWRITEBYTECODE")
"""Without compiled modules every one of a hundred processes would compile all of them again."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        for text in (self.out, self.err):
            assert "Traceback" not in text, text
            assert "bug in mitherm" not in text, text

    def document(self, command: str) -> dict[str, Any]:
        """stdout is exactly one document, as the schema says."""
        return assert_document(self.out, command)


class Person:
    """Somebody with a home folder; `radio` is said with every command that is not told another one."""

    def __init__(self, home: Path, radio: str | None = None, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        self.environment = kept | {"MITHERM_HOME": str(home), "COLUMNS": "200"} | variables
        if radio is not None:
            self.environment["MITHERM_RADIO"] = radio

    def types(
        self,
        *words: str,
        code: int | None = 0,
        stdin: str | None = None,
        before: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Said:
        """Type `mitherm WORDS`; stdin is no terminal. `before` is typed in front of the program, as in `env X=Y`."""
        done = subprocess.run(
            [*before, *MITHERM, *words],
            env=self.environment | dict(variables or {}),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert code in (None, said.code), f"{words} ended with {said.code}\n{said.out}\n{said.err}"
        return said

    def gets(self, command: str, *words: str, code: int = 0, **more: Any) -> dict[str, Any]:
        """The one document of `mitherm COMMAND WORDS --json`; of a failure the whole document, else `result`."""
        said = self.types(*command.split(), *words, "--json", code=code, **more)
        document = said.document(command)
        assert document["ok"] == (code == 0)
        return document["result"] if code == 0 else document

    def begins(self, *words: str, variables: Mapping[str, str] | None = None) -> Running:
        """Start `mitherm WORDS` and go on."""
        process = subprocess.Popen(
            [*MITHERM, *words],
            env=self.environment | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        return Running(process)


class Running:
    """A command that runs; killed at the latest when the context ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.read = ""
        """What of stderr was read so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def until(self, text: str) -> str:
        """Wait for a line of stderr with `text`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.read += line
            if text in line:
                return line
        raise AssertionError(f"{text!r} never came:\n{self.read}\n{self.process.stdout and self.process.stdout.read()}")

    def still_runs(self, seconds: float) -> None:
        """Let some time pass, in which it must not end."""
        with pytest.raises(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def ends(self, number: int | None = None) -> Said:
        """Send a signal, or none, and wait for the end."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Said(self.process.returncode, out, self.read + err)

    def interrupted(self) -> Said:
        """Ctrl-C."""
        return self.ends(signal.SIGINT)


@contextmanager
def served(rig: Rig) -> Iterator[tuple[Running, str]]:
    """`virtual serve` in a process of its own, and the moniker of its endpoint for clients."""
    with person_of(rig).begins("virtual", "serve", str(rig.folder), "--hci", "tcp-server:127.0.0.1:0") as server:
        line = server.until("is open")
        yield server, line.split()[1].replace("server", "client")


def person_of(rig: Rig, radio: str = "virtual", **variables: str) -> Person:
    """Whoever owns the rig's stores, with the rig's units on their radio."""
    return Person(rig.home, f"{radio}:{rig.folder}", **variables)


def error_of(document: Mapping[str, Any], kind: str, device: str | None = "unchanged") -> Mapping[str, Any]:
    """The error of a failed command: its kind, what it says of the unit, and a sentence."""
    assert_fits(document, "envelope")
    error: Mapping[str, Any] = document["error"]
    assert error["kind"] == kind, error
    assert device in (None, error["device"]), error
    assert error["message"]
    return error
