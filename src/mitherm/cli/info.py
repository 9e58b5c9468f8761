"""`mitherm info UNIT`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import units as documents
from mitherm.cli.options import command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.ops.info import info


@command(
    "info",
    examples="""
    mitherm info A4:C1:38:00:00:01
    mitherm --radio virtual:demo info a4c138000001 --json
    """,
)
@unit_argument()
@click.pass_obj
def info_command(app: App, unit: str) -> int:
    """Connect to UNIT and say what it is: model, board, firmware, battery, identity, and how sure that is."""
    document = documents.info(on_bench(app, lambda bench: info(bench, unit)))
    return app.finish(document, lambda result: _render(app, result["unit"]))


def _render(app: App, unit: Mapping[str, Any]) -> None:
    firmware = " ".join(str(part) for part in (unit["firmware"]["family"], unit["firmware"]["version"]) if part)
    battery = ", ".join(
        text for text in (_with(unit["battery_mv"], "mV"), _with(unit["battery_pct"], "%")) if text is not None
    )
    app.terminal.facts(
        [
            ("address", unit["address"]),
            ("name", unit["name"]),
            ("model", unit["model"]),
            ("hardware", unit["hardware"]),
            ("firmware", firmware),
            ("battery", battery),
            ("bound", {True: "yes", False: "no", None: "not known"}[unit["bound"]]),
            ("DID", unit["did"]),
            ("signal", _with(unit["rssi_dbm"], "dBm")),
            ("confidence", unit["confidence"]),
            ("next", unit["next"]),
        ]
    )
    for reason in unit["evidence"]:
        app.terminal.say(f"  - {reason}")
    if unit["next"] is not None:
        app.terminal.suggest(unit["next"].command(unit["address"]))


def _with(value: object, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"
