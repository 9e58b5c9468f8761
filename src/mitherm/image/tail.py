"""The Mi tail: signature block behind an image, and the check of a device that demands it (virtual-unit.md 5)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final, Literal, Self

from mitherm.errors import DecodeError
from mitherm.image.telink import marked
from mitherm.primitives import crypto
from mitherm.primitives.checksums import crc32_raw

MAGIC: Final = bytes.fromhex("000000004d49ef54464f544182562647")
XIAOMI_ROOT: Final = bytes.fromhex(
    "bef58b02dae3fff8541aa0448fbac44db7c69a2fa8f0b1b6ff7ad951db6628fa"
    "d7f020ea39a2ee867fdd783fdc2fb086095cc2850413a2802c627dbdc715f4f9"
)
SYNTHETIC_ROOT: Final = bytes.fromhex(
    "556e7651b9fa2f13e1cddf49d444553b4f5cc90aeed5dedb68edc08c764dd8c5"
    "37b7c0ba9b9e0480b871d97aad60fb8c5a4bf9430802fd89cd02b06d721fca44"
)
ROOTS: Final = (XIAOMI_ROOT, SYNTHETIC_ROOT)
EXPLOIT: Final = bytes.fromhex("13230100")
"""Jump target inside build c of 2.1.1_0159 that an overlong signature puts on the stack (telink-ota.md 8)."""
LONGEST_SIGNATURE: Final = 128
"""A rule of thumb that tells the exploit apart: a genuine DER signature has at most 72 bytes, padding at most 15 more;
forged tails have thousands (virtual-unit.md 5).
"""

NEW_VERSION, OLD_VERSION, SIGNATURE_TYPE, MODEL_TEXT, PRODUCT, UNKNOWN_6 = 1, 2, 3, 4, 5, 6

Reason = Literal["no-tail", "tag", "product", "overlong", "certificate", "signature"]

_TAG: Final = struct.Struct("<16sHHIHBB")
_SHORTEST_TAG: Final = 32
"""Devices refuse less: the fixed fields and the CRC (firmware-image.md 5)."""
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tail:
    """A tail cut into its parts; nothing about it is proved yet."""

    tag: bytes
    product_id: int
    firmware_size: int
    flags: int
    """Bit 0 compressed, bit 1 difference."""
    certificates: bytes
    signature: bytes
    """Everything behind the certificates: DER signature and padding, or something overlong."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From a tail up to the end of the file; raises DecodeError when magic or tag length are wrong."""
        if not data.startswith(MAGIC) or len(data) < _SHORTEST_TAG:
            raise DecodeError("no Mi tail")
        _, tag_length, product_id, size, certificates, flags, _ = _TAG.unpack_from(data)
        if not _SHORTEST_TAG <= tag_length <= len(data):
            raise DecodeError(f"the tag of a Mi tail has at least {_SHORTEST_TAG} bytes, this one {tag_length}")
        end = tag_length + certificates
        return cls(data[:tag_length], product_id, size, flags, data[tag_length:end], data[end:])

    @property
    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        """Type and value of each element of the tag, as far as they are whole."""
        elements, rest = [], self.tag[_TAG.size : -4]
        while len(rest) >= 2 and len(rest) >= 2 + rest[1]:
            elements.append((rest[0], rest[2 : 2 + rest[1]]))
            rest = rest[2 + rest[1] :]
        return tuple(elements)

    @property
    def version(self) -> str | None:
        """New version (TLV 1), for example 2.1.1_0159."""
        value = dict(self.tlvs).get(NEW_VERSION, b"")
        if len(value) != 5:
            return None
        return f"{value[0]}.{value[1]}.{value[2]}_{int.from_bytes(value[3:], 'little'):04d}"

    def tag_crc_ok(self, image: bytes) -> bool:
        """Whether the last word of the tag fits; right in genuine files, never checked by a device."""
        return tag_crc(image, self.tag[:-4]) == int.from_bytes(self.tag[-4:], "little")

    @property
    def root(self) -> bytes | None:
        """The known root that vouches for the two certificates."""
        return next((root for root in ROOTS if self.signer(root) is not None), None)

    def signer(self, root: bytes) -> bytes | None:
        """Public point of certificate 2 when the chain leads to `root`."""
        chain = _CERTIFICATE.findall(self.certificates)
        if len(chain) != 2:
            return None
        middle = crypto.certificate_point(chain[0], root)
        return None if middle is None else crypto.certificate_point(chain[1], middle)

    def refusal(self, image: bytes, roots: tuple[bytes, ...] = ROOTS) -> Reason | None:
        """Why the signature of `image` does not hold, None when it does. Product id and length are not looked at."""
        if len(self.signature) > LONGEST_SIGNATURE:
            return "overlong"
        signers = [signer for signer in map(self.signer, roots) if signer is not None]
        if not signers:
            return "certificate"
        signature = _der(self.signature)
        message = marked(image) + self.tag
        holds = signature is not None and any(crypto.ecdsa_verify(signer, signature, message) for signer in signers)
        return None if holds else "signature"


def _der(data: bytes) -> bytes | None:
    """The DER sequence at the beginning of `data`, without the padding behind it."""
    if len(data) < 2 or data[0] != 0x30 or len(data) < 2 + data[1]:
        return None
    return data[: 2 + data[1]]


def tag_crc(image: bytes, tag: bytes) -> int:
    """Last word of the tag: CRC32 from 0 over the image and the tag without this word."""
    return crc32_raw(marked(image) + tag, 0)


def build_tag(image: bytes, product_id: int, certificates_length: int, tlvs: tuple[tuple[int, bytes], ...]) -> bytes:
    """A tag with the right CRC for `image`."""
    elements = b"".join(bytes([kind, len(value)]) + value for kind, value in tlvs)
    length = _TAG.size + len(elements) + 4
    tag = _TAG.pack(MAGIC, length, product_id, len(image), certificates_length, 0, 0) + elements
    return tag + tag_crc(image, tag).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a 2.1.1_0159 decides about a stored image."""

    accepted: bool
    reason: Reason | Literal["signed", "exploit"]


def verify(stored: bytes, *, build: str, product_id: int = 0x055B, roots: tuple[bytes, ...] = ROOTS) -> Verdict:
    """The check of firmware 2.1.1_0159, build "c" or "B1.6", over a bank up to its last stored block."""
    start = stored.rfind(MAGIC)  # backwards from the last stored byte, as the device does: the last of two tails counts
    if start < 0:
        return Verdict(False, "no-tail")
    try:
        tail = Tail.from_bytes(stored[start:])
    except DecodeError:
        return Verdict(False, "tag")
    if tail.product_id != product_id:
        return Verdict(False, "product")
    if len(tail.signature) > LONGEST_SIGNATURE and build == "c" and EXPLOIT in tail.signature:
        return Verdict(True, "exploit")
    reason = tail.refusal(stored[:start], roots)
    return Verdict(False, reason) if reason else Verdict(True, "signed")
