"""`mitherm history` on virtual units: whole, over links that break, into files that grow together."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from units import Units

from mitherm.protocol.pvvx.structs import HistoryRecord
from mitherm.protocol.stock import HistoryRecord as Hour
from mitherm.protocol.uuids import CUSTOM_COMMAND, STOCK_RECORDS
from mitherm.virtual.faults import Fault
from mitherm.virtual.unit import Unit

PVVX, STOCK, OLD, ATC, OLDER = (f"A4:C1:38:00:00:0{number}" for number in range(1, 6))
START = 1_780_000_000
COUNT = 900


@pytest.fixture
def units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Units:
    """Units with a past."""
    specs = ("pvvx-5.8", "stock-1.0.0_0130", "pvvx-3.6", "atc1441", "pvvx-2.0")
    found = Units(tmp_path / "units", capsys, *specs)
    for number in (0, 2, 4):
        found.unit(number, fill_pvvx)
    found.unit(1, fill_stock)
    return found


def fill_pvvx(unit: Unit) -> None:
    for number in range(COUNT):
        record = HistoryRecord(START + 1800 * number, 2000 + number, 5000 - number, 2900)
        unit.firmware.ring.append(record)  # type: ignore[union-attr]


def fill_stock(unit: Unit) -> None:
    for number in range(1, 101):
        unit.firmware.vendor.history.append(Hour(number, START + 3600 * number, 25.5, 60, 20.1, 40))  # type: ignore[union-attr]


def whole(result: dict[str, object]) -> bool:
    """Whether every record is there once, in order."""
    records = result["records"]
    return [row["clock_s"] for row in records] == [START + 1800 * number for number in range(COUNT)]  # type: ignore[attr-defined]


# --- fetching ---------------------------------------------------------------------------------------------------------


def test_means_of_pvvx(units: Units) -> None:
    """All of them, oldest first, in units."""
    result = units.say("history fetch", PVVX, "--utc")
    assert whole(result)
    assert result["records"][0] == {  # type: ignore[index]
        "time": "2026-05-28T20:26:40.000000Z",
        "clock_s": START,
        "temperature_c": 20.0,
        "humidity_pct": 50.0,
        "battery_mv": 2900,
    }
    assert (result["links"], result["undated"], result["gaps"], result["missing"]) == (1, 0, 0, 0)


def test_hours_of_stock(units: Units) -> None:
    """Extremes of each hour."""
    result = units.say("history fetch", STOCK, "--utc")
    assert (result["family"], result["count"]) == ("stock", 100)
    last = result["records"][-1]  # type: ignore[index]
    assert (last["record"], last["temperature_max_c"], last["humidity_min_pct"]) == (100, 25.5, 40)


@pytest.mark.parametrize(("number", "address"), [(0, PVVX), (2, OLD), (4, OLDER)])
@pytest.mark.parametrize("places", [[300], [300, 350], [3]])
def test_goes_on_after_a_lost_link(units: Units, number: int, address: str, places: list[int]) -> None:
    """Nothing twice, nothing missing; 2.0 knows no start index and begins anew."""
    for place in places:
        units.fault(number, Fault("disconnect", f"notify:{CUSTOM_COMMAND}", n=place))
    result = units.say("history fetch", address)
    assert whole(result)
    assert result["links"] > 1  # type: ignore[operator]


@pytest.mark.parametrize("place", [2, 400, 901, 902])
def test_lost_frames_are_asked_for_again(units: Units, place: int) -> None:
    """A frame that the host dropped, the end frame too."""
    units.fault(0, Fault("lose", f"notify:{CUSTOM_COMMAND}", n=place))
    assert whole(units.say("history fetch", PVVX))


def test_stock_goes_on_after_a_lost_link_and_frame(units: Units) -> None:
    """By the number of the record."""
    units.fault(1, Fault("disconnect", f"notify:{STOCK_RECORDS}", n=40), Fault("lose", f"notify:{STOCK_RECORDS}", n=7))
    result = units.say("history fetch", STOCK)
    assert [row["record"] for row in result["records"]] == list(range(1, 101))  # type: ignore[attr-defined]
    assert (result["missing"], result["links"] > 1) == (0, True)  # type: ignore[operator]


def test_gives_up_where_nothing_comes(units: Units) -> None:
    """Every link breaks before the first record: exit 1 with how far it came."""
    units.fault(0, Fault("lose", f"notify:{CUSTOM_COMMAND}", n=0))
    assert "records had come" in str(units.say("history fetch", PVVX, code=1)["hint"])


def test_records_without_a_date_are_warned_about(units: Units) -> None:
    """A clock that was never set counts from 1970."""
    units.unit(0, lambda unit: unit.firmware.ring.append(HistoryRecord(5400, 2000, 5000, 2900)))  # type: ignore[union-attr]
    _, talk = units.text("history", "fetch", PVVX)
    assert "1 of 901 records have no date" in talk
    assert "clock set" in talk
    result = units.say("history fetch", PVVX)
    assert (result["undated"], result["gaps"], result["records"][-1]["time"]) == (1, 1, None)  # type: ignore[index]


def test_atc1441_stores_nothing(units: Units) -> None:
    """Exit 2."""
    units.say("history fetch", ATC, code=2)
    units.say("history clear", ATC, "--yes", code=2)


# --- files ------------------------------------------------------------------------------------------------------------


def test_csv_and_json(units: Units, tmp_path: Path) -> None:
    """The same records on stdout and in files."""
    out, _ = units.text("history", "fetch", PVVX)
    rows = list(csv.DictReader(out.splitlines()))
    assert (len(rows), rows[1]["temperature_c"]) == (COUNT, "20.01")
    result = units.say("history fetch", PVVX, "--format", "json", "-o", str(tmp_path / "h.json"))
    assert (result["records"], result["changed"]) == (None, True)
    assert len(json.loads((tmp_path / "h.json").read_text())["records"]) == COUNT


def test_a_database_grows_by_what_is_new(units: Units, tmp_path: Path) -> None:
    """Fetched again: nothing; one record more: that one."""
    path = str(tmp_path / "history.db")
    assert units.say("history fetch", PVVX, "--sqlite", path)["added"] == COUNT
    again = units.say("history fetch", PVVX, "--sqlite", path)
    assert (again["added"], again["changed"]) == (0, False)
    units.unit(0, lambda unit: unit.firmware.ring.append(HistoryRecord(START * 2 % 2**31, 1, 2, 3)))  # type: ignore[union-attr]
    assert units.say("history fetch", PVVX, "--sqlite", path)["added"] == 1
    assert units.say("history fetch", STOCK, "--sqlite", path)["added"] == 100
    with sqlite3.connect(path) as database:
        counts = [database.execute(f"SELECT count(*) FROM {name}_history").fetchone()[0] for name in ("pvvx", "stock")]
    database.close()
    assert counts == [COUNT + 1, 100]


def test_bad_places(units: Units, tmp_path: Path) -> None:
    """Folders, missing folders, files of something else."""
    (tmp_path / "letter.txt").write_text("Dear database, " * 100)
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    units.say("history fetch", PVVX, "-o", str(tmp_path), code=2)
    units.say("history fetch", PVVX, "-o", str(tmp_path / "no" / "h.csv"), code=3)
    units.say("history fetch", PVVX, "--sqlite", str(tmp_path / "letter.txt"), code=2)
    units.say("history fetch", PVVX, "--sqlite", str(tmp_path / "other.db"), code=2)


# --- clearing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PVVX, STOCK])
def test_clear(units: Units, address: str) -> None:
    """Asked, done, seen; the second time there is nothing to do."""
    assert units.say("history clear", address, code=2)["kind"] == "AnswerNeeded"
    assert units.say("history clear", address, "--yes", "--dry-run")["outcome"] == "dry-run"
    assert units.say("history clear", address, "--yes")["outcome"] == "verified"
    assert units.say("history fetch", address)["count"] == 0
    assert units.say("history clear", address, "--yes")["changed"] is False


@pytest.mark.parametrize(("number", "address"), [(2, OLD), (4, OLDER)])
def test_clearing_old_pvvx_is_refused(units: Units, number: int, address: str) -> None:
    """Up to 3.7 it would destroy the hardware string: exit 2, and the flash is as before."""
    before = units.flash(number)
    assert "hardware string" in str(units.say("history clear", address, "--yes", code=2)["message"])
    assert units.flash(number) == before
