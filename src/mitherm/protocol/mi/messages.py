"""What Xiaomi authentication says: control-point values, device information, key schedule (mi-auth.md 4 and 5).

Used by the client (`mi_client.py`), the unit (`mi_device.py`) and the virtual Mi Home.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, Self

from mitherm.errors import DecodeError
from mitherm.model.keys import BIND_KEY_LENGTH, DID_LENGTH, TOKEN_LENGTH, did_text
from mitherm.primitives.crypto import ccm_decrypt, ccm_encrypt, hkdf, hmac_sha256

POINT_LENGTH: Final = 64
RANDOM_LENGTH: Final = 16
PROOF_LENGTH: Final = 32
DID_PARCEL_LENGTH: Final = DID_LENGTH + 4
SIGNED_DID_LENGTH: Final = DID_LENGTH + 64 + 4
"""Generation 2: DID ‖ signature r‖s ‖ u32 UTC, before encryption."""
CERTIFICATE_LIMIT: Final = 512

_SETUP_INFO: Final = b"mible-setup-info"
_LOGIN_INFO: Final = b"mible-login-info"
_DID_NONCE: Final = bytes.fromhex("101112131415161718191a1b")
_DID_AAD: Final = b"devID"
_OKM_LENGTH: Final = 64


class Opcode(IntEnum):
    """Low byte of a value of the control point 0010."""

    DEVICE_INFO = 0xA2
    REGISTER = 0x15
    LOGIN = 0x24
    LINK_PARAMETERS = 0xA4
    ACCEPTED = 0x13
    REFUSED = 0x14
    REGISTERED = 0x11
    REGISTRATION_FAILED = 0x12
    LOGGED_IN = 0x21
    INVALID_KEY = 0x22
    LOGIN_FAILED = 0x23
    NOT_REGISTERED = 0xE0
    ALREADY_REGISTERED = 0xE1
    REPEATED_LOGIN = 0xE2
    INVALID_OOB = 0xE3

    @property
    def frame(self) -> bytes:
        """As written and notified: u32."""
        return control_value(self)


def control_value(opcode: int, choice: int = 0) -> bytes:
    """u8 opcode, u16 chosen I/O capability (registration only), u8 0."""
    return struct.pack("<BHx", opcode, choice)


class Refusal(NamedTuple):
    """What a control-point value means to a person, and what helps."""

    text: str
    hint: str | None


REFUSALS: Final[dict[int, Refusal]] = {
    Opcode.REGISTRATION_FAILED: Refusal(
        "the unit refused the registration (12)",
        "nothing was stored; reconnect and try again, the DID is then read anew and sent back unchanged",
    ),
    Opcode.INVALID_KEY: Refusal("the unit says its long-term key is invalid (22)", "activate it again"),
    Opcode.LOGIN_FAILED: Refusal(
        "the unit refused the login (23): wrong token",
        "read the token again after the last time the unit was added; a token has 24 hex digits, a bind key 32",
    ),
    Opcode.NOT_REGISTERED: Refusal(
        "the unit is not registered (E0): it holds no token",
        "it was reset after it had been added, or these keys belong to another unit: activate it, or add it in "
        "Mi Home and read the keys again",
    ),
    Opcode.ALREADY_REGISTERED: Refusal("the unit is already registered (E1)", "reset it with its button first"),
    Opcode.REPEATED_LOGIN: Refusal("this connection is already logged in (E2)", None),
    Opcode.INVALID_OOB: Refusal("the unit wants a code entered or scanned for registration (E3)", "add it in Mi Home"),
}
"""Values that end whatever runs (mi-auth.md 4, 9.3)."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Answer to A2: authentication version (1, or 2 on 0159), I/O capability mask, DID record if there is one."""

    version: int
    io_mask: int = 0
    did_record: bytes | None = None

    @property
    def did(self) -> str | None:
        """The DID as text."""
        return None if self.did_record is None else did_text(self.did_record)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """4 or 24 bytes; raises DecodeError."""
        if len(raw) not in (4, 4 + DID_LENGTH):
            raise DecodeError(f"device information has 4 or 24 bytes, not {len(raw)}")
        version, io_mask = struct.unpack_from("<HH", raw)
        return cls(version, io_mask, raw[4:] or None)

    def to_bytes(self) -> bytes:
        """u16 version, u16 mask, DID record."""
        return struct.pack("<HH", self.version, self.io_mask) + (self.did_record or b"")


@dataclass(frozen=True, slots=True)
class SetupKeys:
    """Keys of a registration, cut from 64 derived bytes."""

    okm: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """From the ECDH X coordinate, 32 bytes (mi-auth.md 5.2)."""
        return cls(hkdf(secret, None, _SETUP_INFO, _OKM_LENGTH))

    @property
    def token(self) -> bytes:
        """Long-term login secret, 12 bytes."""
        return self.okm[:TOKEN_LENGTH]

    @property
    def bind_key(self) -> bytes:
        """Key of the encrypted beacons, 16 bytes."""
        return self.okm[TOKEN_LENGTH : TOKEN_LENGTH + BIND_KEY_LENGTH]

    @property
    def record(self) -> bytes:
        """The 28-byte key record: token ‖ bind key."""
        return self.token + self.bind_key

    @property
    def did_key(self) -> bytes:
        """Key of the DID parcel, 16 bytes."""
        return self.okm[28:44]

    def seal_did(self, plain: bytes) -> bytes:
        """The DID parcel: cipher text ‖ 4-byte tag."""
        return ccm_encrypt(self.did_key, _DID_NONCE, plain, _DID_AAD)

    def open_did(self, parcel: bytes) -> bytes | None:
        """The opposite of `seal_did`; None when the tag is wrong."""
        return open_did(self.did_key, parcel)


def open_did(did_key: bytes, parcel: bytes) -> bytes | None:
    """Decrypt a DID parcel; None when the tag is wrong."""
    return ccm_decrypt(did_key, _DID_NONCE, parcel, _DID_AAD)


@dataclass(frozen=True, slots=True)
class LoginKeys:
    """Session keys and proofs of one login (mi-auth.md 5.5)."""

    okm: bytes = field(repr=False)
    app_random: bytes
    device_random: bytes

    @classmethod
    def derive(cls, token: bytes, app_random: bytes, device_random: bytes) -> Self:
        """From the token and both 16-byte randoms."""
        return cls(hkdf(token, app_random + device_random, _LOGIN_INFO, _OKM_LENGTH), app_random, device_random)

    @property
    def session(self) -> bytes:
        """Device key 16 ‖ app key 16 ‖ device IV 4 ‖ app IV 4."""
        return self.okm[:40]

    @property
    def device_proof(self) -> bytes:
        """What the unit must show, 32 bytes."""
        return hmac_sha256(self.okm[:16], self.device_random + self.app_random)

    @property
    def app_proof(self) -> bytes:
        """What the client must show, 32 bytes."""
        return hmac_sha256(self.okm[16:32], self.app_random + self.device_random)


def signed_content(did: bytes, bind_key: bytes, utc: bytes) -> bytes:
    """What the cloud signs for generation 2 (SHA-256 is part of ECDSA here): DID 20 ‖ bind key 16 ‖ u32 UTC."""
    return did + bind_key + utc
