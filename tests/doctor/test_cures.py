"""The commands that doctor prints: they exist, and the one for -29 cures."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from test_sick_units import ask

from mitherm.cli.app import root, run
from mitherm.cli.context import App
from mitherm.ops.doctor.symptoms import Told
from mitherm.ops.doctor.table import CAUSES
from rig import UNIT, Rig

WORDS = sorted({cause.command.replace("{unit}", str(UNIT)) for cause in CAUSES if cause.command.startswith("mitherm ")})


@pytest.mark.parametrize("line", WORDS)
def test_commands_can_be_typed(line: str) -> None:
    """Command and options are known; commands of parts that are not built in are left to those."""
    arguments = shlex.split(line)[1:]
    command, context = root(), click.Context(root(), obj=App(arguments))
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        found = command.get_command(context, name)
        if found is None:
            assert (name, context.parent) in {(part, None) for part in ("config", "clock", "history", "wire")}
            return
        command, context = found, click.Context(found, parent=context)
    command.make_context(command.name, arguments, parent=context.parent)


def test_the_cure_of_29(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Doctor's command for a unit that a web flasher activated, typed as printed: Mi Home takes it, doctor is content."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=flasher")
    monkeypatch.setenv("MITHERM_HOME", str(rig.home))
    monkeypatch.setenv("MITHERM_RADIO", f"virtual:{rig.folder}")
    finding = ask(rig, str(UNIT), Told()).findings[0]
    assert finding.id == "mi-home-29/3"
    for kind in ("pvvx-5.8", "stock-1.0.0_0130"):
        assert run(["firmware", "synth", kind, "--add"]) == 0
    assert run([*shlex.split(finding.command)[1:], "--yes"]) == 0
    assert ask(rig, str(UNIT), Told()).findings == []
    rig.mi_home_adds()
