"""Firmware files without a unit: what is published, what the library holds, and how files come into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from mitherm.errors import BadFile, FileMissing, UsageProblem
from mitherm.image.catalogue import Entry
from mitherm.image.inspection import FileKind, Inspection
from mitherm.image.signature import Signature
from mitherm.image.synth import SIGN_KIND, SIGNED_KIND, package
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.files.library import ImageSource, read_file
from mitherm.store.atomic import write_durably
from mitherm.store.library import LibraryEntry

_FACTS: Final = {"catalogue": "provenance"} | {name: name for name in ("family", "version", "model", "build")}
"""In descriptions of the library -> attribute of an inspection."""
_SIGNED: Final = {Signature.GENUINE: "True", Signature.NONE: "False", Signature.FORGED: None}
"""`signed` in descriptions of the library: a file format since the first release."""
_NEW_BOARDS: Final = "B1.6"
"""The build of 2.1.1_0159 for boards of 2025; the word in KINDs is the label on those boards."""


@dataclass(frozen=True, slots=True)
class LibraryAddition:
    """A file that is in the library now, and whether it was not before."""

    entry: LibraryEntry
    new: bool


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """A file of the catalogue, and whether the library has it."""

    entry: Entry
    in_library: bool


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """A synthetic image, the file it was written to, and what came into the library."""

    kind: str
    image: SelectedImage
    file: Path | None = None
    added: tuple[LibraryAddition, ...] = ()


def published_files(images: ImageSource) -> list[PublishedImage]:
    """Every file of the catalogue."""
    stored = {entry.sha256 for entry in images.library.entries()}
    return [PublishedImage(entry, entry.sha256 in stored) for entry in images.catalogue.files]


def inspect_file(images: ImageSource, name: str) -> SelectedImage:
    """What a file (or an image of the library) is, whatever it is. Raises FileMissing, BadFile, ImageMissing."""
    return images.get(name)


def verify_file(images: ImageSource, name: str) -> SelectedImage:
    """The same, if it is sound. Raises also NotAnImage, ImageCorrupt, both with the file's name."""
    image = images.get(name)
    _check_sound(image)
    return image


def _check_sound(image: SelectedImage) -> None:
    problem = image.inspection.problem
    if problem is not None:
        raise type(problem)(f"{image.name}: {problem.message}", hint=problem.hint)


def kind_of(inspection: Inspection) -> str:
    """KIND as in a unit's SPEC (`pvvx-5.8`), `sign-2.1.1_0159`, or empty where there is no such word."""
    if inspection.kind is FileKind.SIGN_FILE:
        return SIGN_KIND
    match inspection.family:
        case Family.STOCK if inspection.version:
            return f"stock-{inspection.version}" + (f"_{_NEW_BOARDS}" if inspection.build == _NEW_BOARDS else "")
        case Family.PVVX if inspection.version:
            return f"pvvx-{inspection.version}"
        case Family.ATC1441:
            return "atc1441"
    return ""


def add_files(images: ImageSource, paths: Sequence[Path], *, now: datetime) -> list[LibraryAddition]:
    """Put files into the library: all, or none when one is not fit for it. Raises FileMissing, BadFile, DiskProblem."""
    files = [images.inspected(path.name, read_file(path)) for path in paths]
    for image in files:
        check_fit(image)
    return [keep(images, image, now) for image in files]


def check_fit(image: SelectedImage) -> None:
    """Whether it belongs into the library. Raises BadFile."""
    inspection = image.inspection
    if inspection.kind is FileKind.FULL_DUMP:
        raise BadFile(
            f"{image.name} is a dump of a whole flash, with the keys of its unit: the library takes images only",
            hint="keep it as a backup; writing it back needs a USB-serial adapter on the debug pin",
        )
    if inspection.kind is not FileKind.SIGN_FILE or inspection.tail is None:
        _check_sound(image)


def synthesise(
    images: ImageSource,
    kind: str,
    *,
    now: datetime,
    model: str = LYWSD03MMC,
    output: Path | None = None,
    into_library: bool = False,
) -> SyntheticImage:
    """Build the synthetic image of KIND, write it to `output` and put it into the library, if these are wanted.

    With the signed stock the sign file for units that run it comes into the library too.
    Raises UsageProblem for an unknown KIND or model, or a directory as `output`; FileMissing, DiskProblem.
    """
    image = _synthetic(images, kind, model)
    if output is not None:
        _write(output, image.data)
    kinds = (kind, SIGN_KIND) if kind == SIGNED_KIND else (kind,)
    added = [keep(images, _synthetic(images, each, model), now) for each in kinds] if into_library else []
    return SyntheticImage(kind, image, output, tuple(added))


def _synthetic(images: ImageSource, kind: str, model: str) -> SelectedImage:
    """Under its usual name."""
    return images.inspected(f"{kind}.bin" if model == LYWSD03MMC else f"{kind}-{model}.bin", package(kind, model))


def _write(path: Path, data: bytes) -> None:
    if path.is_dir():
        raise UsageProblem(f"{path} is a directory", hint="name a file")
    if not path.parent.is_dir():
        raise FileMissing(f"there is no directory {path.parent}")
    write_durably(path, data)


def keep(images: ImageSource, image: SelectedImage, now: datetime) -> LibraryAddition:
    """Put one image into the library. Raises DiskProblem."""
    inspection = image.inspection
    stored = {entry.sha256 for entry in images.library.entries()}
    values = {name: getattr(inspection, attribute) for name, attribute in _FACTS.items()} | {
        "signed": _SIGNED[inspection.signature]
    }
    facts = {name: str(value) for name, value in values.items() if value not in (None, "")}
    entry = images.library.add(image.data, name=image.name, kind=kind_of(inspection), now=now, facts=facts)
    return LibraryAddition(entry, entry.sha256 not in stored)
