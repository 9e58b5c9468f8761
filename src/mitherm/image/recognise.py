"""Which firmware an image is: family, version, model (firmware-image.md 7, virtual-unit.md 3)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

from mitherm.image.catalogue import Catalogue
from mitherm.image.telink import Header, marked
from mitherm.model import models
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC, PVVX_DEVICES, pvvx_device

SYNTHETIC_MARK: Final = b"MITHERM-SYNTHETIC"
SYNTHETIC_MARK_AT: Final = 0x40
KIND_AT: Final = 0x60
KIND_LENGTH: Final = 32
TEXTS_AT: Final = 0x80
TEXTS_END: Final = 0x100
PVVX_FILE_VERSION: Final = 0x99993001
PVVX_MANUFACTURER: Final = 0x1141
PVVX_TYPE: Final = 0x02
PVVX_TEXT: Final = b"github.com/pvvx"
STOCK_TEXT: Final = b"miaomiaoce.com"
ATC_TEXT: Final = b"ATC_000000"
LENGTH_0159C: Final = 104404
"""Bytes of the image part: all that tells build c of 2.1.1_0159 from build B1.6 (virtual-unit.md 3)."""
SIGNED_VERSION: Final = "2.1.1_0159"
"""The stock version that takes signed images only; two builds share the number."""

_KIND: Final = re.compile(r"(?:(stock)-(\d\.\d\.\d_\d{4})(_B1\.6)?|(pvvx)-(\d\.\d)|(atc1441))")
_STOCK_VERSION: Final = re.compile(rb"\d\.\d\.\d_\d{4}")
_SHORT_VERSION: Final = re.compile(rb"(\d{4})ERR-\1")
_PVVX_VERSION: Final = re.compile(rb"V(\d\.\d)")

_ADVERTISED_NAMES: Final = (
    (b"Qingping Temp & RH M", "CGG1"),
    (b"Qingping Temp RH Lite", "CGDK2"),
    (b"Qingping Temp RH M", "CGG1M"),
    (b"Qingping Motion & Light", "CGPR1"),
    (b"lumi.flood.bmcn01", "SJWS01LM"),
)
"""Qingping images contain each other's model names: only the advertised name tells."""

# A name that another one begins with comes behind it: CGG1M before CGG1.
_MODEL_TEXTS: Final = (
    LYWSD03MMC,
    "LYWSD02MMC",
    "MHO-C401",
    "MHO-C122",
    "MJWSD05MMC",
    "MJWSD06MMC",
    "SJWS01LM",
    "CGG1M",
    "CGDK2",
    "CGPR1",
    "CGG1",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What an image is. `version` as its firmware reports it: 1.0.0_0130, 0026 (MJWSD models), 5.8."""

    family: Family
    version: str | None = None
    model: str | None = None
    device_id: int | None = None
    """pvvx: low byte of the image type; 0x0A is every LYWSD03MMC."""
    build: str = ""
    """Stock 2.1.1_0159: c or B1.6."""
    synthetic: bool = False
    manufacturer: int = 0
    """Zigbee manufacturer code in the header."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A KIND of synthetic images, taken apart."""

    family: Family
    version: str | None = None
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Kind | None:
        """From stock-VERSION, stock-2.1.1_0159_B1.6, atc1441, pvvx-X.Y; None for anything else."""
        match = _KIND.fullmatch(text)
        if match is None or (match[3] and match[2] != SIGNED_VERSION):
            return None
        if match[1]:
            return cls(Family.STOCK, match[2], _build(match[2], LENGTH_0159C if not match[3] else 0))
        return cls(Family.PVVX, match[5]) if match[4] else cls(Family.ATC1441)


def recognise(image: bytes, catalogue: Catalogue) -> Identity:
    """Identify an image part (from its first byte to its CRC). Raises NotAnImage without a boot mark."""
    header = Header.parse(image)
    identity = _synthetic(image, header) or _catalogued(image, header, catalogue) or _by_marks(image, header)
    return replace(identity, manufacturer=header.manufacturer)


def is_synthetic(image: bytes) -> bool:
    """Whether the mark of synthetic images stands at its place."""
    return image[SYNTHETIC_MARK_AT : SYNTHETIC_MARK_AT + len(SYNTHETIC_MARK)] == SYNTHETIC_MARK


def image_sha256(image: bytes) -> str:
    """Hex SHA-256 of an image part with its boot mark whole, as the catalogue lists it."""
    return hashlib.sha256(marked(image)).hexdigest()


def _synthetic(image: bytes, header: Header) -> Identity | None:
    kind = Kind.parse(_text(image, KIND_AT, KIND_AT + KIND_LENGTH)) if is_synthetic(image) else None
    if kind is None:
        return None
    model = LYWSD03MMC if kind.family is Family.ATC1441 else _text(image, TEXTS_AT, TEXTS_END)
    device_id = header.image_type & 0xFF if kind.family is Family.PVVX else None
    return Identity(kind.family, kind.version, _product(model), device_id, kind.build, synthetic=True)


def _product(model: str) -> str:
    board = models.board(model)
    return board.name if board is not None else model


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].split(b"\0")[0].decode("ascii", "replace")


def _catalogued(image: bytes, header: Header, catalogue: Catalogue) -> Identity | None:
    entry = catalogue.by_image(image_sha256(image))
    # Of Zigbee files and dumps the catalogue tells who published them, not which firmware their image is: marks do.
    if entry is None or entry.role not in ("stock", "custom", "exploit"):
        return None
    texts = _by_marks(image, header)
    version, model = texts.version or entry.version, texts.model or entry.model
    return replace(texts, family=Family.of(entry.family), version=version, model=model)


def _by_marks(image: bytes, header: Header) -> Identity:
    """The rules that look at header words and texts; the first that fits decides.

    The order is that of virtual-unit.md 3: pvvx images contain the texts of stock, so their header comes first.
    """
    words = (header.file_version, header.manufacturer, header.image_type)
    if words[:2] == (PVVX_FILE_VERSION, PVVX_MANUFACTURER) and header.image_type >> 8 == PVVX_TYPE:
        device = header.image_type & 0xFF
        return Identity(Family.PVVX, _pvvx_version(image), PVVX_DEVICES.get(device), device)
    if words == (0, 0, 0) and PVVX_TEXT in image:  # early builds filled in no header
        model = _model_text(image)
        return Identity(Family.PVVX, _pvvx_version(image), model, pvvx_device(model) if model else None)
    if header.manufacturer:
        return Identity(Family.ZIGBEE)
    return _stock(image) or _atc1441(image) or Identity(Family.UNKNOWN)


def _pvvx_version(image: bytes) -> str | None:
    """The first V5.8 behind the project's address; earlier ones are hardware strings."""
    at = image.find(PVVX_TEXT)
    match = _PVVX_VERSION.search(image, at) if at >= 0 else None
    return match[1].decode() if match else None


def _stock(image: bytes) -> Identity | None:
    model = next((name for text, name in _ADVERTISED_NAMES if text in image), None)
    versions = _STOCK_VERSION.findall(image)
    if model is None and STOCK_TEXT in image and versions:
        model = _model_text(image)
    if model is not None and versions:
        # The last one: 1.0.0_0109 and MHO-C401 0010 contain 1.0.0_0001 too, before their own (firmware-image.md 7).
        version = versions[-1].decode()
        return Identity(Family.STOCK, version, model, build=_build(version, len(image)))
    short = _SHORT_VERSION.findall(image)
    model = next((name for name in ("MJWSD05MMC", "MJWSD06MMC") if name.encode() in image), None)
    return Identity(Family.STOCK, short[-1].decode(), model) if short and model else None


def _model_text(image: bytes) -> str | None:
    return next((name for name in _MODEL_TEXTS if name.encode() in image), None)


def _build(version: str, length: int) -> str:
    if version != SIGNED_VERSION:
        return ""
    return "c" if length == LENGTH_0159C else "B1.6"


def _atc1441(image: bytes) -> Identity | None:
    # ATC_000000 alone proves nothing: beside the texts of stock it is somebody else's image (firmware-image.md 7).
    foreign = LYWSD03MMC.encode() in image or STOCK_TEXT in image
    return Identity(Family.ATC1441, model=LYWSD03MMC) if ATC_TEXT in image and not foreign else None
