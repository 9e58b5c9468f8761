"""Calls of the API in a session: signed, encrypted, checked (mi-auth.md 10.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from mitherm.cloud.answers import json_object, session_over, text, usable
from mitherm.cloud.effects import Procedure, Request, Response, send
from mitherm.cloud.session import AGENT, Ground, Session
from mitherm.cloud.signing import decrypt, make_nonce, signed_form, signed_nonce
from mitherm.errors import CloudError, DecodeError

_HEADERS: Final = {
    **AGENT,
    "Accept-Encoding": "identity",
    "MIOT-ENCRYPT-ALGORITHM": "ENCRYPT-RC4",
    "x-xiaomi-protocal-flag-cli": "PROTOCAL-HTTP2",
}


class ApiRefusal(CloudError):
    """One call was refused; others may go well."""


def call(
    ground: Ground, session: Session, region: str, path: str, data: Mapping[str, object]
) -> Procedure[dict[str, Any]]:
    """The `result` of one call. Raises ApiRefusal, or another CloudError when no further call can go well."""
    nonce = make_nonce(ground.entropy, ground.clock())
    ssecurity = session.ssecurity.reveal()
    form = signed_form(path, json.dumps(data, separators=(",", ":")), ssecurity, nonce)
    url = ground.hosts.api_url(region, path)
    response = yield from send(Request("POST", url, form=form, headers=_HEADERS, cookies=_cookies(session)))
    return _result(_opened(response, signed_nonce(ssecurity, nonce)))


def _cookies(session: Session) -> dict[str, str]:
    token = session.service_token.reveal().decode()
    return {
        "userId": session.user_id,
        "serviceToken": token,
        "yetAnotherServiceToken": token,
        "locale": "en_GB",
        "timezone": "GMT+00:00",
        "is_daylight": "0",
        "dst_offset": "0",
        "channel": "MI_APP_STORE",
    }


def _opened(response: Response, key: bytes) -> dict[str, Any]:
    """Answers are encrypted, some refusals are not."""
    body = usable(response).body
    if body.lstrip().startswith(b"{"):
        return json_object(body)
    try:
        return json_object(decrypt(body, key))
    except DecodeError as problem:
        raise CloudError(f"the account service: {problem.message}") from None


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    code, message = text(answer, "code"), text(answer, "message")
    if code != "0":
        if "auth" in message.lower():
            raise session_over(f"code {code}")
        raise ApiRefusal(f"the account service refused a question (code {code or 'none'})")
    result = answer.get("result")
    return result if isinstance(result, dict) else {}
