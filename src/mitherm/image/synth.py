"""Synthetic images: true headers and CRCs around hash output, for tests and virtual units (virtual-unit.md 4, 5)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Final

from mitherm.errors import UsageProblem
from mitherm.image import tail
from mitherm.image.recognise import (
    ATC_TEXT,
    KIND_AT,
    KIND_LENGTH,
    LENGTH_0159C,
    PVVX_FILE_VERSION,
    PVVX_MANUFACTURER,
    PVVX_TEXT,
    PVVX_TYPE,
    SIGNED_VERSION,
    STOCK_TEXT,
    SYNTHETIC_MARK,
    SYNTHETIC_MARK_AT,
    TEXTS_END,
    Kind,
)
from mitherm.image.sign_file import SignFile
from mitherm.image.telink import FLAG, MARK, STARTUP, Header, pad, trailer
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC, product, pvvx_device
from mitherm.primitives import crypto

SIGNED_KIND: Final = f"stock-{SIGNED_VERSION}"
SIGN_KIND: Final = f"sign-{SIGNED_VERSION}"
EXAMPLES: Final = ("stock-1.0.0_0109", "stock-1.0.0_0130", SIGNED_KIND, SIGNED_KIND + "_B1.6", "atc1441", "pvvx-5.8")

_FILLER: Final = 3808
_PATCHES: Final = ((0x142, 0x00012313), (0x152, 0x000124A7))
"""As in the published sign file: its tail is recognised by the first of these words (telink-ota.md 8)."""
_PRODUCT_0159: Final = 0x055B
_MODEL_TEXT_0159: Final = b"miaomiaoce.sensor_ht.t2"
VALID: Final = (datetime(2020, 1, 1), datetime(2050, 1, 1))  # noqa: DTZ001 - X.509 wants UTC, naive
_NAMES: Final = ("mitherm synthetic root", "mitherm synthetic vendor", "mitherm synthetic developer")
_MODEL: Final = re.compile(r"[\x21-\x7e]{1,32}")
# Lengths and interrupt branches are those of the published images, so that transfers take as long and rules find them.
_LENGTHS: Final = {Family.ATC1441: 64324, Family.PVVX: 86340}
_INTERRUPT: Final = {Family.STOCK: b"\xae\x80", Family.ATC1441: b"\x96\x80", Family.PVVX: b"\x86\x80"}


@cache
def synth(kind: str, model: str = LYWSD03MMC) -> bytes:
    """The image part of a KIND: always the same bytes. Raises UsageProblem for an unknown KIND or model."""
    parsed = Kind.parse(kind)
    if parsed is None:
        raise UsageProblem(
            f"unknown kind of synthetic image: {kind}", hint=f"Kinds look like {', '.join(EXAMPLES)}, {SIGN_KIND}."
        )
    if not _MODEL.fullmatch(model):
        raise UsageProblem(f"not a model name: {model!r}")
    body = bytearray(_stream(f"mitherm-synth:{kind}:{model}", _length(kind, parsed) - 4))
    body[:TEXTS_END] = _head(kind, parsed, model, len(body) + 4)
    return bytes(body) + trailer(bytes(body)).to_bytes(4, "little")


@cache
def package(kind: str, model: str = LYWSD03MMC) -> bytes:
    """The whole file of a KIND: image, with its tail where the KIND has one, or the sign file. Raises UsageProblem."""
    if kind == SIGN_KIND:
        return sign_file(model).to_bytes()
    image = synth(kind, model)
    return with_tail(image, model) if kind == SIGNED_KIND else image


def with_tail(image: bytes, model: str = LYWSD03MMC) -> bytes:
    """Any image with a tail signed under the synthetic root, padded."""
    return pad(image + _tail(image, product(model) or _PRODUCT_0159))


@cache
def sign_file(model: str = LYWSD03MMC) -> SignFile:
    """The synthetic sign file for units that run 2.1.1_0159, build c."""
    signed = package(SIGNED_KIND, model)
    block = signed[LENGTH_0159C:]
    return SignFile(len(block).to_bytes(2, "little") + block[2:], _FILLER, _PATCHES)


def _stream(seed: str, length: int) -> bytes:
    start = seed.encode("ascii")
    blocks = (hashlib.sha256(start + counter.to_bytes(4, "big")).digest() for counter in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def _length(kind: str, parsed: Kind) -> int:
    if parsed.family is not Family.STOCK:
        return _LENGTHS[parsed.family]
    if kind == "stock-1.0.0_0109":
        return 85668
    if kind.startswith("stock-1."):
        return 92868
    return 104260 if parsed.build == "B1.6" else LENGTH_0159C


def _head(kind: str, parsed: Kind, model: str, length: int) -> bytes:
    """The first 256 bytes."""
    file_version, manufacturer, image_type = _pvvx_words(model) if parsed.family is Family.PVVX else (0, 0, 0)
    header = Header(
        reset_branch=b"\x26\x80",
        file_version=file_version,
        flag=FLAG,
        mark=MARK,
        ram_units=0x0400,
        constant_0e=0x0088,
        interrupt_branch=_INTERRUPT[parsed.family],
        manufacturer=manufacturer,
        image_type=image_type,
        reserved_16=0,
        size=length,
        reserved_1c=0,
        startup=STARTUP,
    )
    head = header.to_bytes().ljust(SYNTHETIC_MARK_AT, b"\0") + SYNTHETIC_MARK
    head = head.ljust(KIND_AT, b"\0") + kind.encode().ljust(KIND_LENGTH, b"\0")
    return (head + b"".join(text + b"\0" for text in _texts(parsed, model.encode()))).ljust(TEXTS_END, b"\0")


def _pvvx_words(model: str) -> tuple[int, int, int]:
    device = pvvx_device(model)
    if device is None:
        raise UsageProblem(f"there is no pvvx build for {model}")
    return PVVX_FILE_VERSION, PVVX_MANUFACTURER, PVVX_TYPE << 8 | device


def _texts(parsed: Kind, model: bytes) -> tuple[bytes, ...]:
    version = (parsed.version or "").encode()
    if parsed.family is Family.STOCK:
        return (model, version, version[-4:], STOCK_TEXT)
    if parsed.family is Family.PVVX:
        return (model, STOCK_TEXT, PVVX_TEXT, b"V" + version)
    return (ATC_TEXT, ATC_TEXT[:3])


def _tail(image: bytes, product_id: int) -> bytes:
    chain, signer = _certificates()
    tlvs = (
        (tail.NEW_VERSION, bytes.fromhex("0201019f00")),
        (tail.MODEL_TEXT, _MODEL_TEXT_0159),
        (tail.UNKNOWN_6, b"\0"),
        (tail.SIGNATURE_TYPE, b"\1"),
        (tail.PRODUCT, product_id.to_bytes(4, "little")),
    )
    tag = tail.build_tag(image, product_id, len(chain), tlvs)
    return tag + chain + crypto.ecdsa_sign(crypto.private_key(signer), image + tag)


@cache
def _certificates() -> tuple[bytes, bytes]:
    """Two PEM certificates (vendor under root, developer under vendor) and the developer's scalar."""
    chain = b""
    for serial, (issuer, subject) in enumerate(pairwise(_NAMES), start=1):
        point = crypto.public_point(crypto.private_key(_scalar(subject)))
        signer = crypto.private_key(_scalar(issuer))
        chain += crypto.pem(crypto.make_certificate((issuer, subject), point, signer, serial=serial, valid=VALID))
    return chain, _scalar(_NAMES[-1])


def root_scalar() -> bytes:
    """Private scalar of the synthetic root: public knowledge, it protects nothing."""
    return _scalar(_NAMES[0])


def _scalar(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
