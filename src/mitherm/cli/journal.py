"""`mitherm journal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import units as documents
from mitherm.cli.options import command
from mitherm.cli.unit import unit_address
from mitherm.ops.known import journal
from mitherm.protocol.events import Notice
from mitherm.wiring.bench import open_stores


@command(
    "journal",
    examples="""
    mitherm journal
    mitherm journal --unit A4:C1:38:00:00:01 --limit 5 --json
    """,
)
@click.option("--unit", metavar="UNIT", help="Only what was done to this unit.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the last N operations.")
@click.pass_obj
def journal_command(app: App, unit: str | None, limit: int | None) -> int:
    """What was done, to which unit, how far it got, which guards were waived. The newest stands last."""
    address = unit_address(app, unit) if unit is not None else None
    runs = journal(open_stores(), address, limit=limit)
    if damaged := open_stores().journal.damaged_lines():
        app.terminal.tell(Notice("warning", f"{damaged} lines of the journal are damaged and left out"))
    return app.finish(documents.journal(runs, damaged), lambda result: _render(app, result))


def _render(app: App, result: Mapping[str, Any]) -> None:
    if not result["entries"]:
        app.terminal.say("Nothing was done yet.")
        return
    columns = ("started", "operation", "unit", "steps", "waived", "outcome")
    app.terminal.table(columns, [_cells(entry) for entry in result["entries"]])


def _cells(entry: Mapping[str, Any]) -> tuple[object, ...]:
    outcome = entry["outcome"] or "cut off"
    return (
        entry["started"][:19].replace("T", " "),
        entry["operation"],
        entry["address"],
        ", ".join(entry["steps"]),
        ", ".join(entry["waivers"]),
        f"{outcome}: {entry['error']}" if entry["error"] else outcome,
    )
