"""Conversations over HTTP as generators that yield effects, in the manner of `protocol/effects.py`.

A procedure opens no socket, asks nobody and knows no clock: it yields what it wants done and is sent the answer, or
`NetworkUnreachable` is thrown into it. Driver: `cloud/driver.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from mitherm.protocol.effects import Pause, Report

ANSWER_LIMIT = 8 << 20
"""Bytes of an answer that are read; lists of large homes stay far below."""


@dataclass(frozen=True, slots=True)
class Request:
    """One exchange; answer: Response, redirects included: nothing is followed by itself.

    `form` makes it a POST body. Everything but method, host and path may be secret and stays out of `repr`.
    """

    method: Literal["GET", "POST"]
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20.0
    limit: int = ANSWER_LIMIT
    """Bytes of the body that are read; the rest is dropped."""

    @property
    def host(self) -> str:
        """Name of the server."""
        return urlsplit(self.url).hostname or ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.host}{urlsplit(self.url).path})"


@dataclass(frozen=True, slots=True)
class Response:
    """What the server said."""

    status: int
    body: bytes = field(default=b"", repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    location: str | None = field(default=None, repr=False)
    """Where a redirect points, absolute."""


@dataclass(frozen=True, slots=True)
class ShowLogin:
    """Show a person the address to log in at, as a QR code. Answer: None, at once."""

    url: str = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Have a person pass the second factor at this address. Answer: None, when that is done; AnswerNeeded without one."""

    url: str = field(repr=False)


Effect: TypeAlias = Request | ShowLogin | SecondFactor | Pause | Report

_R = TypeVar("_R")
Procedure: TypeAlias = Generator[Effect, Any, _R]


def send(request: Request) -> Procedure[Response]:
    """Exchange; see `Request`."""
    response: Response = yield request
    return response
