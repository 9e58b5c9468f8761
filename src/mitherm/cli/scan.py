"""`mitherm scan`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import units as documents
from mitherm.cli.options import command
from mitherm.cli.readings import reading_text
from mitherm.cli.signals import until_signal
from mitherm.cli.unit import on_bench
from mitherm.model.family import Family
from mitherm.ops.hearing.scan import ScannedUnit, scan, watch
from mitherm.ops.next_step import next_command


@command(
    "scan",
    examples="""
    mitherm scan
    mitherm scan --duration 30 --json
    mitherm --radio virtual:demo scan --watch
    """,
)
@click.option(
    "--duration", type=click.FloatRange(0), default=10.0, show_default=True, metavar="S", help="How long to listen."
)
@click.option("--watch", "watching", is_flag=True, help="Go on until Ctrl-C; one line per report.")
@click.pass_obj
def scan_command(app: App, duration: float, watching: bool) -> int:
    """List the units that can be seen, what runs on them, and what can be done next."""
    if watching:
        app.run(lambda: until_signal(_watch(app)))
        return 0

    units = on_bench(app, lambda bench: scan(bench, duration))

    def render(result: Mapping[str, Any]) -> None:
        _render(app, result)
        app.terminal.suggest(*_next_commands(units))

    return app.finish(documents.scan(units), render)


def _next_commands(units: Sequence[ScannedUnit]) -> list[str]:
    """One per unit that can be named and whose firmware is known."""
    ours = [unit for unit in units if unit.address is not None and unit.family is not Family.UNKNOWN]
    return [next_command(unit.next, unit.unit) for unit in ours]


async def _watch(app: App) -> None:
    async with app.open_bench() as bench:
        async for unit in watch(bench, None):
            line = documents.scanned_unit(unit)
            if app.settings.as_json:
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                app.terminal.say("  ".join(str(cell) for cell in _row(line) if cell not in (None, "")))


def _render(app: App, result: Mapping[str, Any]) -> None:
    if not result["units"]:
        app.terminal.say("No unit was seen. Is one powered and near?")
        return
    columns = ("address", "name", "rssi", "firmware", "format", "bound", "reading", "next")
    app.terminal.table(columns, [_row(unit) for unit in result["units"]])


def _row(unit: Mapping[str, Any]) -> tuple[object, ...]:
    firmware = " ".join(str(part) for part in (unit["firmware"]["family"], unit["firmware"]["version"]) if part)
    bound = {True: "yes", False: "no", None: "?"}[unit["bound"]]
    rssi = f"{unit['rssi_dbm']} dBm" if unit["rssi_dbm"] is not None else ""
    reading = reading_text(unit["reading"])
    return (unit["address"], unit["name"], rssi, firmware, unit["beacon_format"], bound, reading, unit["next"])
