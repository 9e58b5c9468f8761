"""`mitherm flash UNIT IMAGE`."""

from __future__ import annotations

from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.options import command, unit_argument
from mitherm.cli.update import carry_out
from mitherm.cli.waivers import waived, waiver_options
from mitherm.ops.updating.flash import flash


@command(
    "flash",
    examples="""
    mitherm flash A4:C1:38:00:00:01 ATC_v58.bin
    mitherm --radio virtual:demo flash a4c138000001 pvvx-5.8 --yes --json
    """,
)
@unit_argument()
@click.argument("image")
@click.option(
    "--image",
    "signs",
    multiple=True,
    metavar="FILE|NAME",
    help="A sign file, where the running firmware wants one. Repeatable.",
)
@click.option(
    "--pace",
    type=click.Choice(["auto", "fast", "safe"]),
    default="auto",
    show_default=True,
    help="auto begins fast and falls back to safe by itself.",
)
@waiver_options("flash", "activate")
@click.pass_obj
def flash_command(app: App, /, unit: str, image: str, signs: tuple[str, ...], pace: Any, **options: Any) -> int:
    """Put IMAGE (a file, or a name in the library) on UNIT: plan, guards, login or activation, transfer, verification.

    Exit codes: 4 a guard refused and nothing was written, 5 keys, 8 transferred but not seen running.
    """

    return carry_out(app, waived(options), lambda bench: flash(bench, unit, image, signs=signs, pace=pace))
