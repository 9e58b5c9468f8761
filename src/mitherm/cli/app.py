"""The command tree, loaded lazily, and the one place where an error becomes text and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

from mitherm import __version__
from mitherm.cli.context import App
from mitherm.errors import MithermError, UsageProblem

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "scan": ("scan", "List the units that can be seen"),
    "info": ("info", "Connect to a unit and say what it is"),
    "activate": ("activate", "Register an unbound stock unit; its new keys go to the vault first"),
    "login": ("login", "Test the keys of a stock unit with a login"),
    "keys": ("keys", "The vault, and the Mi records of a unit"),
    "firmware": ("firmware", "Inspect images, keep them, build synthetic ones"),
    "flash": ("flash", "Put an image on a unit, guarded and verified"),
    "bring": ("bring", "Bring a unit to a goal by whatever steps it takes"),
    "config": ("config", "Settings of units on pvvx firmware: show, set, profiles, reset, backup"),
    "clock": ("clock", "The clock of a unit"),
    "history": ("history", "The stored records of a unit, to CSV, JSON, SQLite"),
    "monitor": ("monitor", "Decode everything on the air; table, MQTT, Home Assistant, databases"),
    "doctor": ("doctor", "Name the cause of a failure and the command that cures it"),
    "journal": ("journal", "What was done, to which unit, with what outcome"),
    "inventory": ("inventory", "Which units exist, where, with what"),
    "virtual": ("virtual", "Virtual thermometers, and a virtual Mi Home"),
}
"""Command -> module in mitherm.cli (and attribute of the same name), one-line help."""

BUG: Final = "This is a bug in mitherm, not in your unit. Run again with -vv for the traceback and report it."
INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Knows the names and one-line helps of its commands; imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mitherm.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{COMMANDS[cmd_name][0]}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None


def root() -> click.Group:
    """The command tree."""
    from mitherm.cli.options import global_options

    return LazyGroup(
        "mitherm",
        params=[
            *global_options(),
            click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version),
        ],
        help=(
            "Take back your Xiaomi LYWSD03MMC thermometers: activate, keep the keys, flash, verify, return to Mi Home.\n\n"
            "\b\nTry it with no hardware:\n"
            "  mitherm virtual create demo --unit stock-1.0.0_0130\n"
            "  mitherm --radio virtual:demo scan\n"
            "  mitherm --radio virtual:demo bring A4:C1:38:00:00:01 --to pvvx --yes\n\n"
            "Global options may stand before or after the command; MITHERM_RADIO, MITHERM_HOME and MITHERM_TIMEOUT do the same."
        ),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        no_args_is_help=True,
    )


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"mitherm {__version__}")
        ctx.exit()


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Never raises."""
    app = App(arguments)
    try:
        returned: Any = root().main(args=arguments, prog_name="mitherm", standalone_mode=False, obj=app)
        return returned if isinstance(returned, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        return _usage(app, error)
    except MithermError as error:
        return app.fail(error)
    except (click.Abort, KeyboardInterrupt):
        return app.interrupted()
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:
        return app.fail(_bug(app, error))


def _bug(app: App, error: Exception) -> MithermError:
    if app.settings.verbosity >= 2:
        import traceback

        traceback.print_exception(error)
    return MithermError(f"unexpected {type(error).__name__}", hint=BUG, device="unknown")


def _usage(app: App, error: click.ClickException) -> int:
    where = getattr(error, "ctx", None)
    path = where.command_path if where is not None else "mitherm"
    return app.fail(UsageProblem(error.format_message(), hint=f"see `{path} --help`"))
