"""A real Home Assistant, when a folder with one is there: `make homeassistant` prepares it and runs these tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.broker import Broker, free_port
from monitor.conftest import broker, mosquitto, program

__all__ = ["broker", "mosquitto", "program"]

DRIVER = Path(__file__).with_name("driver.py")
INSIDE = ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8", "/ha/bin/python"]


class Home:
    """Home Assistant as a process that is asked for the devices of an address."""

    def __init__(self, folder: Path, broker: Broker, log: Path, *addresses: str) -> None:
        root = [] if os.geteuid() == 0 else ["sudo"]
        arguments = [str(broker.port), str(free_port()), *addresses]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*root, "chroot", str(folder), *INSIDE, "-c", DRIVER.read_text(), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log
        self._told()

    def devices(self, address: str) -> list[dict[str, Any]]:
        """The devices that Home Assistant relates by this Bluetooth address."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{address}\n")
        self._process.stdin.flush()
        found: list[dict[str, Any]] = self._told()
        return found

    def state(self, address: str, component: str) -> str | None:
        """The state of an entity of ours; None: there is none, or it is disabled."""
        name = f"mitherm_{address.replace(':', '').lower()}_{component}"
        return next((one["states"][name] for one in self.devices(address) if name in one["states"]), None)

    def close(self) -> None:
        """It stops when its stdin ends."""
        self._process.communicate(timeout=60)

    def _told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"Home Assistant ended: {self._log.read_text()}"
        return json.loads(line)


@pytest.fixture
def homeassistant() -> Path:
    """The prepared folder."""
    folder = os.environ.get("MITHERM_HASS")
    if not folder:
        pytest.skip("set MITHERM_HASS to a folder of tools/homeassistant.sh (make homeassistant does both)")
    return Path(folder)


@pytest.fixture
def at_home(homeassistant: Path, broker: Broker, tmp_path: Path) -> Iterator[Callable[..., Home]]:
    """Starts Home Assistant; it has devices for the addresses already, from its BTHome integration."""
    begun: list[Home] = []

    def begin(*addresses: str) -> Home:
        begun.append(Home(homeassistant, broker, tmp_path / "homeassistant.log", *addresses))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()
