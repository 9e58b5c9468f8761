"""The live view: what stands where, trends, ages, warnings."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta

import pytest
from rich.console import Console

from mitherm.cli.live_table import LiveTable, age_text, sparkline
from mitherm.cli.monitor import footer, text_line
from mitherm.protocol.events import Notice
from monitor.reports import BEGUN, StillGateway, report


def drawn(*reports: object, notices: tuple[Notice, ...] = (), age_s: float = 3.0) -> list[str]:
    """The lines of the view."""
    console = Console(file=io.StringIO(), width=130)
    table = LiveTable(console, lambda counters: f"the footer of {counters['mitherm_units']['']} units")
    gateway = StillGateway({"mitherm_units": {"": 2}}, {"A4:C1:38:0A:0B:0C": age_s})
    asyncio.run(table.open(gateway))
    for one in reports:
        table.take(one)  # type: ignore[arg-type]
    for notice in notices:
        table.tell(notice)
    console.print(table.render())
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_a_row() -> None:
    """Name, address, values, battery, signal, age, format, key."""
    values = {"temperature": 21.37, "humidity": 45.12, "battery": 87, "voltage": 2.983}
    lines = drawn(report(values, key="right"))
    row = next(line for line in lines if "ATC_0A0B0C" in line)
    assert row.split() == [
        "ATC_0A0B0C",
        "A4:C1:38:0A:0B:0C",
        "21.37",
        "45.12",
        "▅",
        "87",
        "%",
        "2.98",
        "-60",
        "dBm",
        "3",
        "s",
        "pvvx",
        "✓",
        "key",
    ]


def test_a_unit_has_one_row_with_its_last_state() -> None:
    """A later report replaces the earlier; a fault is said where the key stands."""
    lines = drawn(report(), report({"temperature": 22.0}, event="fault", fault=True))
    rows = [line for line in lines if "A4:C1:38:0A:0B:0C" in line]
    assert len(rows) == 1
    assert "22.00" in rows[0]
    assert "sensor fails" in rows[0]


@pytest.mark.parametrize(("key", "word"), [("missing", "no key"), ("wrong", "wrong key"), ("changed", "key changed")])
def test_keys_that_do_not_fit(key: str, word: str) -> None:
    """In words."""
    assert any(word in line for line in drawn(report({}, key=key)))


def test_notices_stand_below() -> None:
    """The last three, after the footer."""
    notices = tuple(Notice("warning", f"trouble {number}") for number in range(5))
    lines = [line.strip() for line in drawn(report(), notices=notices)]
    assert lines[-4:] == ["the footer of 2 units", "! trouble 2", "! trouble 3", "! trouble 4"]


def test_markup_in_names_is_shown_as_it_is() -> None:
    """Names come over the air."""
    assert any("[red]x[/]" in line for line in drawn(report(name="[red]x[/]")))


def test_trends() -> None:
    """Rising and falling; little changes stay in the middle; long courses are squeezed."""
    assert sparkline([]) == ""
    assert sparkline([20.0, 21.0, 22.0]) == "▁▅█"
    assert sparkline([22.0, 20.0]) == "█▁"
    assert sparkline([20.0, 20.1]) == "▄▅"
    assert len(sparkline([float(number) for number in range(500)])) == 12


def test_the_trend_takes_a_sample_now_and_then() -> None:
    """Ten readings in one second are one sample."""
    quick = [report({"temperature": 20.0 + number}, at=BEGUN + timedelta(seconds=number / 10)) for number in range(10)]
    later = report({"temperature": 22.0}, at=BEGUN + timedelta(seconds=60))
    row = next(line for line in drawn(*quick, later) if "0B:0C" in line)
    assert "▁█" in row


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (-1, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2 h"), (300_000, "3 d")]
)
def test_ages(seconds: float, text: str) -> None:
    """One number and its unit."""
    assert age_text(seconds) == text


def test_lines_for_people() -> None:
    """Where there is no terminal."""
    assert text_line(report()) == "12:00:00  A4:C1:38:0A:0B:0C  ATC_0A0B0C  -60 dBm  pvvx  21.37 °C  45.12 %\n"
    assert text_line(report({}, event="silent")).endswith("pvvx  silent\n")
    assert text_line(report({}, key="wrong")).endswith("wrong key\n")


def test_the_footer() -> None:
    """Counts in words; nothing about what did not happen."""
    counters: dict[str, dict[str, float]] = {
        "mitherm_frames_total/result": {"new": 3, "duplicate": 4, "error:no-key": 2},
        "mitherm_adverts_dropped_total": {"": 0},
        "mitherm_units": {"": 2},
        "mitherm_sink_sent_total/sink": {"table": 3, "mqtt": 5},
        "mitherm_sink_dropped_total/sink": {"table": 0, "mqtt": 1},
        "mitherm_sink_waiting/sink": {"table": 0, "mqtt": 0},
    }
    assert footer(counters) == "2 units · 9 frames, 3 new · not read: no-key 2 · mqtt: 5 sent, 1 dropped"
