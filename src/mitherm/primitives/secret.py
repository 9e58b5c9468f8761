"""Bytes that must not be printed."""

from __future__ import annotations

import hmac


class Secret:
    """Key material: `repr`, `str` and formatting show nothing; only `reveal()` gives the bytes.

    Equality is compared in constant time. Pickling is refused so that a secret cannot leave by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    @classmethod
    def from_hex(cls, text: str) -> Secret:
        """From hex digits; raises ValueError without quoting the text."""
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError:
            raise ValueError("not a hex string") from None

    def reveal(self) -> bytes:
        """The bytes. Every caller is a place to review."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret(<{len(self._value)} bytes>)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("secrets are not pickled")
