"""What a person should know about a file before sending it anywhere (product-needs.md 6.2, firmware-image.md 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mitherm.image.inspection import FileKind, Inspection, Provenance
from mitherm.image.recognise import SIGNED_VERSION
from mitherm.image.signature import Signature
from mitherm.image.telink import EXTENDED
from mitherm.model.family import Family
from mitherm.model.models import BANK, EXTENDED_BY

_REFUSALS: Final = {
    "tag": "its tag is damaged",
    "overlong": "it is longer than a signature can be",
    "certificate": "its certificates lead to no known root",
    "signature": "the signature is not of this image",
}


def warnings_for(file: Inspection) -> tuple[str, ...]:
    """Sentences, the most important first."""
    return tuple(_all(file))


def _all(file: Inspection) -> Iterator[str]:
    if file.problem is not None and file.kind is not FileKind.SIGN_FILE:
        yield f"{file.problem.message[0].upper()}{file.problem.message[1:]}."
    if file.kind is FileKind.SIGN_FILE:
        yield "A sign file is no firmware: it gives custom images the tail that 2.1.1_0159 (build c) accepts."
    if file.kind is FileKind.FULL_DUMP:
        yield "This is a dump of a whole flash: it is never sent over the air, only written back by wire."
    if file.synthetic:
        yield "Synthetic: it boots nothing but virtual units."
    if file.crc_ok:
        yield from _about_image(file)


def _about_image(file: Inspection) -> Iterator[str]:
    yield from _about_marks(file)
    yield from _about_tail(file)
    yield from _about_stock(file)
    if file.container is not None:
        yield from _about_container(file)
    if file.kind is not FileKind.FULL_DUMP:
        yield from _about_length(file)
    if file.provenance is Provenance.UNKNOWN:
        yield "The file is not in the catalogue of published files: make sure where it comes from."


def _about_marks(file: Inspection) -> Iterator[str]:
    if not file.flag_ok:
        yield "Bytes 6 and 7 are not 5D 02: the image does not announce its checksum, some devices do not check it then."
    if not file.startup_ok:
        yield "The start-up code is not that of a thermometer image: it may be for another kind of device."
    if file.family is Family.UNKNOWN:
        yield "The firmware could not be recognised."
    if file.family is Family.ZIGBEE:
        yield "This is Zigbee firmware: the unit leaves Bluetooth, and needs a Zigbee coordinator to come back."
    if file.entry is not None and file.entry.no_ota:
        yield "A unit that runs this has no Telink update over Bluetooth: only a wire changes it again."


def _about_tail(file: Inspection) -> Iterator[str]:
    if file.exploit:
        yield (
            "The tail is no signature: it breaks the check of 2.1.1_0159 in build c. "
            "Every other build refuses it and keeps its old firmware."
        )
    elif file.refusal is not None:
        yield f"The signature tail proves nothing: {_REFUSALS.get(file.refusal, file.refusal)}."
    if file.stray_length:
        yield f"{file.stray_length} bytes follow the image that are no signature tail."


def _about_stock(file: Inspection) -> Iterator[str]:
    if file.family is not Family.STOCK:
        return
    if file.version == "1.0.0_0109":
        yield "Only B1.4 boards show anything with 1.0.0_0109."
    if file.version == SIGNED_VERSION:
        yield "A unit on 2.1.1_0159 takes signed images only, and needs a login with its keys before any update."
        yield _BUILDS["c" if file.build == "c" else "B1.6"]
        if file.signature is Signature.NONE:
            yield "Without a signature tail no unit that runs 2.1.1_0159 accepts it."


_BUILDS: Final = {
    "c": "The display of boards from 2025 stays dark with this build.",
    "B1.6": "This build is for the boards of 2025; the display of older boards stays dark.",
}


def _about_container(file: Inspection) -> Iterator[str]:
    container, header = file.container, file.header
    if container is None or header is None:
        return
    yield "A Zigbee container: over Bluetooth only the image inside is sent."
    if (container.manufacturer, container.image_type) != (header.manufacturer, header.image_type):
        yield (
            f"It is offered to Zigbee devices {container.manufacturer:04x}-{container.image_type:04x}; "
            f"the image inside is {header.manufacturer:04x}-{header.image_type:04x}."
        )


def _about_length(file: Inspection) -> Iterator[str]:
    if file.padded_length > EXTENDED:
        yield f"{file.padded_length} bytes are more than any update over Bluetooth takes ({EXTENDED})."
    elif file.padded_length > BANK:
        yield (
            f"{file.padded_length} bytes do not fit a bank ({BANK}): "
            f"only the extended update of {EXTENDED_BY} takes them."
        )
