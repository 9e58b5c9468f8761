"""`mitherm activate UNIT`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents.keys import activation
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.cli.waivers import waived, waiver_options
from mitherm.ops.keys.activate import activate
from mitherm.ops.next_step import after_login


@command(
    "activate",
    examples="""
    mitherm activate A4:C1:38:00:00:01
    mitherm --radio virtual:demo activate a4c138000001 --reveal --json
    """,
)
@unit_argument()
@click.option("--reveal", is_flag=True, help="Show token and bind key.")
@waiver_options("activate")
@click.pass_obj
def activate_command(app: App, /, unit: str, reveal: bool, **options: Any) -> int:
    """Register an unbound stock unit (1.0.0_0109, 1.0.0_0130): it gets new keys, which are in the vault, read back from
    disk, before the unit commits them. A bound unit is refused (rule H9) unless the vault can log in to it.
    """

    done = on_bench(app, lambda bench: activate(bench, unit), waived(options))

    def render(result: Mapping[str, Any]) -> None:
        if done.generation is None:
            app.terminal.say("Dry run: the unit would be registered and get new keys; nothing was written.")
            return
        if not result["changed"]:
            app.terminal.say("Nothing to do: the vault's keys open this unit already.")
        render_keys(app, result)
        app.terminal.suggest(after_login(done.generation.address))

    return app.finish(activation(done, reveal), render)
