"""The keys a receiver may try (beacons.md 10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mitherm.beacon.decode import decode
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.model.reading import DecodeFailure, Reading

Sender = Address | str
"""Who sent a frame: an address, or the name the system gives where it hides addresses (macOS)."""

_UNREADABLE: Final = ("no-key", "key-length", "auth-failed")


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key with its origin: the unit it was made for, and a label such as a fingerprint or generation."""

    key: BeaconKey
    owner: Address | None
    label: str = ""


@dataclass(slots=True)
class KeyRing:
    """All known keys. Those of a unit are tried first, newest first, then those of all others."""

    keys: list[RingKey] = field(default_factory=list)
    """Oldest first."""

    def add(self, key: BeaconKey, owner: Address | None = None, label: str = "") -> None:
        """Add the newest key of a unit; an owner of None means that the unit is not known."""
        self.keys.append(RingKey(key, owner, label))

    def decode(
        self, uuid: int, data: bytes, address: Address | None, hint: RingKey | None = None
    ) -> tuple[Reading | DecodeFailure, RingKey | None]:
        """Decode with the key that fits; `hint` is tried first. The key is None for plain frames and when none fits.

        Where the address is hidden, each key is tried with its owner's. Errors speak about the unit's own keys: `no-key`
        when only keys of other units were tried.
        """
        first = decode(uuid, data, address, None if hint is None else hint.key)
        if isinstance(first, Reading):
            return first, hint if first.authenticated else None
        if first.error not in _UNREADABLE:
            return first, None
        return self._search(uuid, data, address, first)

    def _search(
        self, uuid: int, data: bytes, address: Address | None, failure: DecodeFailure
    ) -> tuple[Reading | DecodeFailure, RingKey | None]:
        failure = DecodeFailure("no-key", failure.format, failure.mi, failure.mac)
        for own in (True, False):
            for entry in reversed(self.keys):
                if (entry.owner == address and address is not None) is not own:
                    continue
                decoded = decode(uuid, data, address or entry.owner, entry.key)
                if isinstance(decoded, Reading) and (own or decoded.authenticated):
                    return decoded, entry
                if own and isinstance(decoded, DecodeFailure) and failure.error != "auth-failed":
                    failure = decoded
        return failure, None
