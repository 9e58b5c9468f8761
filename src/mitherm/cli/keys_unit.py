"""`mitherm keys backup|restore|erase|swap|test UNIT`: the commands that speak to a unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from mitherm.cli.context import App
from mitherm.cli.documents import keys as documents
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import command, unit_argument
from mitherm.cli.unit import on_bench
from mitherm.cli.waivers import waived, waiver_options
from mitherm.model.operation import Outcome
from mitherm.ops.keys import unit_keys
from mitherm.ops.keys.proof import DURATION_S, check_keys, raise_unless_proven
from mitherm.ops.next_step import after_erase, after_restore


@command(
    "backup",
    examples="""
    mitherm keys backup A4:C1:38:00:00:01
    mitherm --radio virtual:demo keys backup a4c138000002 --raw --json
    """,
)
@unit_argument()
@click.option("--raw", is_flag=True, help="Also copy the two flash sectors byte by byte (minutes).")
@click.option("--reveal", is_flag=True, help="Show token and bind key.")
@click.pass_obj
def backup(app: App, unit: str, raw: bool, reveal: bool) -> int:
    """Copy everything Mi from a unit on pvvx firmware into the vault: DID, keys, counter, superseded keys."""
    saved = on_bench(app, lambda bench: unit_keys.backup(bench, unit, raw=raw))

    def render(result: Mapping[str, Any]) -> None:
        if result["keys"]:
            render_keys(app, result)
        else:
            app.terminal.say("The unit holds no keys.")
        app.terminal.say(f"Backup {result['backup']} is in the vault{'' if result['changed'] else ' already'}.")

    return app.finish(documents.key_backup(saved, reveal), render)


@command(
    "restore",
    examples="""
    mitherm keys restore A4:C1:38:00:00:01
    mitherm keys restore A4:C1:38:00:00:01 --generation 1a2b3c4d      (a fingerprint or id of `keys show`)
    """,
)
@unit_argument()
@click.option(
    "--generation",
    metavar="ID",
    help="Which pair: id, its beginning, or the fingerprint. Default: the one in use last.",
)
@waiver_options("erase")
@click.pass_obj
def restore(app: App, /, unit: str, generation: str | None, **options: Any) -> int:
    """Write a saved pair and its DID into a unit on pvvx firmware, over the pair it holds, which is saved first."""
    return _finish_replaced(
        app, on_bench(app, lambda bench: unit_keys.restore(bench, unit, generation), waived(options))
    )


@command("swap", examples="mitherm keys swap A4:C1:38:00:00:01")
@unit_argument()
@waiver_options("erase")
@click.pass_obj
def swap(app: App, /, unit: str, **options: Any) -> int:
    """Bring back the previous pair of a unit on pvvx firmware; the present one is saved first, so swap again undoes it.

    Done by writing the pair, never with the firmware's own command, which since 3.2 destroys the previous pair.
    """
    return _finish_replaced(app, on_bench(app, lambda bench: unit_keys.swap(bench, unit), waived(options)))


def _finish_replaced(app: App, done: unit_keys.KeyReplacement) -> int:
    text = {
        Outcome.VERIFIED: f"{done.now.address} holds {done.now.keys.fingerprint} now, read back from it.",
        Outcome.DRY_RUN: f"Dry run: {done.now.keys.fingerprint} would be written; nothing was.",
    }.get(done.outcome, f"Nothing to do: {done.now.address} holds {done.now.keys.fingerprint} already.")

    def render(result: Mapping[str, Any]) -> None:
        app.terminal.say(text)
        if done.changed:
            app.terminal.suggest(after_restore(done.now.address))

    return app.finish(documents.replacement(done), render)


@command("erase", examples="mitherm keys erase A4:C1:38:00:00:01 --yes")
@unit_argument()
@waiver_options("erase")
@click.pass_obj
def erase(app: App, /, unit: str, **options: Any) -> int:
    """Erase DID and keys of a unit on pvvx firmware, so that Mi Home takes it for a new one. They are saved first."""
    done = on_bench(app, lambda bench: unit_keys.erase(bench, unit), waived(options))
    text = {
        Outcome.VERIFIED: "DID and keys are gone from the unit; the vault has them.",
        Outcome.DRY_RUN: "Dry run: DID and keys would be erased; nothing was.",
    }.get(done.outcome, "Nothing to do: the unit holds no Mi records.")

    def render(result: Mapping[str, Any]) -> None:
        app.terminal.say(text)
        if done.changed:
            app.terminal.suggest(after_erase(done.address))

    return app.finish(documents.erasure(done), render)


@command(
    "test",
    examples="""
    mitherm keys test A4:C1:38:00:00:01
    mitherm keys test Cellar --duration 60 --json
    """,
)
@unit_argument()
@click.option(
    "--duration",
    type=click.FloatRange(0),
    default=DURATION_S,
    show_default=True,
    metavar="S",
    help="How long to wait for an encrypted beacon.",
)
@click.pass_obj
def test(app: App, unit: str, duration: float) -> int:
    """Which of the vault's keys does UNIT hold? Tokens are tested by a login where stock firmware runs, bind keys by a
    live beacon. Exit 5 when all are wrong, 1 when nothing could be tested.
    """
    tested = on_bench(app, lambda bench: check_keys(bench, unit, duration))
    raise_unless_proven(tested)
    return app.finish(documents.key_test(tested), lambda result: _render_test(app, result))


def _render_test(app: App, result: Mapping[str, Any]) -> None:
    columns = ("fingerprint", "kind", "origin", "created", "token", "bind key")
    names = ("fingerprint", "kind", "origin", "created", "token_test", "bind_key_test")
    app.terminal.table(columns, [[key[name] for name in names] for key in result["keys"]])


UNIT_COMMANDS: Final = (backup, restore, erase, swap, test)
