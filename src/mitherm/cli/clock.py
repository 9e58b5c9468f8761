"""`mitherm clock show|set UNIT`."""

from __future__ import annotations

import click

from mitherm.cli.context import App
from mitherm.cli.documents import upkeep as documents
from mitherm.cli.options import UTC, Group, basis_of, command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.model.operation import Outcome
from mitherm.ops.upkeep import clock


@click.group("clock", cls=Group)
def clock_command() -> None:
    """The clock of a unit, which dates its stored records. Other tools set it to local time, and so does mitherm."""


@command(
    "show",
    examples="""
    mitherm clock show A4:C1:38:00:00:01
    mitherm clock show Cellar --utc --json
    """,
)
@unit_argument()
@UTC
@click.pass_obj
def show(app: App, unit: str, utc: bool) -> int:
    """What the clock of UNIT says, and how far that is from this computer's."""
    reading = on_bench(app, lambda bench: clock.read_clock(bench, unit, basis_of(utc)))
    return app.finish(documents.clock_reading(reading), lambda result: app.terminal.say(_sentence(reading)))


@command("set", examples="mitherm clock set A4:C1:38:00:00:01")
@unit_argument()
@UTC
@click.pass_obj
def set_(app: App, unit: str, utc: bool) -> int:
    """Set the clock of UNIT to the time of this computer, unless it is right already, and read it back."""
    done = on_bench(app, lambda bench: clock.set_clock(bench, unit, basis_of(utc)))
    text = {
        Outcome.VERIFIED: f"The clock is set. {_sentence(done.after)}",
        Outcome.DRY_RUN: f"Dry run: nothing was written. {_sentence(done.after)}",
    }.get(done.outcome, f"Nothing to do. {_sentence(done.after)}")
    return app.finish(documents.clock_set(done), lambda result: app.terminal.say(text))


def _sentence(reading: clock.Clock) -> str:
    if reading.time is None or reading.error_s is None:
        return f"It was never set: it counts {reading.unit_s} s."
    ahead = "ahead" if reading.error_s > 0 else "behind"
    return f"It says {reading.time.astimezone():%Y-%m-%d %H:%M:%S %Z}, {abs(reading.error_s):.1f} s {ahead}."


for _command in (show, set_):
    clock_command.add_command(_command)
