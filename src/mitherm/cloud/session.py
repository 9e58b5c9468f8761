"""A login at the account service, for as long as one command runs. It is never stored."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from mitherm.cloud.answers import text, usable
from mitherm.cloud.effects import Procedure, Request, send
from mitherm.cloud.hosts import Hosts
from mitherm.errors import CloudError
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Entropy

SERVICE: Final = "xiaomiio"
AGENT: Final = {"User-Agent": "mitherm APP/xiaomi.smarthome APPV/62830"}
_HOPS: Final = 5


@dataclass(frozen=True, slots=True)
class Ground:
    """What a conversation with the service stands on."""

    entropy: Entropy
    clock: Callable[[], float]
    """Seconds since the epoch."""
    hosts: Hosts = field(default_factory=Hosts)


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gives (mi-auth.md 10.2)."""

    user_id: str = field(repr=False)
    ssecurity: Secret
    service_token: Secret


def begin_session(ground: Ground, answer: dict[str, Any]) -> Procedure[Session]:
    """From the answer of a successful login: follow its `location` to the service token. Raises CloudError."""
    try:
        ssecurity = Secret(b64decode(text(answer, "ssecurity"), validate=True))
    except binascii.Error:
        ssecurity = Secret(b"")
    user_id, url = text(answer, "userId"), text(answer, "location")
    if not (user_id and url and len(ssecurity)):
        raise CloudError("the account service accepted the login but gave no session", hint="Try again later.")
    token = yield from _service_token(ground.hosts, url)
    return Session(user_id, ssecurity, token)


def trusted(hosts: Hosts, url: str) -> str:
    """The address, if it belongs to the service. Raises CloudError."""
    if not hosts.trusts(url):
        raise CloudError("the account service wanted to send us to a server that is not its own; not followed")
    return url


def _service_token(hosts: Hosts, url: str) -> Procedure[Secret]:
    for _ in range(_HOPS):
        response = yield from send(Request("GET", trusted(hosts, url), headers=AGENT))
        if token := usable(response).cookies.get("serviceToken"):
            return Secret(token.encode())
        if response.location is None:
            break
        url = urljoin(url, response.location)
    raise CloudError("the account service accepted the login but gave no service token", hint="Try again later.")
