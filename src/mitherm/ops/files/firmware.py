"""Firmware files without a unit: what they are, and the library that plans take images from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from mitherm.errors import BadFile
from mitherm.image import catalogue
from mitherm.image.inspection import Inspection
from mitherm.image.signature import Signature
from mitherm.image.synth import SIGN_KIND, SIGNED_KIND, package
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.files.library import chosen, read_file
from mitherm.store.library import Library, LibraryEntry

_FACTS: Final = ("family", "version", "model", "build", "catalogue")
_SIGNED: Final = {Signature.GENUINE: True, Signature.NONE: False, Signature.FORGED: None}
_NEW_BOARDS: Final = "B1.6"


@dataclass(frozen=True, slots=True)
class Added:
    """A file that is in the library now, and whether it was not before."""

    entry: LibraryEntry
    new: bool


def describe(image: SelectedImage) -> dict[str, object]:
    """`result` of `firmware inspect` (cli-contract.md, Shapes), with what else is known."""
    found = image.inspection
    return {
        "file": image.name,
        "size": found.size,
        "sha256": found.sha256,
        "kind": found.kind,
        "family": found.family,
        "version": found.version,
        "model": found.model,
        "product_id": found.product_id,
        "crc_ok": found.crc_ok,
        "signed": _SIGNED[found.signature],
        "length": found.length,
        "catalogue": found.catalogue,
        "warnings": list(found.warnings),
        "problem": found.problem.message if found.problem else None,
        **_extras(found),
    }


def _extras(found: Inspection) -> dict[str, object]:
    sendable = bool(found.payload)
    return {
        "image_sha256": found.image_sha256,
        "catalogue_name": found.entry.name if found.entry else None,
        "hardware": list(found.hardware),
        "device_id": found.device_id,
        "build": found.build or None,
        "tail": found.tail is not None,
        "refusal": found.refusal,
        "padded_length": found.padded_length if sendable else None,
        "blocks": found.blocks if sendable else None,
        "container": _container(found),
    }


def _container(found: Inspection) -> dict[str, object] | None:
    container = found.container
    if container is None:
        return None
    return {
        "manufacturer": container.manufacturer,
        "image_type": container.image_type,
        "file_version": container.file_version,
    }


def verify(image: SelectedImage) -> None:
    """Soundness alone. Raises NotAnImage, ImageCorrupt, both with the file's name."""
    problem = image.inspection.problem
    if problem is not None:
        raise type(problem)(f"{image.name}: {problem.message}", hint=problem.hint)


def kind_of(found: Inspection) -> str:
    """KIND as in a unit's SPEC (`pvvx-5.8`), `sign-2.1.1_0159`, or empty where there is no such word."""
    if found.kind == "sign-file":
        return SIGN_KIND
    match found.family:
        case Family.STOCK if found.version:
            return f"stock-{found.version}" + (f"_{_NEW_BOARDS}" if found.build == _NEW_BOARDS else "")
        case Family.PVVX if found.version:
            return f"pvvx-{found.version}"
        case Family.ATC1441:
            return "atc1441"
    return ""


def add_files(library: Library, paths: Sequence[Path], now: datetime) -> list[Added]:
    """Put files into the library: all, or none when one is not fit for it. Raises FileMissing, BadFile, DiskProblem."""
    images = [chosen(path.name, read_file(path)) for path in paths]
    for image in images:
        check_fit(image)
    return [keep(library, image, now) for image in images]


def check_fit(image: SelectedImage) -> None:
    """Whether it belongs into the library. Raises BadFile."""
    found = image.inspection
    if found.kind == "full-dump":
        raise BadFile(
            f"{image.name} is a dump of a whole flash, with the keys of its unit: the library takes images only",
            hint="keep it as a backup; writing it back needs a USB-serial adapter on the debug pin",
        )
    if found.kind != "sign-file" or found.tail is None:
        verify(image)


def add_synthetic(library: Library, kind: str, model: str, now: datetime) -> list[Added]:
    """A synthetic image into the library; with the signed stock also the sign file for units that run it."""
    kinds = (kind, SIGN_KIND) if kind == SIGNED_KIND else (kind,)
    return [keep(library, synthetic(one, model), now) for one in kinds]


def synthetic(kind: str, model: str = LYWSD03MMC) -> SelectedImage:
    """A synthetic file of KIND under its usual name. Raises UsageProblem for an unknown KIND or model."""
    return chosen(f"{kind}.bin" if model == LYWSD03MMC else f"{kind}-{model}.bin", package(kind, model))


def keep(library: Library, image: SelectedImage, now: datetime) -> Added:
    """Put one image into the library. Raises DiskProblem."""
    found = image.inspection
    known = {entry.sha256 for entry in library.entries()}
    values = {name: getattr(found, name) for name in _FACTS} | {"signed": _SIGNED[found.signature]}
    facts = {name: str(value) for name, value in values.items() if value not in (None, "")}
    entry = library.add(image.data, name=image.name, kind=kind_of(found), now=now, facts=facts)
    return Added(entry, entry.sha256 not in known)


def shelf_row(entry: LibraryEntry) -> dict[str, object]:
    """One file of the library."""
    facts = {name: entry.facts.get(name) for name in ("family", "version", "model", "catalogue")}
    return {"name": entry.name, "kind": entry.kind or None, "size": entry.size, "sha256": entry.sha256, **facts}


def catalogue_rows(library: Library) -> list[dict[str, object]]:
    """Every published file, and whether the library has it."""
    at_hand = {entry.sha256 for entry in library.entries()}
    return [
        {
            "name": entry.name,
            "role": entry.role,
            "size": entry.size,
            "sha256": entry.sha256,
            "family": entry.family,
            "version": entry.version,
            "model": entry.model,
            "hardware": list(entry.hardware),
            "in_library": entry.sha256 in at_hand,
        }
        for entry in catalogue.entries()
    ]
