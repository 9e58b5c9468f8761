"""Where the servers are: the account service, its regions, and the publishers of firmware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from mitherm.errors import UsageProblem

REGIONS: Final = ("de", "cn", "us", "ru", "tw", "sg", "in", "i2")
"""Servers a home may live on (mi-auth.md 10.2)."""
PUBLISHER: Final = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
"""A published file at the commit that the catalogue describes; HEAD is the newest."""
PUBLISHER_HOSTS: Final = ("raw.githubusercontent.com", "github.com", "objects.githubusercontent.com")

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Base addresses of the account service (mi-auth.md 10.2)."""

    account: str = "https://account.xiaomi.com"
    callback: str = "https://sts.api.io.mi.com/sts"
    api: str = "https://{prefix}api.io.mi.com/app"
    """`{prefix}` is empty for cn, else the region and a dot; `{region}` is always the region."""
    trusted: tuple[str, ...] = (".xiaomi.com", ".mi.com")
    """Endings of the host names that the service may send us to."""

    @classmethod
    def local(cls, base: str) -> Self:
        """Everything on one server of this computer, for tests: BASE/pass/..., BASE/sts, BASE/REGION/app/...

        Raises UsageProblem for any other computer: passwords go nowhere else.
        """
        host = urlsplit(base).hostname
        if host not in LOOPBACK:
            raise UsageProblem(f"{base} is not on this computer; only a local server can stand in for the service")
        base = base.rstrip("/")
        return cls(base, f"{base}/sts", f"{base}/{{region}}/app", (host,))

    def api_url(self, region: str, path: str) -> str:
        """Address of an API path (which begins with a slash) in a region."""
        return self.api.format(prefix="" if region == "cn" else f"{region}.", region=region) + path

    def trusts(self, url: str) -> bool:
        """Whether the service may send us to this address: encrypted as the account is, and one of its hosts."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        trusted = any(host.endswith(ending) if ending.startswith(".") else host == ending for ending in self.trusted)
        return trusted and parts.scheme == urlsplit(self.account).scheme
