"""A broker, and `mitherm monitor` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.broker import Broker, Listener, find_mosquitto
from rig import Rig


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """The program; without it, and without a way to install it, the tests of real brokers cannot run."""
    path = find_mosquitto()
    if path is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto), and only root may install it")
    return path


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that takes everybody."""
    one = Broker(mosquitto, tmp_path / "broker")
    one.start()
    yield one
    one.kill()


@pytest.fixture
def listen() -> Iterator[Callable[[Broker], Listener]]:
    """Listeners that leave at the end."""
    begun: list[Listener] = []

    def begin(broker: Broker) -> Listener:
        begun.append(Listener(broker))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


class Program:
    """`mitherm monitor` of a rig; stdout goes to a file."""

    def __init__(self, rig: Rig, *arguments: str, **environment: str) -> None:
        self.output = rig.folder.parent / f"stdout-{len(list(rig.folder.parent.glob('stdout-*')))}"
        self._errors = self.output.with_suffix(".err")
        command = [sys.executable, "-m", "mitherm", "--radio", f"virtual:{rig.folder}", "monitor", *arguments]
        with self.output.open("wb") as out, self._errors.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "MITHERM_HOME": str(rig.home), **environment},
            )

    def lines(self) -> list[dict[str, Any]]:
        """JSON Lines written so far."""
        return [json.loads(line) for line in self.output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def readings(self) -> list[tuple[str, str]]:
        """(object id, time) of every reading written so far."""
        return [
            (line["address"].replace(":", "").lower(), line["time"])
            for line in self.lines()
            if line["event"] == "reading"
        ]

    @property
    def errors(self) -> str:
        """stderr so far."""
        return self._errors.read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(timeout=20)


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    """Programs that are gone at the end."""
    begun: list[Program] = []

    def begin(rig: Rig, *arguments: str, **environment: str) -> Program:
        begun.append(Program(rig, *arguments, **environment))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
