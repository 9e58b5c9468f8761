"""Where the MQTT broker is and how to log in there. The password never appears in text made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from mitherm.errors import FileMissing, UsageProblem
from mitherm.primitives.secret import Secret
from mitherm.publish.topics import DEFAULT_BASE

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_FORM: Final = "mqtt://[USER@]HOST[:PORT][/TOPIC], or mqtts:// for TLS"


@dataclass(frozen=True, slots=True)
class Broker:
    """A parsed MQTT URL with what came from elsewhere."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: Secret | None = None
    base: str = DEFAULT_BASE
    """First part of all topics but those of discovery."""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        password: Secret | None = None,
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
    ) -> Self:
        """A password given beside the URL goes before the one in it. Raises UsageProblem, FileMissing; quotes no URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageProblem("the MQTT URL cannot be understood", hint=f"it looks like {_FORM}") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise UsageProblem("the MQTT URL cannot be understood", hint=f"it looks like {_FORM}")
        base = unquote(parts.path).strip("/") or DEFAULT_BASE
        if set(base) & set("+#\0"):
            raise UsageProblem("a topic contains no + and no #")
        for path in (ca_file, cert_file, key_file):
            if path is not None and not path.is_file():
                raise FileMissing(f"there is no file {path}")
        if password is None and parts.password:
            password = Secret(unquote(parts.password).encode())
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts" or ca_file is not None,
            username=unquote(parts.username) if parts.username else None,
            password=password,
            base=base,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
