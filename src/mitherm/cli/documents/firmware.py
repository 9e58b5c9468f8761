"""Firmware files as documents: what they are, the library, the catalogue, and the paths between firmwares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mitherm.cli.documents import Document
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspection import Inspection
from mitherm.image.signature import Signature
from mitherm.ops.files.firmware import LibraryAddition, PublishedImage, SyntheticImage
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.updating.paths import UpdatePath
from mitherm.store.library import LibraryEntry

_SIGNED: Final = {Signature.GENUINE: True, Signature.NONE: False, Signature.FORGED: None}


def inspection(image: SelectedImage) -> Document:
    """`result` of `firmware inspect` (cli-contract.md, Shapes), with what else is known."""
    file = image.inspection
    return {
        "file": image.name,
        "size": file.size,
        "sha256": file.sha256,
        "kind": file.kind,
        "family": file.family,
        "version": file.version,
        "model": file.model,
        "product_id": file.product_id,
        "crc_ok": file.crc_ok,
        "signed": _SIGNED[file.signature],
        "length": file.length,
        "catalogue": file.provenance,
        "warnings": list(file.warnings),
        "problem": file.problem.message if file.problem else None,
        **_details(file),
        "changed": False,
    }


def _details(file: Inspection) -> Document:
    sendable = bool(file.payload)
    return {
        "image_sha256": file.image_sha256,
        "catalogue_name": file.entry.name if file.entry else None,
        "hardware": list(file.hardware),
        "device_id": file.device_id,
        "build": file.build or None,
        "tail": file.tail is not None,
        "refusal": file.refusal,
        "padded_length": file.padded_length if sendable else None,
        "blocks": file.blocks if sendable else None,
        "container": _container(file.container) if file.container else None,
    }


def _container(container: ZigbeeContainer) -> Document:
    return {
        "manufacturer": container.manufacturer,
        "image_type": container.image_type,
        "file_version": container.file_version,
    }


def library(entries: Iterable[LibraryEntry], catalogue: Iterable[PublishedImage] | None) -> Document:
    """`firmware list`; `catalogue` with --all."""
    document: Document = {"images": [library_file(entry) for entry in entries], "changed": False}
    return document if catalogue is None else {**document, "catalogue": [published(file) for file in catalogue]}


def library_file(entry: LibraryEntry) -> Document:
    """One file of the library."""
    facts = {name: entry.facts.get(name) for name in ("family", "version", "model", "catalogue")}
    return {"name": entry.name, "kind": entry.kind or None, "size": entry.size, "sha256": entry.sha256, **facts}


def published(file: PublishedImage) -> Document:
    """One file of the catalogue."""
    entry = file.entry
    return {
        "name": entry.name,
        "role": entry.role,
        "size": entry.size,
        "sha256": entry.sha256,
        "family": entry.family,
        "version": entry.version,
        "model": entry.model,
        "hardware": list(entry.hardware),
        "in_library": file.in_library,
    }


def added(files: Sequence[LibraryAddition]) -> Document:
    """`result` of `firmware add` and `firmware fetch`."""
    rows = [library_file(file.entry) | {"new": file.new} for file in files]
    return {"images": rows, "changed": any(file.new for file in files)}


def synthesised(result: SyntheticImage) -> Document:
    """`result` of `firmware synth`."""
    document = added(result.added)
    if result.file is None:
        return document
    file = result.image.inspection
    written = {"file": str(result.file), "size": file.size, "sha256": file.sha256, "kind": result.kind}
    return document | written | {"changed": True}


def paths(paths: Iterable[UpdatePath]) -> Document:
    """`firmware roads`."""
    return {"roads": [update_path(path) for path in paths], "changed": False}


def update_path(path: UpdatePath) -> Document:
    """A line of `firmware roads`."""
    return {
        "from": path.start,
        "to": path.goal,
        "open": not path.closed,
        "steps": list(path.steps),
        "needs": path.needs or None,
        "closed": path.closed or None,
    }
