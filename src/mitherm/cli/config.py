"""`mitherm config ...`: the settings of units on pvvx firmware."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from mitherm.cli.context import App
from mitherm.cli.documents import upkeep as documents
from mitherm.cli.options import Group, command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.cli.waivers import waived, waiver_options
from mitherm.errors import SettingsError, UsageProblem
from mitherm.model.operation import Outcome
from mitherm.ops.bench import Bench
from mitherm.ops.upkeep import config, config_backup
from mitherm.protocol.pvvx.settings import HARDWARE, check_names, wants_comfort
from mitherm.store.profile import profile_text, read_profile

NEWEST: Final = "newest"


@click.group("config", cls=Group)
def config_command() -> None:
    """Settings of units on pvvx firmware, by name. Values are words, or numbers in the unit that `show` prints."""


_COMFORT: Final = click.option(
    "--comfort", is_flag=True, help="Also the comfort window; asking for it makes the unit store it, once."
)


@command(
    "show",
    examples="""
    mitherm config show A4:C1:38:00:00:01
    mitherm config show Cellar --comfort --profile > cellar.toml
    """,
)
@unit_argument()
@_COMFORT
@click.option("--profile", is_flag=True, help="Print a profile for `apply`, without name and hardware.")
@click.pass_obj
def show(app: App, unit: str, comfort: bool, profile: bool) -> int:
    """All settings of UNIT."""
    settings = on_bench(app, lambda bench: config.read(bench, unit, comfort=comfort)).shown()

    def render(result: Mapping[str, Any]) -> None:
        if profile:
            assignments = [
                (name, setting.value) for name, setting in settings.items() if name not in HARDWARE and name != "name"
            ]
            sys.stdout.write(profile_text(assignments))
        else:
            app.terminal.facts((name, setting.text) for name, setting in settings.items())

    return app.finish(documents.settings(settings.values()), render)


@command("get", examples="mitherm config get A4:C1:38:00:00:01 advertising_interval")
@unit_argument()
@click.argument("name", metavar="NAME")
@click.pass_obj
def get(app: App, unit: str, name: str) -> int:
    """One setting of UNIT."""
    settings = on_bench(app, lambda bench: config.read(bench, unit, comfort=wants_comfort([name])))
    check_names([name], settings.config)
    setting = settings.shown().get(name)
    if setting is None:
        raise SettingsError(f"this version of the firmware does not tell {name}")
    return app.finish(documents.single_setting(setting), lambda result: app.terminal.say(setting.text))


@command(
    "set",
    examples="""
    mitherm config set A4:C1:38:00:00:01 advertising_type=bthome
    mitherm config set Cellar advertising_interval=5s comfort.temp_lo=4 comfort.temp_hi=12
    mitherm config set a4c138000001 name=Cellar --json
    """,
)
@unit_argument()
@click.argument("pairs", metavar="NAME=VALUE...", nargs=-1, required=True)
@waiver_options("configure")
@click.pass_obj
def set_(app: App, /, unit: str, pairs: Sequence[str], **options: Any) -> int:
    """Change settings of UNIT: checked, written once and only if different, read back. The vault keeps the result."""
    request = dict(_pair(text) for text in pairs)
    return finish_changed(app, on_bench(app, lambda bench: config.change(bench, unit, request), waived(options)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageProblem(f"{text!r} is not NAME=VALUE", hint="for example advertising_type=bthome")
    return name.strip(), value


# --- profiles ---------------------------------------------------------------------------------------------------------


def _source(function: Callable[..., Any]) -> Callable[..., Any]:
    """PROFILE or --backup."""
    option = click.option(
        "--backup",
        metavar="ID",
        is_flag=False,
        flag_value=NEWEST,
        help="Take the settings of a backup in the vault instead of a file; without ID the newest.",
    )
    profile = click.argument("profile", metavar="[PROFILE]", required=False, type=click.Path(path_type=Path))
    return profile(option(function))


def _request(profile: Path | None, backup: str | None) -> Callable[[Bench, str], Awaitable[dict[str, str]]]:
    """Where the request for a unit comes from; a profile is read before any radio is opened."""
    if (profile is None) == (backup is None):
        raise UsageProblem(
            "name a PROFILE file, or say --backup", hint="`mitherm config show UNIT --profile` makes one"
        )
    if profile is not None:
        request = read_profile(profile)
        return lambda bench, unit: _constant(request)
    backup_id = None if backup == NEWEST else backup
    return lambda bench, unit: config_backup.saved(bench, unit, backup_id)


async def _constant(request: dict[str, str]) -> dict[str, str]:
    return request


@command(
    "diff",
    examples="""
    mitherm config diff A4:C1:38:00:00:01 cellar.toml
    mitherm config diff A4:C1:38:00:00:01 --backup
    """,
)
@unit_argument()
@_source
@click.pass_obj
def diff(app: App, unit: str, profile: Path | None, backup: str | None) -> int:
    """What `apply` would change on UNIT."""
    request, lenient = _request(profile, backup), backup is not None

    async def act(bench: Bench) -> list[config.Change]:
        return await config.compare(bench, unit, await request(bench, unit), lenient=lenient)

    changes = on_bench(app, act)
    return app.finish(documents.changes(changes), lambda result: _render_changes(app, changes))


@command(
    "apply",
    examples="""
    mitherm config apply A4:C1:38:00:00:01 cellar.toml
    mitherm config apply A4:C1:38:00:00:01 --backup           (the newest settings in the vault)
    """,
)
@unit_argument()
@_source
@waiver_options("configure")
@click.pass_obj
def apply(app: App, /, unit: str, profile: Path | None, backup: str | None, **options: Any) -> int:
    """Give UNIT the settings of a PROFILE (TOML), or of a backup in the vault."""
    request, lenient = _request(profile, backup), backup is not None

    async def act(bench: Bench) -> config.SettingsChange:
        settings = await request(bench, unit)
        return await config.change(bench, unit, settings, operation="config apply", lenient=lenient)

    return finish_changed(app, on_bench(app, act, waived(options)))


# --- reset, backup ----------------------------------------------------------------------------------------------------


@command("reset", examples="mitherm config reset A4:C1:38:00:00:01 --yes")
@unit_argument()
@waiver_options("configure")
@click.pass_obj
def reset(app: App, /, unit: str, **options: Any) -> int:
    """Put UNIT's configuration back to the defaults of its firmware. What it was goes to the vault first; name, PIN and
    bind key stay.
    """
    return finish_changed(app, on_bench(app, lambda bench: config_backup.reset(bench, unit), waived(options)))


@command("backup", examples="mitherm config backup A4:C1:38:00:00:01")
@unit_argument()
@click.pass_obj
def backup_(app: App, unit: str) -> int:
    """Copy the settings of UNIT (and its Mi records) into the vault, for `apply --backup` and `doctor`."""
    backup = on_bench(app, lambda bench: config_backup.backup(bench, unit))
    text = f"Backup {backup.stored.id} is in the vault{'' if backup.changed else ' already'}."
    return app.finish(documents.config_backup(backup), lambda result: app.terminal.say(text))


# --- changes ----------------------------------------------------------------------------------------------------------


def finish_changed(app: App, done: config.SettingsChange) -> int:
    """The document, or a line for every setting."""

    def render(result: Mapping[str, Any]) -> None:
        if done.outcome is Outcome.NOTHING_TO_DO:
            app.terminal.say("Nothing to do: the unit has these settings.")
            return
        if done.outcome is Outcome.DRY_RUN:
            app.terminal.say("Dry run: nothing was written.")
        _render_changes(app, done.changes, by_wish=done.backup is None)
        if done.backup is not None and done.changes:
            app.terminal.say(f"As it was: mitherm config apply UNIT --backup {done.backup}")

    return app.finish(documents.config_change(done), render)


def _render_changes(app: App, changes: Sequence[config.Change], *, by_wish: bool = True) -> None:
    if not changes:
        app.terminal.say("No differences.")
    for change in changes:
        wanted, after = change.wanted, change.after
        shown = after or wanted
        note = ""
        if after is not None and wanted is not None and after != wanted:
            note = f"   (the unit made this of {wanted.text})"
        elif by_wish and wanted is None:
            note = "   (follows from the others)"
        app.terminal.say(f"{change.before.name}: {change.before.text} -> {shown.text if shown else ''}{note}")


for _command in (show, get, set_, diff, apply, reset, backup_):
    config_command.add_command(_command)
