"""`mitherm virtual ...`: make, look at, change and serve virtual units; play Mi Home."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from mitherm.cli.bench import present
from mitherm.cli.context import App
from mitherm.cli.options import Group, command
from mitherm.errors import FileMissing, SettingsError, UsageProblem
from mitherm.model.address import Address

_T = TypeVar("_T")


@click.group("virtual", cls=Group)
def virtual_command() -> None:
    """Virtual thermometers: a real unit's flash, rules, timers and defects, with no hardware."""


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as problem:
        raise UsageProblem(str(problem)) from None


def _with_world(app: App, folder: Path, act: Callable[[Any], _T]) -> _T:
    """Open the folder on simulated time, act, save."""
    from mitherm.virtual.world import World

    world = World.open(folder, wait_s=app.settings.timeout())
    now = [0.0]
    try:
        result = act(world)
        if isinstance(result, float):
            now[0] = result
        return result
    finally:
        world.close(now[0])


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
    from mitherm.virtual.mi_home.account import MiHome
    from mitherm.virtual.spec import parse_spec
    from mitherm.virtual.world import create_units

    wanted = [parse_spec(text) for text in specs] + (_fleet(fleet) if fleet else [])
    made = create_units(folder, wanted, seed=seed, wall=present, wait_s=app.settings.timeout())
    home = MiHome.open(folder, os.urandom, present)
    for unit in made:
        if unit.keys is not None and unit.spec.bound == "mi-home":
            home.enter(unit.address, unit.keys, unit.spec.model)
    home.save()
    rows = [{"address": str(unit.address), "firmware": unit.spec.firmware, "bound": unit.spec.bound} for unit in made]

    def render(result: Mapping[str, Any]) -> None:
        for row in result["units"]:
            app.terminal.say(f"{row['address']}  {row['firmware']}  bound: {row['bound']}")
        app.terminal.say(f"Use them with --radio virtual:{folder}")

    return app.finish({"units": rows, "changed": bool(rows)}, render)


def _fleet(path: Path) -> list[Any]:
    import tomllib

    from mitherm.virtual.spec import spec_from_table

    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise SettingsError(f"{path}: {problem}") from None
    return [spec_from_table(entry) for entry in table.get("unit", [])]


@command("list", examples="mitherm virtual list demo")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_obj
def list_units(app: App, folder: Path) -> int:
    """What lives in DIR, as an omniscient observer sees it."""
    from mitherm.cli.documents.virtual import unit_state
    from mitherm.virtual.view import state_of

    units = _with_world(app, folder, lambda world: [unit_state(state_of(unit)) for unit in world.units])
    columns = ("address", "model", "hardware", "runs", "bank", "display", "battery_mv", "did", "bound")

    def render(result: Mapping[str, Any]) -> None:
        app.terminal.table(columns, [[unit[name] for name in columns] for unit in result["units"]])

    return app.finish({"units": units, "changed": False}, render)


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
    from mitherm.virtual.mi_home.account import MiHome
    from mitherm.virtual.view import change

    where = _address(address)
    changes = dict(_pair(text) for text in pairs)
    _with_world(app, folder, lambda world: change(world.find(where), changes))
    if "factory_did" in changes:
        home = MiHome.open(folder, os.urandom, present)
        home.know(changes["factory_did"], where)
        home.save()
    return app.finish(
        {"address": str(where), "set": changes, "changed": True}, lambda result: app.terminal.say("Done.")
    )


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
    where = _address(address)
    _with_world(app, folder, lambda world: world.find(where).reset_pad(0.0))
    return app.finish({"address": str(where), "changed": True}, lambda result: app.terminal.say("The pad was shorted."))


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
    from mitherm.virtual.view import change_battery

    where = _address(address)
    _with_world(app, folder, lambda world: change_battery(world.find(where), what))
    return app.finish(
        {"address": str(where), "battery": what, "changed": True}, lambda result: app.terminal.say("Done.")
    )


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
    from mitherm.cli.serve import serve_folder

    app.settings.radio = "system"
    app.run(lambda: serve_folder(app, folder, monikers))
    return app.finish({"changed": True}, lambda result: None)


# --- Mi Home ----------------------------------------------------------------------------------------------------------


_FOLDER: Final = "mitherm.cli.virtual.folder"


@click.group("mi-home", cls=Group)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_context
def mi_home(ctx: click.Context, folder: Path) -> None:
    """The Mi Home app with its account, played by the rules that the real one shows."""
    ctx.meta[_FOLDER] = folder


def _pass_folder(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the DIR of the group becomes the argument `folder`."""
    return update_wrapper(
        lambda *args, **kwargs: function(*args, folder=click.get_current_context().meta[_FOLDER], **kwargs), function
    )


def _mi_home(name: str, text: str, examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        function.__doc__ = text
        function = click.pass_obj(_pass_folder(function))
        function = click.argument("address")(function)
        made = command(name, examples=examples)(function)
        mi_home.add_command(made)
        return made

    return decorate


@_mi_home(
    "add",
    "Add a unit: the app's side of registration. Exit 5 with the app's code when it fails.",
    "mitherm virtual mi-home demo add A4:C1:38:00:00:01",
)
def _add(app: App, folder: Path, address: str) -> int:
    return _play(app, folder, address, "add", "Mi Home added the unit.")


@_mi_home(
    "sync",
    "Log in with the account's token, as the app does when it reads values.",
    "mitherm virtual mi-home demo sync A4:C1:38:00:00:01",
)
def _sync(app: App, folder: Path, address: str) -> int:
    return _play(app, folder, address, "sync", "Mi Home is in touch with the unit.")


def _play(app: App, folder: Path, address: str, action: str, text: str) -> int:
    from mitherm.virtual.mi_home.account import MiHome

    where = _address(address)
    if not folder.is_dir():
        raise FileMissing(f"there is no folder {folder}")
    home = MiHome.open(folder, os.urandom, present)
    _with_world(app, folder, lambda world: getattr(home, action)(world, where, 0.0))
    return app.finish(
        {"address": str(where), "mi_home_code": 0, "changed": action == "add"}, lambda result: app.terminal.say(text)
    )


@_mi_home(
    "remove",
    "Delete a unit from the account; the unit itself is not touched.",
    "mitherm virtual mi-home demo remove A4:C1:38:00:00:01",
)
def _remove(app: App, folder: Path, address: str) -> int:
    from mitherm.virtual.mi_home.account import MiHome

    where = _address(address)
    MiHome.open(folder, os.urandom, present).remove(where)
    return app.finish(
        {"address": str(where), "changed": True}, lambda result: app.terminal.say("Removed from the account.")
    )


@command("keys", examples="mitherm virtual mi-home demo keys A4:C1:38:00:00:01 --reveal --json > keys.json")
@click.argument("address")
@click.option("--reveal", is_flag=True, help="Show token and bind key.")
@click.pass_obj
@_pass_folder
def _keys(app: App, folder: Path, address: str, reveal: bool) -> int:
    """Token, bind key and DID as the account has them. Exit 5 when the unit is not in the account."""
    from mitherm.cli.documents.keys import key
    from mitherm.cli.key_view import render_keys
    from mitherm.model.record import KeyGeneration
    from mitherm.virtual.mi_home.account import MiHome

    where = _address(address)
    entry = MiHome.open(folder, os.urandom, present).live(where)
    created = _moment(entry.added) if entry.added else present()
    row = key(KeyGeneration("account", where, entry.keys, "virtual-mi-home", created, confirmed=created), reveal)
    return app.finish({"keys": [row], "changed": False}, lambda result: render_keys(app, result))


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


mi_home.add_command(_keys)
for _command in (create, list_units, set_values, reset_pad, battery, serve, mi_home):
    virtual_command.add_command(_command)
