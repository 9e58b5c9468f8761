"""What a chip does with a bank that carries the boot mark (virtual-unit.md 3, steps 2 to 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.errors import BadFile
from mitherm.image.catalogue import Catalogue
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.image.recognise import Identity, recognise
from mitherm.image.telink import EXTENDED, STARTUP, TelinkImage
from mitherm.model import models
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC, Display

_SMALLEST: Final = 0x200
"""A real chip jumps into whatever carries the mark; what is shorter crashes, which is dark too (virtual-unit.md 3)."""
_PVVX_UNDESCRIBED: Final = "5.8"
"""What a pvvx image without a version text plays: the newest that is described (virtual-unit.md 3)."""
CRASHING_PVVX: Final = frozenset({0x01, 0x02, 0x07, 0x08, 0x09, 0x0C})
"""Device ids of pvvx builds that do not start on an LYWSD03MMC: those for e-ink and for MJWSD05MMC (virtual-unit.md 3)."""


@dataclass(frozen=True, slots=True)
class BootVerdict:
    """What runs after a reset; `family` is unknown and `reason` tells why when nothing does."""

    family: Family
    version: str = ""
    """1.0.0_0130, 5.8; empty for atc1441."""
    model: str = ""
    device_id: int | None = None
    build: str = ""
    """Stock 2.1.1_0159: c or B1.6."""
    length: int = 0
    """Size field."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """How a firmware gets along with a board: `display` is ok, blank or off."""

    runs: bool
    display: str


def boot_verdict(bank: bytes, catalogue: Catalogue) -> BootVerdict:
    """From the bytes of a bank (more than the image may follow) to what it would run. Never raises."""
    try:
        image = TelinkImage.parse(bank)
    except BadFile as problem:
        return BootVerdict(Family.UNKNOWN, reason=problem.message)
    length = image.header.size
    if not _SMALLEST <= length <= EXTENDED:
        return BootVerdict(Family.UNKNOWN, length=length, reason=f"an image of {length} bytes does not start")
    if image.header.startup != STARTUP:
        return BootVerdict(Family.UNKNOWN, length=length, reason="the start-up code is not that of a thermometer")
    return _verdict(recognise(image.data, catalogue), length)


def _verdict(identity: Identity, length: int) -> BootVerdict:
    if not identity.family.updatable:
        return BootVerdict(Family.UNKNOWN, length=length, reason=f"{identity.family} firmware is not on the air")
    version = identity.version or (_PVVX_UNDESCRIBED if identity.family is Family.PVVX else "")
    return BootVerdict(identity.family, version, identity.model or "", identity.device_id, identity.build, length)


def runs_on(verdict: BootVerdict, model: str, hardware: str, catalogue: Catalogue) -> Board:
    """Whether the firmware runs on a board of `model`, and what its display does."""
    if not verdict.family.updatable or not _starts(verdict, model):
        return Board(False, "off")
    identity = Identity(verdict.family, verdict.version, verdict.model, verdict.device_id, verdict.build)
    blank = any(row.verdict == "blank" for row in known_bad(catalogue, identity, UnitFacts(model, hardware)))
    return Board(True, "blank" if blank or _other_display(verdict, model) else "ok")


def _other_display(verdict: BootVerdict, model: str) -> bool:
    """An image for another model, or for the other e-paper of a model that had two."""
    board = models.board(model)
    if verdict.device_id is None or board is None or board.display is not Display.E_INK:
        return not models.same_model(verdict.model, model)
    return verdict.device_id != board.device_id


def _starts(verdict: BootVerdict, model: str) -> bool:
    """LCD builds of pvvx run on an LYWSD03MMC whatever they are for; everything else only on its own model."""
    if verdict.family is Family.PVVX and model == LYWSD03MMC and verdict.device_id is not None:
        return verdict.device_id not in CRASHING_PVVX
    return models.same_model(verdict.model, model)
