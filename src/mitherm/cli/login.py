"""`mitherm login UNIT`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from mitherm.cli.bench import open_bench
from mitherm.cli.context import App
from mitherm.cli.documents.keys import key
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import command, unit_argument
from mitherm.cli.questions import parse_token
from mitherm.errors import AnswerNeeded
from mitherm.ops.keys.login import login_with_token, login_with_vault
from mitherm.ops.next_step import after_login
from mitherm.ops.target import resolve
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

    async def work() -> dict[str, object]:
        async with open_bench(app) as bench:
            address = await resolve(bench, unit)
            if token is not None:
                generation = await login_with_token(bench, address, token)
            else:
                generation = await login_with_vault(bench, address)
            return {"keys": [key(generation, reveal=False)], "changed": False}

    def render(result: Mapping[str, Any]) -> None:
        render_keys(app, result)
        app.terminal.suggest(after_login(result["keys"][0]["address"]))

    return app.finish(app.run(work), render)


def _token() -> Secret:
    """Never an argument: those are seen in process lists."""
    if sys.stdin.isatty():
        text = click.prompt("token (24 hex digits)", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise AnswerNeeded("no token was given", hint="type it, or pipe it to stdin")
    return parse_token(text)
