"""One HTTP exchange over the standard library: TLS checked, no redirect followed, no answer read without end."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from email.message import Message
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import IO, Any, Final, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

from mitherm.cloud.effects import Request, Response
from mitherm.cloud.hosts import LOOPBACK
from mitherm.errors import NetworkTimeout, NetworkUnreachable, UsageProblem

_SCHEMES: Final = ("https", "http")


class Web(Protocol):
    """Something that exchanges a request for a response."""

    def exchange(self, request: Request) -> Response:
        """One exchange. Raises NetworkUnreachable, NetworkTimeout."""


class StandardWeb:
    """The internet, by way of the proxies of the environment; this computer directly."""

    @cached_property
    def _far(self) -> urllib.request.OpenerDirector:
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        return urllib.request.build_opener(_NoRedirect, secure)

    @cached_property
    def _near(self) -> urllib.request.OpenerDirector:
        return urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))

    def exchange(self, request: Request) -> Response:
        """One exchange. Raises NetworkUnreachable, NetworkTimeout, UsageProblem for an address that is none."""
        try:
            return self._exchange(request)
        except TimeoutError:
            raise NetworkTimeout(f"{request.host} did not answer within {request.timeout_s:.0f} s") from None
        except urllib.error.URLError as problem:
            raise _explained(request, problem.reason) from None
        except (OSError, http.client.HTTPException) as problem:
            raise _explained(request, problem) from None
        except ValueError:
            raise UsageProblem(f"{request.host or 'this'} is no usable web address") from None

    def _exchange(self, request: Request) -> Response:
        opener = self._near if request.host in LOOPBACK else self._far
        try:
            with opener.open(_prepared(request), timeout=request.timeout_s) as answer:
                return _response(request, answer.status, answer.headers, answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return _response(request, refusal.code, refusal.headers, refusal)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        """Redirects are answers; the procedure decides."""


def _prepared(request: Request) -> urllib.request.Request:
    if urlsplit(request.url).scheme not in _SCHEMES:
        raise ValueError("neither https nor http")
    query = ("&" if "?" in request.url else "?") + urlencode(request.query) if request.query else ""
    body = urlencode(request.form).encode() if request.method == "POST" else None
    message = urllib.request.Request(request.url + query, body, dict(request.headers), method=request.method)
    if request.cookies:
        message.add_header("Cookie", "; ".join(f"{name}={value}" for name, value in request.cookies.items()))
    return message


def _response(request: Request, status: int, headers: Message, body: IO[bytes]) -> Response:
    location = headers.get("Location")
    return Response(
        status,
        body.read(request.limit),
        _cookies(headers.get_all("Set-Cookie", [])),
        None if location is None else urljoin(request.url, location),
    )


def _cookies(lines: list[str]) -> dict[str, str]:
    cookies: dict[str, str] = {}
    for line in lines:
        try:
            parsed = SimpleCookie(line)
        except CookieError:
            continue
        cookies |= {name: morsel.value for name, morsel in parsed.items()}
    return cookies


def _explained(request: Request, reason: object) -> NetworkUnreachable:
    match reason:
        case TimeoutError():
            return NetworkTimeout(f"{request.host} did not answer within {request.timeout_s:.0f} s")
        case ssl.SSLCertVerificationError():
            return NetworkUnreachable(
                f"{request.host} could not prove who it is (certificate)",
                hint="A wrong clock, a proxy that reads along, or somebody in between. Nothing was sent.",
            )
        case http.client.IncompleteRead():
            return NetworkUnreachable(f"the answer of {request.host} was cut off")
        case OSError(strerror=str(text)):
            return NetworkUnreachable(f"{request.host} cannot be reached: {text}")
    return NetworkUnreachable(f"{request.host} cannot be reached")
