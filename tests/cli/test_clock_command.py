"""`mitherm clock` on virtual units."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from units import Units

from mitherm.ops.upkeep.clock import count, moment

PVVX, STOCK, ATC, OLD = (f"A4:C1:38:00:00:0{number}" for number in range(1, 5))
SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This computer stands in a zone with summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Units:
    return Units(tmp_path / "units", capsys, "pvvx-5.8", "stock-1.0.0_0130", "atc1441", "pvvx-1.2")


@pytest.mark.parametrize("address", [PVVX, STOCK])
def test_set_and_read_back(units: Units, address: str) -> None:
    """From never set to right, in local time."""
    assert units.say("clock show", address)["time"] is None
    result = units.say("clock set", address)
    assert (result["outcome"], result["changed"]) == ("verified", True)
    after = result["after"]
    assert abs(after["error_s"]) < 2  # type: ignore[index]
    offset = datetime.now(UTC).astimezone().utcoffset()
    assert offset is not None
    read = datetime.fromisoformat(after["time"]).timestamp()  # type: ignore[index]
    assert after["clock_s"] - read == offset.total_seconds()  # type: ignore[index]


def test_utc(units: Units) -> None:
    """--utc sets UTC; taken for local time that is an hour or two behind."""
    after = units.say("clock set", PVVX, "--utc")["after"]
    assert abs(after["clock_s"] - time.time()) < 10  # type: ignore[index]
    assert units.say("clock show", PVVX)["error_s"] < -3000  # type: ignore[operator]


def test_dry_run(units: Units) -> None:
    """Nothing is written."""
    assert units.say("clock set", PVVX, "--dry-run")["outcome"] == "dry-run"
    assert units.say("clock show", PVVX)["time"] is None


def test_no_clock(units: Units) -> None:
    """atc1441, and pvvx before 1.8: exit 2."""
    units.say("clock show", ATC, code=2)
    units.say("clock set", OLD, code=2)


def test_local_time_and_back() -> None:
    """The unit counts local time: 14:00 in summer, 13:00 in winter for 12:00 UTC."""
    assert count(SUMMER, "local") - count(SUMMER, "utc") == 7200
    winter = SUMMER.replace(month=1)
    assert count(winter, "local") - count(winter, "utc") == 3600
    for basis in ("local", "utc"):
        assert moment(count(SUMMER, basis), basis) == SUMMER  # type: ignore[arg-type]
    assert moment(86400, "local") is None
