"""Login by QR code: a person scans it with Mi Home, where they are logged in already (mi-auth.md 10.2).

No password passes through this program, and captcha and second factor are the phone's business.
"""

from __future__ import annotations

from typing import Any, Final

from mitherm.cloud.answers import account_answer, text
from mitherm.cloud.effects import Procedure, Request, ShowLogin, send
from mitherm.cloud.session import AGENT, SERVICE, Ground, Session, begin_session, trusted
from mitherm.errors import CloudError, NetworkTimeout
from mitherm.protocol.effects import Pause

POLL_S: Final = 15.0
"""How long the server may hold one poll."""
_BETWEEN_S: Final = 1.0
_SHORTEST_S: Final = 30.0
_LONGEST_S: Final = 600.0
_AGAIN: Final = "Repeat the command for a new code."


def qr_login(ground: Ground) -> Procedure[Session]:
    """Show a code and wait until it was scanned and agreed to. Raises CloudError, also when its time is over."""
    offer = account_answer((yield from send(_offer(ground))))
    shown, poll = text(offer, "loginUrl"), text(offer, "lp")
    if not shown or not poll:
        raise CloudError("the account service offers no QR code", hint="Try again later, or use --password.")
    timeout_s = _lifetime(offer)
    yield ShowLogin(trusted(ground.hosts, shown), timeout_s)
    answer = yield from _scanned(ground, trusted(ground.hosts, poll), ground.clock() + timeout_s)
    return (yield from begin_session(ground, answer))


def _offer(ground: Ground) -> Request:
    query = {
        "_qrsize": "480",
        "qs": f"%3Fsid%3D{SERVICE}%26_json%3Dtrue",
        "callback": ground.hosts.callback,
        "_hasLogo": "false",
        "sid": SERVICE,
        "serviceParam": "",
        "_locale": "en_GB",
        "_dc": str(int(ground.clock() * 1000)),
    }
    return Request("GET", f"{ground.hosts.account}/longPolling/loginUrl", query=query, headers=AGENT)


def _lifetime(offer: dict[str, Any]) -> float:
    stated = offer.get("timeout")
    return min(max(float(stated), _SHORTEST_S), _LONGEST_S) if isinstance(stated, int | float) else _LONGEST_S


def _scanned(ground: Ground, url: str, deadline: float) -> Procedure[dict[str, Any]]:
    """Poll until the answer holds a session; a poll that times out or says nothing yet is the ordinary case."""
    while ground.clock() < deadline:
        try:
            response = yield from send(Request("GET", url, headers=AGENT, timeout_s=POLL_S))
        except NetworkTimeout:
            continue
        if response.status in (404, 410):
            raise CloudError("the QR code is no longer valid", hint=_AGAIN)
        answer = account_answer(response)
        if text(answer, "location"):
            return answer
        yield Pause(_BETWEEN_S)
    raise CloudError("nobody scanned the QR code in time", hint=_AGAIN)
