"""The command line over genuine BlueZ: bleak, D-Bus, bluetoothd, kernel, /dev/vhci, and a virtual unit behind it.

The tests tell one story in order: the unit is found, activated and flashed, then things go wrong.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from mitherm.cli.app import run
from mitherm.image.synth import package

pytestmark = pytest.mark.timeout(600)

UNIT = "A4:C1:38:00:00:01"
OTHER = "A4:C1:38:00:00:02"
NOBODY = "A4:C1:38:99:99:99"
READY_S = 180.0
SERVE = [sys.executable, "-m", "mitherm", "virtual", "serve"]


class Stack:
    """An adapter with virtual units in its range, and one user's stores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "units"

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """A command with --json, in this process: starting one takes long on an emulated machine."""
        began, out = time.monotonic(), io.StringIO()
        with redirect_stdout(out):
            ended = run([*arguments, "--json", "--yes", "-v"])
        print(f"$ mitherm {' '.join(arguments)}: exit {ended} after {time.monotonic() - began:.1f} s", out.getvalue())
        assert ended == code
        document: dict[str, Any] = json.loads(out.getvalue())
        return document["result"] if code == 0 else document["error"]

    def image(self, kind: str) -> str:
        """A synthetic image as a file."""
        path = self.folder / f"{kind}.bin"
        path.write_bytes(package(kind))
        return str(path)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The stores of one user for the whole story."""
    folder = tmp_path_factory.mktemp("realstack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITHERM_ALLOW_SYNTHETIC", "1")
        yield folder


@pytest.fixture(autouse=True)
def one_home(user: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same home for every test, unlike elsewhere."""
    monkeypatch.setenv("MITHERM_HOME", str(user / "home"))


@pytest.fixture(scope="module")
def stack(user: Path) -> Iterator[Stack]:
    """One dongle in the kernel for all tests."""
    stack = Stack(user)
    units = [f"stock-1.0.0_0130,address={UNIT}", f"pvvx-5.8,address={OTHER},name=Cellar"]
    stack.run("virtual", "create", str(stack.units), *(part for unit in units for part in ("--unit", unit)))
    with subprocess.Popen([*SERVE, str(stack.units), "--hci", "vhci"]) as server:
        try:
            power("true")
            yield stack
        finally:
            server.terminate()


def power(on: str) -> None:
    """Switch the adapter; it may still be about to appear."""
    until = time.monotonic() + READY_S
    adapter = ["/org/bluez/hci0", "org.bluez.Adapter1", "Powered"]
    while subprocess.run(
        ["busctl", "set-property", "org.bluez", *adapter, "b", on], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        assert time.monotonic() < until, "no adapter appeared"
        time.sleep(1)


def by_address(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {unit["address"]: unit for unit in found["units"]}


def test_scan(stack: Stack) -> None:
    """Both units with name, family and format; the reading of the one that tells it."""
    units = by_address(stack.run("scan", "--duration", "15"))
    stock, custom = units[UNIT], units[OTHER]
    assert (stock["name"], stock["firmware"]["family"], stock["beacon_format"]) == ("LYWSD03MMC", "stock", "mibeacon")
    assert (custom["name"], custom["firmware"]["family"], custom["beacon_format"]) == ("Cellar", "pvvx", "bthome2")
    assert custom["reading"]["temperature_c"] == pytest.approx(21.5)
    assert stock["rssi_dbm"] < 0


def test_info(stack: Stack) -> None:
    """Identified over a connection, a second one finds out that it is not bound."""
    unit = stack.run("info", UNIT)["unit"]
    assert (unit["model"], unit["firmware"]) == ("LYWSD03MMC", {"family": "stock", "version": "1.0.0_0130"})
    assert (unit["hardware"], unit["bound"], unit["confidence"]) == ("B1.4", False, "high")


def test_info_of_pvvx(stack: Stack) -> None:
    """Commands and their notifications get across."""
    unit = stack.run("info", OTHER)["unit"]
    assert unit["firmware"] == {"family": "pvvx", "version": "5.8"}
    assert 2900 <= unit["battery_mv"] <= 3000


def test_activate_and_login(stack: Stack) -> None:
    """New keys are in the vault and open the unit."""
    assert [key["address"] for key in stack.run("activate", UNIT)["keys"]] == [UNIT]
    stack.run("login", UNIT)


def test_flash(stack: Stack) -> None:
    """5,400 blocks at the pace of the stack, a reboot, another attribute table."""
    done = stack.run("flash", UNIT, stack.image("pvvx-5.8"))
    assert (done["outcome"], done["after"]["firmware"]) == ("verified", {"family": "pvvx", "version": "5.8"})
    units = by_address(stack.run("scan", "--duration", "10"))
    assert (units[UNIT]["name"], units[UNIT]["beacon_format"]) == ("ATC_000001", "bthome2")


def test_a_unit_that_is_not_there(stack: Stack) -> None:
    """Exit 3."""
    assert stack.run("--timeout", "8", "info", NOBODY, code=3)["kind"] == "DeviceNotFound"


def test_an_adapter_that_is_not_there(stack: Stack) -> None:
    """Exit 6, and the remedy names bluetoothctl."""
    missing = stack.run("--radio", "system:hci7", "scan", code=6)
    assert missing["kind"] == "RadioUnavailable" and "bluetoothctl" in missing["hint"]


def test_no_bus(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 6: no Bluetooth service."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    silent = stack.run("scan", code=6)
    assert silent["kind"] == "RadioUnavailable" and "systemctl start bluetooth" in silent["hint"]


def test_an_adapter_that_is_off(stack: Stack) -> None:
    """Exit 6, and the remedy says how to switch it on; then it works again."""
    power("false")
    off = stack.run("scan", code=6)
    assert off["kind"] == "RadioUnavailable" and "power on" in off["hint"]
    power("true")
    assert UNIT in by_address(stack.run("scan", "--duration", "10"))
