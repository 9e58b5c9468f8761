"""`mitherm bring UNIT --to GOAL`."""

from __future__ import annotations

from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.options import command, unit_argument
from mitherm.cli.update import carry_out
from mitherm.cli.waivers import waived, waiver_options
from mitherm.ops.updating.flash import bring


@command(
    "bring",
    examples="""
    mitherm bring A4:C1:38:00:00:01 --to pvvx
    mitherm bring Cellar --to mi-home-ready --image Original_1.0.0_0130.bin
    mitherm --radio virtual:demo bring a4c138000001 --to stock --yes --json
    """,
)
@unit_argument()
@click.option("--to", "goal", required=True, metavar="GOAL", help="pvvx, atc1441, stock or mi-home-ready.")
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="FILE|NAME",
    help="An image the plan may use. Repeatable; else the library.",
)
@click.option("--fresh", is_flag=True, help="With mi-home-ready: erase a DID that looks genuine too.")
@click.option("--pace", type=click.Choice(["auto", "fast", "safe"]), default="auto", show_default=True)
@waiver_options("flash", "activate", "erase")
@click.pass_obj
def bring_command(
    app: App, /, unit: str, goal: str, images: tuple[str, ...], fresh: bool, pace: Any, **options: Any
) -> int:
    """Bring UNIT to GOAL from whatever state it is in.

    Looks at the unit, plans, shows the steps, checks all guards before the first byte, does one step, looks again. After
    any interruption say the same again: nothing is lost and nothing is done twice.
    """

    return carry_out(
        app, waived(options), lambda bench: bring(bench, unit, goal, images=images, fresh=fresh, pace=pace)
    )
