"""`mitherm history fetch|clear UNIT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import upkeep as documents
from mitherm.cli.options import UTC, Group, basis_of, command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.errors import FileMissing, UsageProblem
from mitherm.model.operation import Outcome
from mitherm.ops.upkeep import history
from mitherm.publish.history import merge, to_csv
from mitherm.store.atomic import write_durably

_PATH = click.Path(path_type=Path)


@click.group("history", cls=Group)
def history_command() -> None:
    """The records that a unit stored: means of half an hour on pvvx firmware, extremes of an hour on stock."""


@command(
    "fetch",
    examples="""
    mitherm history fetch A4:C1:38:00:00:01 -o cellar.csv
    mitherm history fetch Cellar --format json
    mitherm history fetch Cellar --sqlite history.db         (again and again: only new records are added)
    """,
)
@unit_argument()
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="Of FILE.")
@click.option("-o", "--output", metavar="FILE", type=_PATH, help="Write FILE instead of stdout.")
@click.option("--sqlite", "database", metavar="FILE", type=_PATH, help="Add them to a database.")
@UTC
@click.pass_obj
def fetch(app: App, unit: str, form: str, output: Path | None, database: Path | None, utc: bool) -> int:
    """Fetch all stored records of UNIT, oldest first. A lost link is made again, and fetching goes on where it ended.

    Records from before the clock was set have no date; a warning says so.
    """
    for path in (output, database):
        _check_place(path)
    transfer = on_bench(app, lambda bench: history.fetch(bench, unit, basis_of(utc)))
    if output is not None:
        write_durably(output, _text(transfer, form).encode())
    added = merge(database, str(transfer.address), transfer.family, transfer.records) if database is not None else None
    result = documents.history(transfer, file=output, database=database, added=added)

    def render(result: Any) -> None:
        if output is None and database is None:
            sys.stdout.write(_text(transfer, form))
            return
        if output is not None:
            app.terminal.say(f"{len(transfer.records)} records are in {output}.")
        if database is not None:
            app.terminal.say(f"{len(transfer.records)} records fetched, {added} of them new in {database}.")

    return app.finish(result, render)


def _check_place(path: Path | None) -> None:
    """Before minutes of fetching."""
    if path is None:
        return
    if path.is_dir():
        raise UsageProblem(f"{path} is a directory", hint="name a file")
    if not path.parent.is_dir():
        raise FileMissing(f"there is no directory {path.parent}")


def _text(transfer: history.History, form: str) -> str:
    if form == "csv":
        return to_csv(transfer.family, transfer.records)
    return json.dumps(documents.history_file(transfer), indent=1) + "\n"


@command("clear", examples="mitherm history clear A4:C1:38:00:00:01")
@unit_argument()
@click.pass_obj
def clear(app: App, unit: str) -> int:
    """Erase the stored records of UNIT. Refused on pvvx up to 3.7, where that destroys the hardware string too."""
    outcome = on_bench(app, lambda bench: history.clear(bench, unit))
    text = {
        Outcome.VERIFIED: "The stored records are gone.",
        Outcome.DRY_RUN: "Dry run: the stored records would be erased; nothing was.",
    }.get(outcome, "Nothing to do: the unit has no stored records.")
    return app.finish(documents.history_clearing(outcome), lambda result: app.terminal.say(text))


for _command in (fetch, clear):
    history_command.add_command(_command)
