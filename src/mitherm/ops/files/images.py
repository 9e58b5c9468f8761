"""Finding the image a plan needs: files the user named, the library, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mitherm.errors import ImageMissing
from mitherm.image.inspection import FileKind, Inspection
from mitherm.model.family import Family
from mitherm.model.operation import full_version

if TYPE_CHECKING:
    from mitherm.device.observation import Observation


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What a plan needs: a family for a model, perhaps of one version, perhaps with a signature tail.

    `version` is that of a KIND: 5.8, 1.0.0_0130, 2.1.1_0159, 2.1.1_0159_B1.6.
    """

    family: Family
    model: str | None
    version: str | None = None
    signed_for: str | None = None
    """Version of the running stock that will check a signature."""
    named_only: bool = False
    """Only an image the user named will do."""
    genuine: bool = False
    """Only with the signature of its vendor."""

    def with_signature(self, unit: Observation) -> ImageRequest:
        """The same request for a unit that checks signatures."""
        return replace(self, signed_for=unit.version)

    @property
    def label(self) -> str:
        """pvvx for LYWSD03MMC"""
        version = f" {self.version}" if self.version else ""
        return f"{self.family}{version} for {self.model or 'this model'}"


@dataclass(frozen=True, slots=True)
class SelectedImage:
    """An image that was found, as it will be sent."""

    name: str
    data: bytes
    inspection: Inspection

    @property
    def version(self) -> str | None:
        """Version inside the image."""
        return self.inspection.version

    @property
    def family(self) -> Family:
        """Family of the image; unknown where nothing tells."""
        return self.inspection.family or Family.UNKNOWN

    @property
    def full_version(self) -> str | None:
        """The version with the build where that is not the common one: 2.1.1_0159_B1.6."""
        return full_version(self.version, self.inspection.build)

    @property
    def label(self) -> str:
        """pvvx 5.8"""
        return f"{self.family} {self.full_version}" if self.version else self.family


def sendable(image: SelectedImage) -> SelectedImage:
    """The image as it goes over the air: out of its container."""
    inside = image.inspection.kind is FileKind.ZIGBEE_CONTAINER and image.inspection.payload
    return replace(image, data=image.inspection.payload) if inside else image


def image_missing(request: ImageRequest) -> ImageMissing:
    """The error that names what a plan lacks."""
    kind = f"{request.family}-{request.version}" if request.version else request.family
    return ImageMissing(
        f"no image of {request.label} is at hand",
        hint=f"name one with --image FILE, or keep one in the library: mitherm firmware add FILE "
        f"(virtual units: mitherm firmware synth {'pvvx-5.8' if kind == 'pvvx' else kind} --add)",
    )
