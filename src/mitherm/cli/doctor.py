"""`mitherm doctor [UNIT]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents.bundle import bundle
from mitherm.cli.documents.diagnosis import examination
from mitherm.cli.options import UnitArgument, command
from mitherm.cli.unit import on_bench
from mitherm.errors import DiskProblem
from mitherm.ops.doctor.examine import doctor
from mitherm.ops.doctor.symptoms import examples


@command(
    "doctor",
    examples="""
    mitherm doctor                                   (this computer and every unit it hears or knows)
    mitherm doctor A4:C1:38:00:00:01
    mitherm doctor Cellar --symptom -29              (what Mi Home shows)
    mitherm doctor Cellar --symptom "blank display"
    mitherm doctor --bundle report.json              (to post; without keys, addresses shortened)
    """,
)
@click.argument("unit", metavar="[UNIT]", required=False, cls=UnitArgument)
@click.option(
    "--symptom",
    "symptoms",
    multiple=True,
    metavar="TEXT|CODE",
    help="What you see, in words or as the code shown. Repeatable. It is checked against the evidence.",
)
@click.option("--duration", type=click.FloatRange(0), metavar="S", help="How long to listen. Default: 12 s.")
@click.option(
    "--bundle", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a report to post."
)
@click.pass_obj
def doctor_command(
    app: App, unit: str | None, symptoms: tuple[str, ...], duration: float | None, file: Path | None
) -> int:
    """Name the cause of a failure, with its evidence, the remedy and the command that cures it. Changes nothing.

    Without UNIT: this computer, and all units that are heard or in the inventory. A login is tried with the keys of the
    vault. Exit 0 also when there are findings.
    """
    done = on_bench(app, lambda bench: doctor(bench, unit, symptoms=symptoms, duration_s=duration))
    if file is not None:
        _write(file, bundle(done))

    def render(result: Mapping[str, Any]) -> None:
        _render(app, result)
        app.terminal.suggest(*done.next_commands)

    return app.finish(examination(done, file), render)


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as problem:
        raise DiskProblem(f"cannot write {file}: {problem.strerror}") from problem


def _render(app: App, result: Mapping[str, Any]) -> None:
    say = app.terminal.say
    for finding in result["findings"]:
        about = f"{finding['unit']}: " if finding["unit"] and len(result["units"]) > 1 else ""
        say(f"{finding['id']}  {about}{finding['title']}")
        for reason in finding["evidence"]:
            say(f"  - {reason}")
        say(f"  remedy: {finding['remedy']}")
        if finding["command"]:
            say(f"  $ {finding['command']}")
    if not result["findings"]:
        say(f"Nothing is wrong that could be seen ({len(result['units'])} unit(s) examined).")
        app.terminal.err.print(f"Tell what you see with --symptom, for example {examples()}.", markup=False)
    if result["bundle"]:
        say(f"The report is in {result['bundle']}. It holds no keys.")
