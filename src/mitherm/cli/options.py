"""Global options, accepted before and after the command, and the click classes that make it so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from mitherm.cli.context import App

if TYPE_CHECKING:
    from mitherm.ops.upkeep.clock import Basis


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    app = ctx.find_root().obj
    if value in (None, False) or not isinstance(app, App) or param.name is None or _heard_before(ctx, param.name):
        return
    app.settings.take(param.name, value)


def _heard_before(ctx: click.Context, name: str) -> bool:
    """A variable counts once, at the root: it must not overrule an option that stands before the command."""
    return ctx.parent is not None and ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT


def _take_catalogue(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    app = ctx.find_root().obj
    if value is None or not isinstance(app, App) or _heard_before(ctx, "catalogue"):
        return
    from mitherm.ops.files.catalogue_file import read_catalogue

    app.settings.catalogue = read_catalogue(value)


def global_options() -> list[click.Option]:
    """Fresh option objects; their values go to `App.settings`, never to the command's arguments."""

    def option(*names: str, **rest: Any) -> click.Option:
        variable = f"MITHERM_{names[-1].removeprefix('--').replace('-', '_').upper()}"
        return click.Option(list(names), expose_value=False, callback=_store, envvar=variable, **rest)

    return [
        option("as_json", "--json", is_flag=True, help="One JSON document on stdout, also when the command fails."),
        option("-v", "--verbose", count=True, default=None, help="Say more; -vv shows every packet."),
        option("-q", "--quiet", is_flag=True, help="Only results and errors."),
        option("--yes", is_flag=True, help="Answer every question with yes. Guards still refuse."),
        option("--dry-run", is_flag=True, help="Show what would be done; write nothing to the unit."),
        option(
            "--radio",
            metavar="RADIO",
            help="system[:hciN] (default), virtual:DIR, air:DIR, hci:MONIKER.",
        ),
        option(
            "--timeout",
            type=click.FloatRange(0),
            metavar="S",
            help="How long to look for a unit.",
        ),
        click.Option(
            ["--catalogue"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar="MITHERM_CATALOGUE",
            expose_value=False,
            callback=_take_catalogue,
            help="A newer catalogue of firmware files.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too, shown in a section of their own."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self._globals = global_options()
        self.params += self._globals

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        app = ctx.find_root().obj
        if isinstance(app, App):
            app.command = _path(ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                (shared if param in self._globals else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section("Global options"):
            formatter.write_dl(shared)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")


class Group(click.Group):
    """A group of commands that take the global options too."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()


def _path(ctx: click.Context) -> str:
    """The names of the commands from the root on, without the program and the arguments of groups: `keys show`."""
    names: list[str] = []
    step: click.Context | None = ctx
    while step is not None and step.parent is not None:
        names.append(step.info_name or "")
        step = step.parent
    return " ".join(reversed(names))


def command(name: str, *, examples: str = "") -> Callable[[Callable[..., Any]], Command]:
    """Decorator: a mitherm command."""
    return click.command(name, cls=Command, examples=examples)


class UnitArgument(click.Argument):
    """The UNIT argument, spelled the same everywhere."""


def unit_argument(**rest: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: UNIT is an address in any spelling, an inventory name or an unambiguous advertised name."""
    return click.argument("unit", metavar="UNIT", cls=UnitArgument, **rest)


UTC: Final = click.option("--utc", is_flag=True, help="The unit counts UTC, not the time of this computer's zone.")


def basis_of(utc: bool) -> Basis:
    """What the option says."""
    return "utc" if utc else "local"
