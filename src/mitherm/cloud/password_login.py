"""Login by account name and password, with the second factor in a browser (mi-auth.md 10.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from mitherm.cloud.answers import account_answer, text
from mitherm.cloud.effects import Procedure, Request, SecondFactor, send
from mitherm.cloud.session import AGENT, SERVICE, Ground, Session, begin_session, trusted
from mitherm.errors import CloudError
from mitherm.primitives.secret import Secret

_ROUNDS: Final = 2
"""The first attempt, and one after the second factor."""
_QR: Final = "Log in by QR code instead: repeat the command without --password."
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEF"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Mail address, phone number or user id, and the password."""

    account: str
    password: Secret

    @property
    def password_hash(self) -> str:
        """What is sent instead of the password."""
        return hashlib.md5(self.password.reveal()).hexdigest().upper()


def password_login(ground: Ground, credentials: Credentials) -> Procedure[Session]:
    """Log in. Raises CloudError: wrong password, captcha wanted, second factor not passed."""
    cookies = {"deviceId": "".join(_LETTERS[byte & 31] for byte in ground.entropy(16)), "sdkVersion": "3.9"}
    for attempt in range(_ROUNDS):
        answer = yield from _attempt(ground, credentials, cookies)
        factor = text(answer, "notificationUrl")
        if not factor:
            return (yield from begin_session(ground, _accepted(answer)))
        if attempt < _ROUNDS - 1:
            yield SecondFactor(trusted(ground.hosts, _absolute(ground, factor)))
    raise CloudError("the account service still wants a second factor", hint=_QR)


def _attempt(ground: Ground, credentials: Credentials, cookies: dict[str, str]) -> Procedure[dict[str, Any]]:
    """One login; `cookies` collects what the service sets, as a browser would."""
    base = f"{ground.hosts.account}/pass"
    start = {"sid": SERVICE, "_json": "true"}
    named = {**cookies, "userId": quote(credentials.account, safe="@")}
    response = yield from send(Request("GET", f"{base}/serviceLogin", query=start, headers=AGENT, cookies=named))
    sign = text(account_answer(response), "_sign")
    cookies |= response.cookies
    form = start | {
        "_sign": sign,
        "user": credentials.account,
        "hash": credentials.password_hash,
        "callback": ground.hosts.callback,
        "qs": f"%3Fsid%3D{SERVICE}%26_json%3Dtrue",
    }
    response = yield from send(Request("POST", f"{base}/serviceLoginAuth2", form=form, headers=AGENT, cookies=cookies))
    cookies |= response.cookies
    return account_answer(response)


def _accepted(answer: dict[str, Any]) -> dict[str, Any]:
    if text(answer, "captchaUrl"):
        raise CloudError("the account service wants a captcha solved first", hint=_QR)
    if not text(answer, "ssecurity"):
        code = text(answer, "code") or "none"
        raise CloudError(f"the account service refused account name or password (code {code})", hint=_QR)
    return answer


def _absolute(ground: Ground, url: str) -> str:
    return ground.hosts.account + url if url.startswith("/") else url
