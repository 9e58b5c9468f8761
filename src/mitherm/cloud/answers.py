"""What the account service answers, and what its refusals mean to a person."""

from __future__ import annotations

import json
from typing import Any, Final

from mitherm.cloud.effects import Response
from mitherm.errors import CloudError, NetworkUnreachable

_PREFIX: Final = b"&&&START&&&"
_LATER: Final = "Wait a quarter of an hour, then try again; more attempts make the wait longer."


def usable(response: Response) -> Response:
    """The response, unless its status is a refusal. Raises CloudError, NetworkUnreachable."""
    status = response.status
    if status == 429:
        raise CloudError("the account service limits how often it may be asked (HTTP 429)", hint=_LATER)
    if status in (401, 403):
        raise session_over(f"HTTP {status}")
    if status >= 500:
        raise NetworkUnreachable(f"the account service has trouble of its own (HTTP {status})", hint="Try again later.")
    if status >= 400:
        raise CloudError(f"the account service refused the request (HTTP {status})")
    return response


def session_over(why: str) -> CloudError:
    """The session is not, or no longer, valid."""
    return CloudError(
        f"the account service does not accept this session ({why})", hint="Log in again: repeat the command."
    )


def account_answer(response: Response) -> dict[str, Any]:
    """The JSON object of an account page, which has a prefix of its own. Raises CloudError, NetworkUnreachable."""
    return json_object(usable(response).body.removeprefix(_PREFIX))


def json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object. Raises CloudError without quoting it."""
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise CloudError(
            "the account service answered something that is no JSON object",
            hint="A captive portal or proxy may have answered instead, or the service has changed.",
        )
    return answer


def text(answer: dict[str, Any], name: str) -> str:
    """A field as text; empty where it is missing or no text or number."""
    value = answer.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
