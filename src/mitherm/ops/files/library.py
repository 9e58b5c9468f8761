"""Images at hand: files the user named, and the library. `ImageSource.find` answers a plan's request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mitherm.errors import BadFile, FileMissing, ImageMissing
from mitherm.image.catalogue import Catalogue
from mitherm.image.inspect import inspect
from mitherm.image.inspection import FileKind, Provenance
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import SIGN_KIND, package
from mitherm.model.models import version_key
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import ImageRequest, SelectedImage, image_missing
from mitherm.store.library import Library

FILE_ENDINGS = (".bin", ".zigbee", ".ota")


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises FileMissing, BadFile for directories and unreadable files."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except IsADirectoryError:
        raise BadFile(f"{path} is a directory, not an image") from None
    except OSError as problem:
        raise BadFile(f"{path} cannot be read: {problem.strerror}") from problem


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The library, the catalogue that tells what files are, and the files and library names that the user named."""

    library: Library
    catalogue: Catalogue
    named: Sequence[str] = ()

    @classmethod
    def of(cls, bench: Bench, named: Sequence[str] = ()) -> Self:
        """What a bench has, and what the user named for one operation."""
        return cls(bench.stores.library, bench.catalogue, named)

    def inspected(self, name: str, data: bytes) -> SelectedImage:
        """An image with what inspection says about it."""
        return SelectedImage(name, data, inspect(data, self.catalogue))

    def get(self, name: str) -> SelectedImage:
        """One image by file or library name. Raises FileMissing, BadFile, ImageMissing."""
        path = Path(name)
        if path.exists():
            return self.inspected(path.name, read_file(path))
        entry = self.library.find(name)
        if entry is None:
            if "/" in name or path.suffix.lower() in FILE_ENDINGS:
                raise FileMissing(f"there is no file {path}")
            raise ImageMissing(
                f"{name!r} is neither a file nor an image of the library",
                hint="`mitherm firmware list` shows the library",
            )
        return self.inspected(entry.name, self.library.read(entry))

    def find(self, request: ImageRequest) -> SelectedImage:
        """What fits `request`, named images first. Raises ImageMissing."""
        candidates = [self.get(name) for name in self.named]
        if not request.named_only:
            candidates += self._kept()
        fitting = [image for image in candidates if _fits(image, request)]
        if not fitting:
            raise image_missing(request)
        # The user's word first; among what lies in the library nobody chose, so the newest.
        image = fitting[0] if fitting[0].name in {Path(name).name for name in self.named} else _newest(fitting)
        return self.signed(image, request) if request.signed_for else image

    def _kept(self) -> list[SelectedImage]:
        return [self.inspected(entry.name, self.library.read(entry)) for entry in self.library.entries()]

    def signed(self, image: SelectedImage, request: ImageRequest) -> SelectedImage:
        """The image with the tail of a sign file behind it, unless it has one. Raises ImageMissing."""
        if image.inspection.tail is not None:
            return image
        candidates = [*map(self.get, self.named), *self._kept()]
        sign = next((candidate for candidate in candidates if candidate.inspection.kind is FileKind.SIGN_FILE), None)
        if sign is None and image.inspection.provenance is Provenance.SYNTHETIC:
            # Nobody publishes sign files for virtual units, and theirs is made from nothing: no need to keep one.
            sign = self.inspected(SIGN_KIND, package(SIGN_KIND))
        if sign is None:
            raise ImageMissing(
                f"stock {request.signed_for} accepts only signed images, and no sign file is at hand",
                hint="add it to the library: mitherm firmware add sign_2.1.1_0159c.bin",
            )
        return self.inspected(f"{image.name} + {sign.name}", SignFile.from_bytes(sign.data).apply(image.data))


def _fits(image: SelectedImage, request: ImageRequest) -> bool:
    inspection = image.inspection
    return (
        inspection.kind is FileKind.TELINK
        and inspection.family == request.family
        and (request.model is None or inspection.model in (None, request.model))
        and (request.version is None or image.full_version == request.version)
        and (not request.genuine or inspection.genuine)
    )


def _newest(images: Sequence[SelectedImage]) -> SelectedImage:
    return max(images, key=lambda image: version_key(image.version or ""))
