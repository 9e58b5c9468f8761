"""The Mi credentials of one unit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from mitherm.primitives.secret import Secret

TOKEN_LENGTH: Final = 12
BIND_KEY_LENGTH: Final = 16
DID_LENGTH: Final = 20
INVENTED_DID: Final = "blt.3.129v"
"""Every DID text with this beginning was made up by a flasher (mi-auth.md 5.1); Mi Home answers it with -29."""


def did_record(text: str) -> bytes:
    """DID text to the 20-byte flash record: zero bytes in front (mi-auth.md 5.1). Raises ValueError."""
    raw = text.encode("ascii")
    if not 0 < len(raw) <= DID_LENGTH:
        raise ValueError("a DID has 1 to 20 ASCII characters")
    return raw.rjust(DID_LENGTH, b"\0")


def did_text(record: bytes) -> str:
    """The 20-byte record to text; bytes that are not printable ASCII appear as backslash escapes."""
    return record.strip(b"\0").decode("ascii", "backslashreplace")


def is_invented(did: str) -> bool:
    """Whether a flasher made this DID up."""
    return did.startswith(INVENTED_DID)


@dataclass(frozen=True, slots=True)
class MiKeys:
    """Token (12 bytes), bind key (16 bytes) and DID text; each may be unknown."""

    token: Secret | None = None
    bind_key: Secret | None = None
    did: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) != TOKEN_LENGTH:
            raise ValueError(_length_message("token", TOKEN_LENGTH, len(self.token)))
        if self.bind_key is not None and len(self.bind_key) != BIND_KEY_LENGTH:
            raise ValueError(_length_message("bind key", BIND_KEY_LENGTH, len(self.bind_key)))

    @classmethod
    def from_record(cls, record: bytes, did: str | None) -> Self:
        """From the 28-byte key record (token ‖ bind key)."""
        if len(record) != TOKEN_LENGTH + BIND_KEY_LENGTH:
            raise ValueError("a key record has 28 bytes")
        return cls(Secret(record[:TOKEN_LENGTH]), Secret(record[TOKEN_LENGTH:]), did)

    @property
    def login_token(self) -> Secret | None:
        """The token, unless it stands for none: blank flash reads as all ones, and programs write zeros for "unknown"."""
        if self.token is None or set(self.token.reveal()) in ({0x00}, {0xFF}):
            return None
        return self.token

    @property
    def complete(self) -> bool:
        """Whether both parts of a key record are known."""
        return self.token is not None and self.bind_key is not None

    @property
    def record(self) -> bytes:
        """The 28-byte key record; raises ValueError unless both parts are known."""
        if self.token is None or self.bind_key is None:
            raise ValueError("token and bind key are both needed")
        return self.token.reveal() + self.bind_key.reveal()

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that name this generation without revealing it."""
        parts = (self.token, self.bind_key)
        raw = b"".join(b"\0" if part is None else part.reveal() for part in parts)
        return hashlib.sha256(b"mitherm-fingerprint" + raw).hexdigest()[:8]


def _length_message(what: str, expected: int, length: int) -> str:
    mixed = {TOKEN_LENGTH: "a token", BIND_KEY_LENGTH: "a bind key"}.get(length)
    tail = f"; {length} bytes is the length of {mixed}: were the two swapped?" if mixed else ""
    return f"a {what} has {expected} bytes ({2 * expected} hex digits), not {length}{tail}"
