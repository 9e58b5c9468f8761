"""Published firmware files: where they are, and one download of bounded length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from mitherm.cloud.effects import Procedure, Request, Response, send
from mitherm.cloud.hosts import PUBLISHER, PUBLISHER_HOSTS
from mitherm.errors import ImageMissing, NetworkUnreachable

_HOPS: Final = 3
_TIMEOUT_S: Final = 60.0
_AGENT: Final = {"User-Agent": "mitherm"}
_GONE: Final = (404, 410)


def addresses(repository: str, path: str, commit: str, mirror: str | None = None) -> tuple[str, ...]:
    """Where a file may be had, the best place first: the commit the catalogue describes, then the newest.

    A mirror is asked alone: MIRROR/repository/path, then MIRROR/name, so that a plain folder will do.
    """
    where = quote(path)
    if mirror is not None:
        base = mirror.rstrip("/")
        return f"{base}/{repository}/{where}", f"{base}/{where.rsplit('/', 1)[-1]}"
    places = (commit, "HEAD")
    return tuple(PUBLISHER.format(repository=repository, commit=place, path=where) for place in places)


def download(urls: Sequence[str], limit: int) -> Procedure[bytes]:
    """The file from the first address that has it, at most `limit` bytes. Raises ImageMissing, NetworkUnreachable."""
    for url in urls:
        response = yield from _followed(url, limit)
        if response.status == 200:
            return response.body
        if response.status not in _GONE:
            host = urlsplit(url).hostname
            raise NetworkUnreachable(f"{host} does not give the file (HTTP {response.status})", hint="Try again later.")
    raise ImageMissing(
        f"{urlsplit(urls[0]).hostname} no longer has the file",
        hint="Its publisher moved or withdrew it: name a --mirror, a newer --catalogue, or `mitherm firmware add FILE`.",
    )


def _followed(url: str, limit: int) -> Procedure[Response]:
    """The response behind at most a few redirects, all on the host asked or the publisher's."""
    host = urlsplit(url).hostname
    for _ in range(_HOPS):
        response = yield from send(Request("GET", url, headers=_AGENT, timeout_s=_TIMEOUT_S, limit=limit))
        if response.location is None:
            return response
        url = urljoin(url, response.location)
        parts = urlsplit(url)
        if parts.hostname != host and not (parts.scheme == "https" and parts.hostname in PUBLISHER_HOSTS):
            raise NetworkUnreachable(f"{host} sends us to another server; not followed", hint="Name a --mirror.")
    raise NetworkUnreachable(f"{host} sends us in circles", hint="Name a --mirror.")
