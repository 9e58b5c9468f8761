"""`mitherm keys ...`: the vault. The commands that speak to a unit are in `keys_unit.py`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mitherm.cli.account import fetch_command
from mitherm.cli.context import App
from mitherm.cli.documents import keys as documents
from mitherm.cli.key_view import render_keys
from mitherm.cli.keys_unit import UNIT_COMMANDS
from mitherm.cli.options import Group, command, unit_argument
from mitherm.cli.unit import unit_address
from mitherm.errors import AnswerNeeded, FileMissing, KeyProblem, SomeFailed, UsageProblem
from mitherm.model.address import Address
from mitherm.model.keys import BIND_KEY_LENGTH, TOKEN_LENGTH, MiKeys
from mitherm.ops.files.library import read_file
from mitherm.ops.keys import import_export as ops
from mitherm.ops.keys.import_export import KeyImport
from mitherm.ops.next_step import KEYS_HINT, after_import
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import Notice
from mitherm.store.atomic import write_durably
from mitherm.store.key_export import TARGETS
from mitherm.wiring.bench import open_stores, present

REVEAL = click.option("--reveal", is_flag=True, help="Show token and bind key.")
_PATH = click.Path(path_type=Path)


@click.group("keys", cls=Group)
def keys_command() -> None:
    """Keys: the vault, which never forgets one, and the Mi records of units on pvvx firmware."""


@command(
    "list",
    examples="""
    mitherm keys list
    mitherm keys list --json
    """,
)
@REVEAL
@click.pass_obj
def list_keys(app: App, reveal: bool) -> int:
    """The keys in use of every unit in the vault."""
    places = open_stores()
    keys = ops.list_keys(places)
    problems = [problem.message for problem in places.vault.problems()]
    for problem in problems:
        app.terminal.tell(Notice("warning", problem))
    result = documents.key_list(keys, problems, reveal)

    def render(result: Mapping[str, Any]) -> None:
        if result["keys"]:
            render_keys(app, result)
        else:
            app.terminal.say(f"The vault has no keys. {KEYS_HINT} fills it, and so does `mitherm activate UNIT`.")

    return app.finish(result, render)


@command(
    "show",
    examples="""
    mitherm keys show A4:C1:38:00:00:01
    mitherm keys show Cellar --reveal --json
    """,
)
@unit_argument()
@REVEAL
@click.pass_obj
def show(app: App, unit: str, reveal: bool) -> int:
    """Every key UNIT ever had, the likeliest first, and its backups. Exit 5 when the vault has nothing of it."""
    address = unit_address(app, unit)
    result = documents.unit_keys(ops.show_keys(open_stores(), address), open_stores().vault.backups(address), reveal)

    def render(result: Mapping[str, Any]) -> None:
        render_keys(app, result)
        for key in result["keys"]:
            app.terminal.say(f"  {key['fingerprint']}  {key['id']}  {key['kind']}")
        for backup in result["backups"]:
            app.terminal.say(f"  backup {backup['id']}: {', '.join(backup['contents']) or 'the store was empty'}")

    return app.finish(result, render)


# --- import -----------------------------------------------------------------------------------------------------------


@command(
    "import",
    examples="""
    mitherm keys import devices.json secrets.yaml
    mitherm virtual mi-home demo keys A4:C1:38:00:00:01 --reveal --json | mitherm keys import -
    mitherm keys import --address A4:C1:38:00:00:01 --token --bind-key      (asks for both, hidden)
    """,
)
@click.argument("files", metavar="FILE...", nargs=-1, type=_PATH)
@click.option("--address", metavar="A", help="Whose keys they are, where the file does not say.")
@click.option("--token", "ask_token", is_flag=True, help="Ask for the token, or read it from a line of stdin.")
@click.option("--bind-key", "ask_bind_key", is_flag=True, help="Ask for the bind key, or read it from a line of stdin.")
@REVEAL
@click.pass_obj
def import_(
    app: App, files: tuple[Path, ...], address: str | None, ask_token: bool, ask_bind_key: bool, reveal: bool
) -> int:
    """Put keys from other programs into the vault: token extractor (JSON or text), ble_monitor, Home Assistant, ESPHome,
    Theengs, TelinkMiFlasher, CSV, and our own documents. The format is recognised; `-` is stdin. Nothing is overwritten.
    """
    typed = ask_token or ask_bind_key
    if typed == bool(files):
        raise UsageProblem(
            "name files, or say --token or --bind-key to type keys", hint="see `mitherm keys import --help`"
        )
    whose = unit_address(app, address) if address is not None else None
    try:
        done = _typed(whose, ask_token, ask_bind_key) if typed else _from_files(files, whose)
    except (KeyProblem, SomeFailed) as problem:
        if isinstance(problem.result, KeyImport):
            problem.result = documents.key_import(problem.result, reveal)
        raise

    def render(result: Mapping[str, Any]) -> None:
        _render_imported(app, result)
        units = dict.fromkeys(generation.address for generation in done.generations)
        app.terminal.suggest(*dict.fromkeys(after_import(open_stores(), unit) for unit in units))

    return app.finish(documents.key_import(done, reveal), render)


def _from_files(files: tuple[Path, ...], address: Address | None) -> KeyImport:
    contents = {str(path): sys.stdin.buffer.read() if str(path) == "-" else read_file(path) for path in files}
    return ops.import_keys(open_stores(), contents, address, now=present())


def _typed(address: Address | None, ask_token: bool, ask_bind_key: bool) -> KeyImport:
    if address is None:
        raise UsageProblem("typed keys need --address", hint="for example --address A4:C1:38:00:00:01")
    token = _secret("token", TOKEN_LENGTH) if ask_token else None
    bind_key = _secret("bind key", BIND_KEY_LENGTH) if ask_bind_key else None
    try:
        keys = MiKeys(token, bind_key)
    except ValueError as problem:
        raise KeyProblem(f"key of {address}: {problem}") from None
    return ops.add_keys(open_stores(), address, keys, now=present())


def _secret(what: str, length: int) -> Secret:
    """Never an argument: those are seen in process lists."""
    if sys.stdin.isatty():
        text = click.prompt(f"{what} ({2 * length} hex digits)", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise AnswerNeeded(f"no {what} was given", hint="type it, or pipe it to stdin, one line each")
    try:
        return Secret.from_hex(text)
    except ValueError as problem:
        raise KeyProblem(f"{what}: {problem}") from None


def _render_imported(app: App, result: Mapping[str, Any]) -> None:
    render_keys(app, result)
    new = sum(key["new"] for key in result["keys"])
    app.terminal.say(f"{new} new, {len(result['keys']) - new} known already.")


# --- export -----------------------------------------------------------------------------------------------------------


@command(
    "export",
    examples="""
    mitherm keys export --for esphome -o thermometers.yaml
    mitherm keys export --for ha A4:C1:38:00:00:01 --reveal
    """,
)
@click.argument("unit", metavar="[UNIT]", required=False)
@click.option("--for", "target", required=True, type=click.Choice(TARGETS), help="Who is to read it.")
@click.option("-o", "--output", metavar="FILE", type=_PATH, help="Write FILE, for your eyes only (0600).")
@click.option("--reveal", is_flag=True, help="Write to stdout, keys and all.")
@click.pass_obj
def export_(app: App, unit: str | None, target: str, output: Path | None, reveal: bool) -> int:
    """Write the keys in use for another program, of UNIT or of all units. They go to a file, or openly to stdout."""
    if output is None and not reveal:
        raise UsageProblem("an export is full of keys", hint="-o FILE writes a private file, --reveal prints it")
    address = unit_address(app, unit) if unit is not None else None
    exported = ops.export_keys(open_stores(), target, address)
    for left in exported.left_out:
        app.terminal.tell(Notice("warning", f"{left} is left out: the vault has no bind key of it"))
    if output is not None:
        _write(output, exported.text)
    result = documents.key_export(exported, target, file=output, reveal=reveal)
    return app.finish(result, lambda result: _render_export(app, result))


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise UsageProblem(f"{path} is a directory", hint="name a file")
    if not path.parent.is_dir():
        raise FileMissing(f"there is no directory {path.parent}")
    write_durably(path, text.encode())


def _render_export(app: App, result: Mapping[str, Any]) -> None:
    if result["file"] is None:
        sys.stdout.write(result["text"])
    else:
        app.terminal.say(f"Keys of {len(result['units'])} unit(s) are in {result['file']}. Keep it to yourself.")


for _command in (list_keys, show, fetch_command, import_, export_, *UNIT_COMMANDS):
    keys_command.add_command(_command)
