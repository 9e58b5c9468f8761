"""How a request to the API is signed and encrypted, and its answer decrypted (mi-auth.md 10.2)."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from typing import Final

from mitherm.errors import DecodeError
from mitherm.primitives.crypto import rc4
from mitherm.protocol.effects import Entropy

DROPPED: Final = 1024
"""Bytes of key stream in front of each value that are not used."""


def make_nonce(entropy: Entropy, epoch_s: float) -> bytes:
    """8 random bytes ‖ u32 big-endian minutes since the epoch."""
    return entropy(8) + int(epoch_s // 60).to_bytes(4, "big")


def signed_nonce(ssecurity: bytes, nonce: bytes) -> bytes:
    """The 32-byte key of one exchange."""
    return hashlib.sha256(ssecurity + nonce).digest()


def signed_form(path: str, data: str, ssecurity: bytes, nonce: bytes) -> dict[str, str]:
    """The POST form that carries `data` (JSON) to `path` (without /app)."""
    key = signed_nonce(ssecurity, nonce)
    plain = {"data": data, "rc4_hash__": _hash(path, {"data": data}, key)}
    sealed = {name: encrypt(value.encode(), key) for name, value in plain.items()}
    return {**sealed, "signature": _hash(path, sealed, key), "ssecurity": _text(ssecurity), "_nonce": _text(nonce)}


def encrypt(data: bytes, key: bytes) -> str:
    """RC4, base64."""
    return _text(rc4(key, data, DROPPED))


def decrypt(body: bytes, key: bytes) -> bytes:
    """Inverse of `encrypt`. Raises DecodeError for what is no base64."""
    try:
        return rc4(key, b64decode(body.strip(), validate=True), DROPPED)
    except binascii.Error:
        raise DecodeError("the answer is not encrypted as expected") from None


def _hash(path: str, fields: dict[str, str], key: bytes) -> str:
    parts = ["POST", path, *(f"{name}={value}" for name, value in fields.items()), _text(key)]
    return _text(hashlib.sha1("&".join(parts).encode()).digest())


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
