"""`mitherm monitor --mqtt` and the real Home Assistant: what a user sees there of a mixed fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor import fleet
from monitor.broker import Broker, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TEMPERATURES = {str(address): float(f"20.{address.compact[-1]}") for address in fleet.READABLE}
KNOWN = str(fleet.PVVX_BTHOME)
"""Home Assistant has a device for it from its own BTHome integration."""
ATC = str(fleet.ATC1441)
WAIT_S = 120


def test_home_assistant_shows_the_fleet(
    at_home: Callable[..., Any], broker: Broker, program: Callable[..., Any], tmp_path: Path
) -> None:
    """Values, one device per unit related to the one it had, nothing unreadable; unavailable once the bridge is killed."""
    home = at_home(KNOWN)
    assert [one["domains"] for one in home.devices(KNOWN)] == [["bthome"]]
    rig = fleet.mixed_fleet(tmp_path / "fleet")
    rig.run(lambda bench: asyncio.sleep(100))  # stock firmware sends its first values late
    running = program(rig, "--mqtt", f"mqtt://127.0.0.1:{broker.port}")
    for address in TEMPERATURES:
        wait_for(f"values of {address}", lambda address=address: _has(home, address), WAIT_S)
        others = [["bthome"]] if address == KNOWN else []
        assert sorted(one["domains"] for one in home.devices(address)) == [*others, ["mqtt"]]
    assert home.devices(ATC)[0]["name"] == "Bath"
    assert (home.state(ATC, "humidity"), home.state(ATC, "problem")) == ("45", "off")
    states = home.devices(ATC)[0]["states"]
    assert [name for name, state in states.items() if state is None] == [f"mitherm_{fleet.ATC1441.compact}_rssi"]
    for unreadable in (fleet.UNBOUND, fleet.WRONG_KEY, fleet.SILENT):
        assert home.devices(str(unreadable)) == []
    running.process.kill()
    wait_for("all unavailable", lambda: _all_states(home) == {"unavailable"})


def _has(home: Any, address: str) -> bool:
    """Stock firmware sends temperature and humidity a minute apart: either will do."""
    quantity, value = ("humidity", 45.0) if address == str(fleet.BOUND) else ("temperature", TEMPERATURES[address])
    state = home.state(address, quantity)
    return state not in (None, "unknown", "unavailable") and float(state) == value


def _all_states(home: Any) -> set[str]:
    """Of all enabled entities of the fleet."""
    return {
        state
        for address in TEMPERATURES
        for device in home.devices(address)
        for state in device["states"].values()
        if state is not None
    }
