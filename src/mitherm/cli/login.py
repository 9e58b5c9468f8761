"""`mitherm login UNIT`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Mapping
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents.keys import single_key
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import command, unit_argument
from mitherm.cli.questions import parse_token
from mitherm.cli.unit import on_bench
from mitherm.errors import AnswerNeeded
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Bench
from mitherm.ops.keys.login import login_with_token, login_with_vault
from mitherm.ops.next_step import after_login
from mitherm.primitives.secret import Secret


@command(
    "login",
    examples="""
    mitherm login A4:C1:38:00:00:01
    mitherm login A4:C1:38:00:00:01 --token      (asks for the token, hidden)
    """,
)
@unit_argument()
@click.option(
    "--token",
    "ask_token",
    is_flag=True,
    help="Ask for the token (hidden), or read it from stdin when that is no terminal.",
)
@click.pass_obj
def login_command(app: App, unit: str, ask_token: bool) -> int:
    """Test keys with a login. Changes nothing on the unit; the generation that opened it is marked as confirmed."""
    token = _token() if ask_token else None

    def act(bench: Bench) -> Awaitable[KeyGeneration]:
        return login_with_vault(bench, unit) if token is None else login_with_token(bench, unit, token)

    generation = on_bench(app, act)

    def render(result: Mapping[str, Any]) -> None:
        render_keys(app, result)
        app.terminal.suggest(after_login(generation.address))

    return app.finish(single_key(generation), render)


def _token() -> Secret:
    """Never an argument: those are seen in process lists."""
    if sys.stdin.isatty():
        text = click.prompt("token (24 hex digits)", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise AnswerNeeded("no token was given", hint="type it, or pipe it to stdin")
    return parse_token(text)
