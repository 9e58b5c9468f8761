"""What a file is, without a device: kind, firmware, soundness, signature, and what a person should know."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from mitherm.errors import BadFile, DecodeError, ImageCorrupt, NotAnImage
from mitherm.image.catalogue import Catalogue
from mitherm.image.container import MAGIC as CONTAINER_MAGIC
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspection import FileKind, Inspection
from mitherm.image.recognise import image_sha256, is_synthetic, recognise
from mitherm.image.shipped import shipped_catalogue
from mitherm.image.sign_file import SignFile
from mitherm.image.sign_file import looks_like as looks_like_sign_file
from mitherm.image.signature import Signature
from mitherm.image.tail import MAGIC as TAIL_MAGIC
from mitherm.image.tail import SYNTHETIC_ROOT, Tail
from mitherm.image.telink import MARK, MARK_AT, Header, TelinkImage
from mitherm.image.warnings import warnings_for

_DUMP_SIZES: Final = (0x40000, 0x80000, 0x100000, 0x200000)
"""Flash chips of the family: 256 KiB to 2 MiB. No published image is that long (firmware-image.md 7)."""
_DUMP_BANKS: Final = (0x00000, 0x20000, 0x40000, 0x08000, 0x80000)
"""In the order in which the chip looks for a boot mark; then 0x8000, where Tuya's loader has its application
(firmware-image.md 10), and 0x80000, the second half of a chip of 1 MiB.
"""


def inspect(data: bytes, catalogue: Catalogue | None = None) -> Inspection:
    """Look at a file with this catalogue (default: the shipped one).

    Never raises: what is wrong with it is in `kind`, `problem` and `warnings`.
    """
    catalogue = shipped_catalogue() if catalogue is None else catalogue
    file_hash = hashlib.sha256(data).hexdigest()
    start = Inspection(FileKind.NOT_AN_IMAGE, len(data), file_hash, entry=catalogue.by_file(file_hash))
    if data.startswith(CONTAINER_MAGIC):
        inspection = _container(start, data, catalogue)
    elif _dump_bank(data) is not None:
        inspection = _dump(start, data, catalogue)
    elif looks_like_sign_file(data):
        inspection = _sign_file(start, data)
    else:
        inspection = _telink(start, data, catalogue)
    return replace(inspection, warnings=warnings_for(inspection))


def verify(data: bytes) -> Inspection:
    """Soundness alone: boot mark, length, CRC, container lengths. Raises NotAnImage, ImageCorrupt."""
    inspection = inspect(data)
    if inspection.problem is not None:
        raise inspection.problem
    return inspection


def _container(start: Inspection, data: bytes, catalogue: Catalogue) -> Inspection:
    start = replace(start, kind=FileKind.ZIGBEE_CONTAINER)
    try:
        container = ZigbeeContainer.from_bytes(data)
    except BadFile as problem:
        return replace(start, problem=problem, crc_ok=False)
    inner = _telink(replace(start, container=container), container.image, catalogue)
    if inner.kind is FileKind.NOT_AN_IMAGE:
        message = f"the Zigbee OTA file holds no image: {inner.problem.message if inner.problem else ''}"
        return replace(inner, kind=FileKind.ZIGBEE_CONTAINER, problem=ImageCorrupt(message), crc_ok=False)
    return replace(inner, kind=FileKind.ZIGBEE_CONTAINER)


def _dump_bank(data: bytes) -> int | None:
    """Where the first boot mark of a full-flash dump stands; the first byte may be withheld or garbled."""
    if len(data) not in _DUMP_SIZES:
        return None
    # A withheld first byte is the rest of an update: a bank with a whole mark boots before it, wherever it lies.
    marks = [bank for bank in _DUMP_BANKS if data[bank + MARK_AT + 1 : bank + MARK_AT + 4] == MARK[1:]]
    whole = [bank for bank in marks if data[bank + MARK_AT] == MARK[0]]
    return next(iter(whole + marks), None)


def _dump(start: Inspection, data: bytes, catalogue: Catalogue) -> Inspection:
    """The image in the bank that would boot; nothing of a dump is ever sent."""
    inspection = _telink(replace(start, kind=FileKind.FULL_DUMP), data[_dump_bank(data) :], catalogue)
    return replace(inspection, kind=FileKind.FULL_DUMP, payload=b"")


def _sign_file(start: Inspection, data: bytes) -> Inspection:
    # Its tail belongs to another image: it proves nothing, neither of this file nor of one that it is put behind.
    start = replace(start, kind=FileKind.SIGN_FILE, signature=Signature.FORGED)
    try:
        template = SignFile.from_bytes(data).tail_for(0)
        mark = Tail.from_bytes(template)
    except (BadFile, DecodeError) as problem:
        return replace(start, problem=ImageCorrupt(f"the sign file is damaged: {problem}"))
    no_image = NotAnImage("this is a sign file: a template for signature tails, with no image to verify")
    return replace(start, tail=mark, synthetic=mark.root == SYNTHETIC_ROOT, problem=no_image)


def _telink(start: Inspection, data: bytes, catalogue: Catalogue) -> Inspection:
    """A plain image, sound or not."""
    try:
        header = Header.parse(data)
    except NotAnImage as problem:
        return replace(start, problem=problem)
    start = replace(
        start, header=header, length=header.size, kind=FileKind.TELINK, payload=data, synthetic=is_synthetic(data)
    )
    try:
        image = TelinkImage.parse(data)
    except ImageCorrupt as problem:
        return replace(start, problem=problem, crc_ok=False, identity=recognise(data, catalogue))
    part_hash = image_sha256(image.data)
    entry = start.entry or catalogue.by_image(part_hash)
    identity = recognise(image.data, catalogue)
    return _with_tail(replace(start, crc_ok=True, image_sha256=part_hash, entry=entry, identity=identity), image)


def _with_tail(inspection: Inspection, image: TelinkImage) -> Inspection:
    try:
        tail = Tail.from_bytes(image.rest)
    except DecodeError:
        broken = image.rest.startswith(TAIL_MAGIC)
        return replace(inspection, signature=Signature.FORGED, refusal="tag") if broken else inspection
    refusal = tail.refusal(image.data)
    synthetic = inspection.synthetic or tail.root == SYNTHETIC_ROOT
    signature = Signature.GENUINE if refusal is None else Signature.FORGED
    return replace(inspection, tail=tail, refusal=refusal, signature=signature, synthetic=synthetic)
