"""The commands that doctor prints: they exist, and the one for -29 cures."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from test_sick_units import ask

from mitherm.cli.app import root, run
from mitherm.cli.context import App
from mitherm.errors import NotVerified
from mitherm.ops.doctor.symptoms import Complaint
from mitherm.ops.doctor.table import CAUSES
from mitherm.ops.next_step import MONITOR, NextStep, after_erase, after_login, after_restore, next_command
from mitherm.ops.updating.flash import bring
from mitherm.virtual.faults import Fault
from rig import UNIT, Rig

SOURCES = Path(__file__).parent.parent.parent / "src" / "mitherm" / "ops" / "doctor"
OURS = re.compile(r'"(mitherm [^"]+)"')
FIELDS = {"{{unit}}": str(UNIT), "{unit}": str(UNIT), "{family}": "pvvx", "{evidence.damaged_images[0]}": "pvvx-5.8"}


def filled(command: str) -> str:
    """A command as it is printed."""
    for name, value in FIELDS.items():
        command = command.replace(name, value)
    return command


WORDS = sorted(
    {filled(cause.command) for cause in CAUSES if cause.command and cause.command.startswith("mitherm ")}
    | {filled(command) for file in SOURCES.glob("rules_*.py") for command in OURS.findall(file.read_text())}
    | {next_command(step, UNIT) for step in (*NextStep, None)}
    | {after_login(UNIT), after_erase(UNIT), after_restore(UNIT), MONITOR}
)
"""Those of the causes, those that stand in for them where the evidence knows better, and what comes next."""


@pytest.mark.parametrize("line", WORDS)
def test_commands_can_be_typed(line: str) -> None:
    """Every command with its arguments and options is one of ours."""
    assert "{" not in line
    arguments = shlex.split(line)[1:]
    if arguments[0] == "--radio":
        del arguments[:2]
    command, context = root(), click.Context(root(), obj=App(arguments))
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        found = command.get_command(context, name)
        assert found is not None, name
        command, context = found, click.Context(found, parent=context)
    command.make_context(command.name, arguments, parent=context.parent)


def test_the_cure_of_29(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Doctor's command for a unit that a web flasher activated, typed as printed: Mi Home takes it, doctor is content."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=flasher")
    monkeypatch.setenv("MITHERM_HOME", str(rig.home))
    monkeypatch.setenv("MITHERM_RADIO", f"virtual:{rig.folder}")
    finding = ask(rig, str(UNIT), Complaint()).findings[0]
    assert finding.id == "mi-home-29/3"
    for kind in ("pvvx-5.8", "stock-1.0.0_0130"):
        assert run(["firmware", "synth", kind, "--add"]) == 0
    assert finding.command is not None
    assert run([*shlex.split(finding.command)[1:], "--yes"]) == 0
    assert ask(rig, str(UNIT), Complaint()).findings == []
    rig.mi_home_adds()


def test_an_update_that_was_not_accepted_is_explained(tmp_path: Path) -> None:
    """What `bring` wrote into the journal tells doctor why the old firmware is back, unasked."""
    rig = Rig(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home,hardware=B1.4")
    rig.shelve("pvvx-5.8")
    rig.hand_over_keys()
    rig.fault(Fault("lose", "read:2a25", 0))
    with pytest.raises(NotVerified):
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    finding = ask(rig, str(UNIT), Complaint()).findings[0]
    assert (finding.id, finding.command) == ("F3", f"mitherm flash {UNIT} stock-2.1.1_0159")
    assert any("flash pvvx 5.8 was transferred completely" in text for text in finding.evidence)
