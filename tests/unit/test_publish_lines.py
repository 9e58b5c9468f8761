"""JSON Lines, CSV, feeds: nothing waits, what is dropped is counted."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime

from helpers import assert_fits
from mitherm.cli.documents import lines
from mitherm.cli.documents.lines import CSV_COLUMNS, csv_header, csv_line, json_line
from mitherm.publish.lines import LineSink
from mitherm.publish.sink import Feed
from monitor.reports import report


def test_a_json_line_fits_its_schema() -> None:
    """Names with units, exact decimals, ISO time; what is not known is null."""
    line = json_line(report({"temperature": 21.37, "voltage": 2.983, "count": 3}))
    assert line.endswith("}\n")
    fields = json.loads(line)
    assert_fits(fields, "monitor --json")
    assert fields["time"] == "2026-01-01T12:00:00.000Z"
    assert (fields["temperature_c"], fields["battery_mv"], fields["humidity_pct"]) == (21.37, 2983, None)
    assert fields["more"] == {"count": 3}
    assert fields["received"] == ["battery_mv", "count", "temperature_c"]


def test_repeated_quantities_are_numbered() -> None:
    """The first one is the unit's temperature."""
    fields = lines.report(report({"temperature": [20.0, 30.5]}))
    assert fields["temperature_c"] == 20.0
    assert fields["more"] == {"temperature_c_2": 30.5}


def test_csv_can_be_read_back() -> None:
    """A name with a comma and quotes stays one cell; unknown cells are empty."""
    text = csv_header() + csv_line(report(name='Bath, "upper"'))
    (row,) = csv.DictReader(io.StringIO(text))
    assert set(row) == set(CSV_COLUMNS)
    assert (row["name"], row["temperature_c"], row["battery_mv"], row["available"]) == (
        'Bath, "upper"',
        "21.37",
        "",
        "true",
    )


async def test_a_full_feed_drops_the_oldest_and_counts() -> None:
    """`put` never waits."""
    feed = Feed(limit=3)
    for second in range(5):
        feed.put(report(at=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)))
    feed.close()
    assert [one.at.second for one in await feed.batch()] == [2, 3, 4]
    assert feed.dropped == 2
    assert await feed.batch() == []


async def test_a_reader_waits_for_the_next_report() -> None:
    """A batch has at least one report."""
    feed = Feed()
    waiting = asyncio.create_task(feed.batch())
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.put(report())
    assert len(await waiting) == 1


async def test_lines_reach_the_stream_with_one_header() -> None:
    """Everything that was put before the end."""
    stream = io.StringIO()
    sink = LineSink("csv", stream, csv_line, csv_header())
    for _ in range(3):
        sink.feed.put(report())
    sink.feed.close()
    await sink.run()
    assert len(stream.getvalue().splitlines()) == 4
    assert (sink.sent, sink.dropped) == (3, 0)
