"""What can be done with a unit, decided once from what was seen of it: board, build, gate, signature, room for an image.

Whoever asks such a question asks here, so that guards, plans, rehearsals and diagnoses agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mitherm.device.boards import decide_board
from mitherm.device.observation import SERIAL_LENGTH, Observation
from mitherm.image.recognise import SIGNED_VERSION
from mitherm.image.recognise import Identity as ImageIdentity
from mitherm.model import models
from mitherm.model.family import Family
from mitherm.model.models import EXTENDED_SINCE, PRODUCTS, Model, Stock, same_version, version_key
from mitherm.protocol.ota.packets import BANK_SIZE

if TYPE_CHECKING:
    from mitherm.image.inspection import Inspection

Build: TypeAlias = Literal["c", "B1.6"]
"""Of stock 2.1.1_0159: two builds share the number."""

_EXTENDED_EARLY: Final = frozenset({9, 11, 12, 13})
"""Hardware whose pvvx builds offer the extended update in every version that knows the command (telink-ota.md 7)."""
_SMALL_BANK_HARDWARE: Final = frozenset({12, 13, 49})
_SMALL_BANK: Final = 0x1C000
"""Room below the settings that the pvvx builds of this hardware keep inside the second bank (telink-ota.md 5.7)."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the running firmware and the board allow and demand. None means: not told."""

    family: Family
    version: str | None = None
    model: str | None = None
    candidates: tuple[Model, ...] = ()
    """Rows of the model; more than one where it was redesigned and nothing tells which board this is."""
    hardware_id: int | None = None
    board: str | None = None
    """Revision of an LYWSD03MMC."""
    build: Build | None = None
    """Stock 2.1.1_0159, where 2A25 was read; only a hint (mi-auth.md 1.3, by emulation)."""
    generation: int | None = None
    """Stock: 1 can be activated without the vendor's cloud, 2 cannot."""

    @classmethod
    def of(cls, observation: Observation) -> Abilities:
        """Judge a unit that was looked at over a connection."""
        identity = observation.identity
        return cls(
            observation.family,
            observation.version,
            identity.model,
            identity.boards,
            observation.hardware_id,
            decide_board(identity.hardware, observation.serial, observation.hardware_id),
            _build(observation),
            _generation(observation),
        )

    @classmethod
    def known(cls, family: Family, model: str | None, version: str | None) -> Abilities:
        """Judge a unit by what is known of it without a connection."""
        candidates = models.candidates(model, version=version)
        generation = models.generation(candidates, version) if family is Family.STOCK and version else None
        return cls(family, version, model, candidates, generation=generation)

    # --- what the running firmware is ---------------------------------------------------------------------------------

    @property
    def stock(self) -> Stock | None:
        """What is known about the stock firmware that runs; None for custom firmware and unknown models."""
        if self.family is not Family.STOCK or not self.candidates:
            return None
        return self.candidates[0].stock_of(self.version)

    @property
    def running(self) -> ImageIdentity:
        """The running firmware as an image, for the table of bad combinations; the common build where none is told."""
        device_id = next((row.device_id for row in self.candidates), None) or models.pvvx_device(self.model or "")
        return ImageIdentity(
            self.family,
            self.version,
            self.model,
            device_id if self.family is Family.PVVX else None,
            self.build or ("c" if self.version == SIGNED_VERSION else ""),
        )

    def runs(self, family: Family, version: str | None, build: str | None) -> bool:
        """Whether this firmware runs, as far as can be told: a version or build that nobody names fits all."""
        if self.family is not family or not (version is None or same_version(version, self.version)):
            return False
        return not build or self.build in (None, build)

    @property
    def model_key(self) -> str | None:
        """The name that means this row of the models alone: the alias where two boards share a name."""
        row = self.candidates[0] if len(self.candidates) == 1 else None
        return (row.alias or row.name) if row is not None else self.model

    # --- what it demands before an update -----------------------------------------------------------------------------

    @property
    def needs_account(self) -> bool:
        """Whether its keys come from the vendor's account only (generation 2)."""
        return self.generation == 2

    @property
    def needs_signature(self) -> bool:
        """Whether it checks signatures: 2.1.1_0159 of the LYWSD03MMC alone (telink-ota.md 8); a model not told may be one."""
        return self.needs_account and self.model in (None, models.LYWSD03MMC)

    # --- how much it takes --------------------------------------------------------------------------------------------

    @property
    def bank_size(self) -> int:
        """Bytes that the plain update may carry, padding and tail included (telink-ota.md 5.7)."""
        if self.stock is not None:
            return self.stock.bank_size
        small = self.family is Family.PVVX and self.hardware_id in _SMALL_BANK_HARDWARE
        return _SMALL_BANK if small else BANK_SIZE

    @property
    def extended(self) -> bool:
        """Whether it can clear an area above the banks for a larger image."""
        if self.family is not Family.PVVX:
            return False
        return self.hardware_id in _EXTENDED_EARLY or version_key(self.version or "0") >= EXTENDED_SINCE

    def needs_extended(self, image: Inspection) -> bool:
        """Whether this image cannot go the plain way: too large for it, or a Zigbee container."""
        from mitherm.image.inspection import FileKind  # not at start-up: a scan looks at no image

        return image.kind is FileKind.ZIGBEE_CONTAINER or image.padded_length > self.bank_size

    def area_kib(self, image: Inspection) -> int:
        """KiB to have cleared for it."""
        from mitherm.protocol.ota.extended import area_kib  # not at start-up: a scan sends no image

        version = version_key(self.version or "0.0")
        byte = version[0] << 4 | version[1] if len(version) == 2 else 0xFF
        return area_kib(image.padded_length, version=byte, exact=self.hardware_id in _SMALL_BANK_HARDWARE)

    def refusal(self, image: Inspection) -> str:
        """What the image lacks, as a unit that checks signatures sees it."""
        if image.tail is None:
            return "it has no signature tail"
        if PRODUCTS.get(image.tail.product_id) != self.model:
            return f"its signature tail is for product {image.tail.product_id:#06x}"
        return _REFUSALS.get(image.refusal, "its signature tail proves nothing")


_REFUSALS: Final[Mapping[str | None, str]] = {
    "tag": "its signature tail is damaged",
    "overlong": "its tail fits another build of this version",
    "certificate": "its certificates lead to no root that the unit knows",
    "signature": "the signature is not of this image",
    None: "its signature looks right from here, so it may have been damaged on the way",
}


def _build(observation: Observation) -> Build | None:
    """By the length of 2A25: build B1.6 answers 22 characters, all others 20."""
    if (observation.family, observation.version) != (Family.STOCK, SIGNED_VERSION) or observation.serial is None:
        return None
    return "B1.6" if len(observation.serial) > SERIAL_LENGTH else "c"


def _generation(observation: Observation) -> int | None:
    """As the unit told it and as its version implies; where these disagree, the one that cannot be activated."""
    if observation.family is not Family.STOCK:
        return None
    identity = observation.identity
    implied = models.generation(identity.boards, identity.version) if identity.version else identity.generation
    if 2 in (observation.mi_generation, implied):
        return 2
    line = 2 if identity.version and models.account_line(identity.version) else None
    return observation.mi_generation or implied or line
