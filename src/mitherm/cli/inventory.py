"""`mitherm inventory ...`: which units exist, and what you call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import units as documents
from mitherm.cli.options import Group, command, unit_argument
from mitherm.cli.unit import unit_address
from mitherm.ops import known as ops
from mitherm.wiring.bench import open_stores


@click.group("inventory", cls=Group)
def inventory_command() -> None:
    """Which units exist, what runs on them, what you call them."""


@command(
    "list",
    examples="""
    mitherm inventory list
    mitherm inventory list --json
    """,
)
@click.pass_obj
def list_units(app: App) -> int:
    """Every unit that was ever looked at or named, as it was last seen."""
    return app.finish(documents.inventory(ops.known_units(open_stores())), lambda result: _render(app, result))


@command(
    "name",
    examples="""
    mitherm inventory name A4:C1:38:00:00:01 Cellar
    mitherm inventory name Cellar ""      (takes the name away)
    """,
)
@unit_argument()
@click.argument("name")
@click.pass_obj
def name_unit(app: App, unit: str, name: str) -> int:
    """Call UNIT by a name of yours, which every command takes from then on. An empty NAME takes it away."""
    named = ops.name_unit(open_stores(), unit_address(app, unit), name)
    address, given = named.unit.address, named.unit.name
    text = f"{address} is called {given} now." if given else f"{address} has no name now."
    return app.finish(documents.naming(named), lambda result: app.terminal.say(text))


def _render(app: App, result: Mapping[str, Any]) -> None:
    if not result["units"]:
        app.terminal.say("No unit is known yet. `mitherm info UNIT` looks at one.")
        return
    rows = [
        (
            unit["address"],
            unit["name"],
            unit["model"],
            unit["hardware"],
            " ".join(part for part in unit["firmware"].values() if part),
            unit["did"],
            (unit["last_seen"] or "")[:19].replace("T", " "),
        )
        for unit in result["units"]
    ]
    app.terminal.table(("address", "name", "model", "board", "firmware", "DID", "last seen"), rows)


for _command in (list_units, name_unit):
    inventory_command.add_command(_command)
