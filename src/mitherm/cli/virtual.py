"""`mitherm virtual ...`: make, look at, change and serve virtual units; play Mi Home."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mitherm.cli.context import App
from mitherm.cli.documents import virtual as documents
from mitherm.cli.documents.keys import single_key
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import Group, command
from mitherm.errors import UsageProblem

if TYPE_CHECKING:
    from mitherm.wiring.virtual_units import VirtualUnits

_FOLDER: Final = "mitherm.cli.virtual.folder"


@click.group("virtual", cls=Group)
def virtual_command() -> None:
    """Virtual thermometers: a real unit's flash, rules, timers and defects, with no hardware."""


def _units(app: App, folder: Path) -> VirtualUnits:
    from mitherm.wiring.virtual_units import VirtualUnits  # virtual units are a lot to load for `--help`

    return VirtualUnits(folder, app.settings.timeout())


@command(
    "create",
    examples="""
    mitherm virtual create demo --unit stock-1.0.0_0130
    mitherm virtual create demo --unit stock-2.1.1_0159,bound=mi-home --unit pvvx-5.8,name=Cellar,battery_mv=2450
    mitherm virtual create demo --fleet fleet.toml
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--unit", "specs", multiple=True, metavar="SPEC", help="FIRMWARE[,key=value...]; repeatable.")
@click.option("--fleet", type=click.Path(path_type=Path), help="A TOML file with [[unit]] tables.")
@click.option("--seed", type=int, help="Make everything random at creation repeatable.")
@click.pass_obj
def create(app: App, folder: Path, specs: tuple[str, ...], fleet: Path | None, seed: int | None) -> int:
    """Make DIR with virtual units, or add units to it.

    FIRMWARE: stock-1.0.0_0109, stock-1.0.0_0130, stock-2.1.1_0159, atc1441, pvvx-5.8 and other versions. Keys: address,
    model, hardware, bound (no, mi-home, flasher), battery_mv, temperature_c, humidity_pct, name.
    """
    from mitherm.wiring.virtual_units import read_fleet

    created = _units(app, folder).create([*specs, *(read_fleet(fleet) if fleet else [])], seed=seed)

    def render(result: Mapping[str, Any]) -> None:
        for row in result["units"]:
            app.terminal.say(f"{row['address']}  {row['firmware']}  bound: {row['bound']}")
        app.terminal.say(f"Use them with --radio virtual:{folder}")

    return app.finish(documents.creation(created), render)


@command("list", examples="mitherm virtual list demo")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_obj
def list_units(app: App, folder: Path) -> int:
    """What lives in DIR, as an omniscient observer sees it."""
    states = _units(app, folder).states()
    columns = ("address", "model", "hardware", "runs", "bank", "display", "battery_mv", "did", "bound")

    def render(result: Mapping[str, Any]) -> None:
        app.terminal.table(columns, [[unit[name] for name in columns] for unit in result["units"]])

    return app.finish(documents.states(states), render)


@command(
    "set",
    examples="""
    mitherm virtual set demo A4:C1:38:00:00:01 temperature_c=4.5 rssi_dbm=-90
    mitherm virtual set demo A4:C1:38:00:00:01 factory_did=blt.3.1abcdefghijkl
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("address")
@click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.pass_obj
def set_values(app: App, folder: Path, address: str, pairs: tuple[str, ...]) -> int:
    """Change the surroundings of a unit: temperature_c, humidity_pct, battery_mv, sag_mv, rssi_dbm (false = out of range),
    factory_did, and faults as fault.KIND=AT,n=N,...
    """
    changes = dict(_pair(text) for text in pairs)
    _units(app, folder).change(address, changes)
    return _finish(app, address, "Done.", set=changes)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageProblem(f"{text!r} is not of the form KEY=VALUE")
    return key, value


@command("reset-pad", examples="mitherm virtual reset-pad demo A4:C1:38:00:00:01")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("address")
@click.pass_obj
def reset_pad(app: App, folder: Path, address: str) -> int:
    """Short the reset pad to ground with the cell in, long enough for every firmware's rule."""
    _units(app, folder).reset_pad(address)
    return _finish(app, address, "The pad was shorted.")


@command(
    "battery",
    examples="""
    mitherm virtual battery demo A4:C1:38:00:00:01 out
    mitherm virtual battery demo A4:C1:38:00:00:01 2300
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("address")
@click.argument("what", metavar="out|in|MV")
@click.pass_obj
def battery(app: App, folder: Path, address: str, what: str) -> int:
    """Take the cell out, put it in, or give it another voltage in millivolts."""
    _units(app, folder).battery(address, what)
    return _finish(app, address, "Done.", battery=what)


def _finish(app: App, address: str, text: str, *, changed: bool = True, **more: object) -> int:
    """The end of a command about one unit."""
    result = documents.treatment(address, changed=changed, **more)
    return app.finish(result, lambda result: app.terminal.say(text))


@command(
    "serve",
    examples="""
    mitherm virtual serve demo --hci tcp-server:127.0.0.1:9123
    mitherm --radio hci:tcp-client:127.0.0.1:9123 scan      (in another terminal)
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--hci",
    "monikers",
    multiple=True,
    required=True,
    metavar="MONIKER",
    help="An HCI endpoint for a foreign host; repeatable.",
)
@click.pass_obj
def serve(app: App, folder: Path, monikers: tuple[str, ...]) -> int:
    """Run the units of DIR in real time for other processes, until Ctrl-C. They are saved then, and after every reboot."""
    from mitherm.cli.serve import serve_units

    app.run(lambda: serve_units(app, _units(app, folder), monikers), real_time=True)
    return app.finish(documents.service_end(), lambda result: None)


# --- Mi Home ----------------------------------------------------------------------------------------------------------


@click.group("mi-home", cls=Group)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_context
def mi_home(ctx: click.Context, folder: Path) -> None:
    """The Mi Home app with its account, played by the rules that the real one shows."""
    ctx.meta[_FOLDER] = folder


def _account() -> VirtualUnits:
    """The units in the DIR of the group."""
    context = click.get_current_context()
    return _units(context.find_root().obj, context.meta[_FOLDER])


@command("add", examples="mitherm virtual mi-home demo add A4:C1:38:00:00:01")
@click.argument("address")
@click.pass_obj
def mi_home_add(app: App, address: str) -> int:
    """Add a unit: the app's side of registration. Exit 5 with the app's code when it fails."""
    _account().mi_home_add(address)
    return _finish(app, address, "Mi Home added the unit.", mi_home_code=0)


@command("sync", examples="mitherm virtual mi-home demo sync A4:C1:38:00:00:01")
@click.argument("address")
@click.pass_obj
def mi_home_sync(app: App, address: str) -> int:
    """Log in with the account's token, as the app does when it reads values."""
    _account().mi_home_sync(address)
    return _finish(app, address, "Mi Home is in touch with the unit.", changed=False, mi_home_code=0)


@command("remove", examples="mitherm virtual mi-home demo remove A4:C1:38:00:00:01")
@click.argument("address")
@click.pass_obj
def mi_home_remove(app: App, address: str) -> int:
    """Delete a unit from the account; the unit itself is not touched."""
    _account().mi_home_remove(address)
    return _finish(app, address, "Removed from the account.")


@command("keys", examples="mitherm virtual mi-home demo keys A4:C1:38:00:00:01 --reveal --json > keys.json")
@click.argument("address")
@click.option("--reveal", is_flag=True, help="Show token and bind key.")
@click.pass_obj
def mi_home_keys(app: App, address: str, reveal: bool) -> int:
    """Token, bind key and DID as the account has them. Exit 5 when the unit is not in the account."""
    document = single_key(_account().mi_home_keys(address), reveal)
    return app.finish(document, lambda result: render_keys(app, result))


for _command in (mi_home_add, mi_home_sync, mi_home_remove, mi_home_keys):
    mi_home.add_command(_command)
for _command in (create, list_units, set_values, reset_pad, battery, serve):
    virtual_command.add_command(_command)
virtual_command.add_command(mi_home)
