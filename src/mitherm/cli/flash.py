"""`mitherm flash UNIT IMAGE`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.bench import open_bench
from mitherm.cli.context import App
from mitherm.cli.options import command, unit_argument
from mitherm.cli.waivers import waived, waiver_options
from mitherm.ops.flash import flash, report


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

    async def work() -> dict[str, object]:
        async with open_bench(app, waivers=waived(options)) as bench:
            return report(await flash(bench, unit, image, signs=signs, pace=pace))

    return app.finish(app.run(work), lambda result: render(app, result))


def render(app: App, result: Mapping[str, Any]) -> None:
    """What was done, in a few lines."""
    firmware = result["after"]["firmware"]
    runs = " ".join(str(part) for part in (firmware["family"], firmware["version"]) if part)
    match result["outcome"]:
        case "nothing-to-do":
            app.terminal.say(f"Nothing to do: {result['after']['address']} runs {runs}.")
            for note in result["notes"]:
                app.terminal.say(f"  {note}")
        case "dry-run":
            app.terminal.say("Dry run: nothing was written.")
        case _:
            app.terminal.say(
                f"{result['after']['address']} runs {runs}, seen and verified after {result['seconds']:.0f} s."
            )
