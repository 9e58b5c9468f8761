"""Images at hand: files the user named, and the library. `ImageSource.find` answers a plan's request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitherm.errors import BadFile, FileMissing, ImageMissing
from mitherm.image.inspect import inspect
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import package
from mitherm.ops.files.images import ImageRequest, SelectedImage, missing
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


def chosen(name: str, data: bytes) -> SelectedImage:
    """An image with what inspection says about it."""
    return SelectedImage(name, data, inspect(data))


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The user's files and the library."""

    library: Library
    named: Sequence[str] = ()

    def get(self, name: str) -> SelectedImage:
        """One image by file or library name. Raises FileMissing, BadFile, ImageMissing."""
        path = Path(name)
        if path.exists():
            return chosen(path.name, read_file(path))
        entry = self.library.find(name)
        if entry is None:
            if "/" in name or path.suffix.lower() in FILE_ENDINGS:
                raise FileMissing(f"there is no file {path}")
            raise ImageMissing(
                f"{name!r} is neither a file nor an image of the library",
                hint="`mitherm firmware list` shows the library",
            )
        return chosen(entry.name, self.library.read(entry))

    def find(self, request: ImageRequest) -> SelectedImage:
        """What fits `request`, named images first. Raises ImageMissing."""
        candidates = [self.get(name) for name in self.named]
        if not request.named_only:
            candidates += self._shelved()
        fitting = [image for image in candidates if _fits(image, request)]
        if not fitting:
            raise missing(request)
        image = fitting[0] if fitting[0].name in {Path(name).name for name in self.named} else _newest(fitting)
        return self.signed(image, request) if request.signed_for else image

    def _shelved(self) -> list[SelectedImage]:
        return [chosen(entry.name, self.library.read(entry)) for entry in self.library.entries()]

    def signed(self, image: SelectedImage, request: ImageRequest) -> SelectedImage:
        """The image with the tail of a sign file behind it, unless it has one. Raises ImageMissing."""
        if image.inspection.tail is not None:
            return image
        candidates = [*map(self.get, self.named), *self._shelved()]
        sign = next((one for one in candidates if one.inspection.kind == "sign-file"), None)
        if sign is None and image.inspection.catalogue == "synthetic":
            sign = chosen("sign-2.1.1_0159", package("sign-2.1.1_0159"))
        if sign is None:
            raise ImageMissing(
                f"stock {request.signed_for} accepts only signed images, and no sign file is at hand",
                hint="add it to the library: mitherm firmware add sign_2.1.1_0159c.bin",
            )
        signed = SignFile.from_bytes(sign.data).apply(image.data)
        return chosen(f"{image.name} + {sign.name}", signed)


def _fits(image: SelectedImage, request: ImageRequest) -> bool:
    found = image.inspection
    return (
        found.kind == "telink"
        and found.family == request.family
        and (request.model is None or found.model in (None, request.model))
        and (request.version is None or image.full_version == request.version)
        and (not request.genuine or found.genuine)
    )


def _newest(images: Sequence[SelectedImage]) -> SelectedImage:
    def age(image: SelectedImage) -> tuple[int, ...]:
        digits = "".join(sign if sign.isdigit() else " " for sign in image.version or "")
        return tuple(int(number) for number in digits.split())

    return max(images, key=age)
