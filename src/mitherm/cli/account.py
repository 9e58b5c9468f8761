"""`mitherm keys fetch`: keys from the owner's Xiaomi account."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from mitherm.cli.context import App
from mitherm.cli.documents.keys import account_keys
from mitherm.cli.key_view import render_keys
from mitherm.cli.options import command
from mitherm.cloud.hosts import REGIONS
from mitherm.errors import AnswerNeeded
from mitherm.primitives.secret import Secret
from mitherm.wiring.bench import open_stores

if TYPE_CHECKING:  # an HTTP client is a lot to load for `keys list`
    from mitherm.cloud.password_login import Credentials

_YES: Final = "--yes starts the login all the same, for somebody who reads stderr; or use --password"


@command(
    "fetch",
    examples="""
    mitherm keys fetch                     (shows a QR code to scan with Mi Home)
    mitherm keys fetch --region de --json
    mitherm keys fetch --password --account owner@example.org
    """,
)
@click.option(
    "--region", "regions", multiple=True, type=click.Choice(REGIONS), help="Ask only this server. Repeatable."
)
@click.option(
    "--password",
    "by_password",
    is_flag=True,
    help="Log in with a password (asked for, hidden; or a line of stdin) instead of a QR code.",
)
@click.option("--account", metavar="NAME", help="Mail address, phone number or id, for --password.")
@click.option("--reveal", is_flag=True, help="Show token and bind key.")
@click.pass_obj
def fetch_command(app: App, regions: tuple[str, ...], by_password: bool, account: str | None, reveal: bool) -> int:
    """Read token and bind key of all your Bluetooth units from your Xiaomi account into the vault.

    Neither password nor session is stored. Exit 5 when the service refuses, or the account has no such unit.
    """
    credentials = _credentials(account) if by_password else None
    if credentials is None and not (sys.stdin.isatty() or app.settings.yes):
        raise AnswerNeeded("would have shown a QR code to scan with Mi Home", hint=_YES)
    from mitherm.wiring.account import fetch_keys

    done = fetch_keys(
        open_stores(),
        person=AccountTerminal(app),
        regions=regions or REGIONS,
        credentials=credentials,
        tell=app.terminal.tell,
    )

    def render(result: Mapping[str, Any]) -> None:
        from mitherm.ops.next_step import after_import

        _render(app, result)
        app.terminal.suggest(
            *dict.fromkeys(after_import(open_stores(), unit.generation.address) for unit in done.units)
        )

    return app.finish(account_keys(done, reveal), render)


def _render(app: App, result: Mapping[str, Any]) -> None:
    render_keys(app, result)
    for key in result["keys"]:
        state = "new keys" if key["new"] else "known already"
        app.terminal.say(f"{key['address']}  {key['name']} ({key['model']}, {key['region']}): {state}")


def _credentials(account: str | None) -> Credentials:
    """Never a password as an argument: those are seen in process lists."""
    from mitherm.cloud.password_login import Credentials

    person = sys.stdin.isatty()
    if account is None and not person:
        raise AnswerNeeded("would have asked for the account name", hint="name it with --account")
    name = account or click.prompt("account (mail address, phone number or id)", err=True)
    password = click.prompt("password", hide_input=True, err=True) if person else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise AnswerNeeded("no password was given", hint="type it, or pipe it to stdin")
    return Credentials(name, Secret(password.encode()))


class AccountTerminal:
    """The person at the terminal. Everything shown goes to stderr, so that stdout stays one document."""

    def __init__(self, app: App) -> None:
        self._err = app.terminal.err

    def show_login(self, url: str, timeout_s: float) -> None:
        """The address as QR code and text."""
        self._err.file.write(_qr_code(url, self._err.encoding))
        self._err.print(
            "Scan this with Mi Home or a browser where you are logged in, and agree. Or open:", markup=False
        )
        self._err.print(f"  {url}", markup=False)
        self._err.print(f"Waiting, at most {timeout_s / 60:.0f} minutes ...", markup=False)

    def second_factor(self, url: str) -> None:
        """Asks, and waits for Enter. Raises AnswerNeeded where nobody can answer."""
        if not sys.stdin.isatty():
            raise AnswerNeeded(
                "the account wants a second factor", hint=f"pass it at {url} and repeat, or log in by QR code"
            )
        self._err.print(
            f"The account wants a second factor. Open this, pass it, then press Enter:\n  {url}", markup=False
        )
        if not sys.stdin.readline():
            raise AnswerNeeded("the second factor was not confirmed")


def _qr_code(url: str, encoding: str) -> str:
    """The QR code in half blocks; empty where it cannot be made or shown: the address stands below it anyway."""
    try:
        import segno
    except ImportError:
        return "(No QR code: the extra `cloud` is not installed. The address does the same.)\n"
    drawn = io.StringIO()
    segno.make(url, error="l").terminal(out=drawn, compact=True)
    try:
        drawn.getvalue().encode(encoding)
    except UnicodeEncodeError:
        return ""
    return drawn.getvalue()
