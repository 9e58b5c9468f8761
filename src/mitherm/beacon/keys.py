"""The key of one unit's encrypted beacons, ready for use."""

from __future__ import annotations

from typing import Final

from mitherm.primitives.crypto import CcmKey
from mitherm.primitives.secret import Secret

BIND_KEY: Final = 16
LEGACY_KEY: Final = 12

_LEGACY_MIDDLE: Final = bytes.fromhex("8d3d3c97")


class BeaconKey:
    """AES-CCM with a 16-byte bind key, or the 12-byte key of MiBeacon v2/v3 (beacons.md 6.5); make it once per key.

    A key of another length is kept too: decoding with it says `key-length`.
    """

    __slots__ = ("ccm", "length", "secret")

    def __init__(self, secret: Secret) -> None:
        raw = secret.reveal()
        self.secret = secret
        self.length = len(raw)
        if self.length == LEGACY_KEY:
            raw = raw[:6] + _LEGACY_MIDDLE + raw[6:]
        self.ccm = CcmKey(raw) if len(raw) == BIND_KEY else None

    def __repr__(self) -> str:
        return f"BeaconKey({self.secret!r})"
