"""A virtual twin of a unit that was looked at: same firmware, board, identity, keys and settings (dry run)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mitherm.image.boot_rules import boot_verdict, runs_on
from mitherm.image.catalogue import Catalogue
from mitherm.model.address import Address
from mitherm.model.models import LYWSD03MMC
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Entropy
from mitherm.protocol.uuids import CUSTOM_COMMAND
from mitherm.virtual.board.chip import Cell, Chip
from mitherm.virtual.board.mi_records import MiRecordStore
from mitherm.virtual.boot import bank_bytes
from mitherm.virtual.factory import make_unit
from mitherm.virtual.spec import HARDWARE, UnitSpec
from mitherm.virtual.unit import Unit

_SETTLE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TwinFacts:
    """What was read of the real unit; None where it could not be."""

    address: Address
    firmware: str
    """KIND of the synthetic image that plays its firmware: stock-1.0.0_0130, pvvx-5.8, atc1441."""
    model: str = LYWSD03MMC
    """The name that means one board where two share a model's name: MHO-C401N."""
    hardware: str | None = None
    """The board that was decided, else what 2A27 says; it becomes the usual board of the model where that is none known."""
    battery_mv: int | None = None
    did: bytes | None = None
    keys: Secret | None = None
    """28 bytes: token ‖ bind key."""
    deleted: tuple[Secret, ...] = field(default=())
    settings: tuple[bytes, ...] = field(default=())
    """Commands for 1F1F that set the twin up like the unit (pvvx)."""


def make_twin(facts: TwinFacts, entropy: Entropy, catalogue: Catalogue | None = None) -> Unit:
    """A powered unit in the state of the facts, ready to be connected to; what it boots it knows by this catalogue."""
    spec = UnitSpec(facts.firmware, address=facts.address, model=facts.model, hardware=_board(facts))
    factory_state = make_unit(spec, entropy)
    records = MiRecordStore(factory_state.flash)
    for old in facts.deleted:
        records.write(0x0010, old.reveal())
        records.delete(0x0010)
    if facts.did is not None:
        records.write(0x0001, facts.did)
    if facts.keys is not None:
        records.write(0x0010, facts.keys.reveal())
    cell = Cell(millivolts=facts.battery_mv + Cell().sag_mv) if facts.battery_mv is not None else Cell()
    chip = Chip(factory_state.flash, model=facts.model, hardware=spec.hardware, cell=cell, entropy=entropy)
    unit = Unit(chip, catalogue=catalogue)
    unit.power_up(0.0)
    _set_up(unit, facts.settings)
    unit.advance(_SETTLE_S)
    return unit


def display_on(unit: Unit, boards: Iterable[str], catalogue: Catalogue) -> str:
    """What the unit shows now (`ok`, `blank`, `off`) if it has one of these boards; `unknown` where that depends."""
    if unit.firmware is None or unit.chip.model != LYWSD03MMC:
        return unit.display
    verdict = boot_verdict(bank_bytes(unit.chip.flash, unit.firmware.image.bank), catalogue)
    words = {runs_on(verdict, unit.chip.model, board, catalogue).display for board in boards}
    return words.pop() if len(words) == 1 else "unknown"


def _board(facts: TwinFacts) -> str:
    """Empty for the usual one."""
    decided = facts.model != LYWSD03MMC or facts.hardware in HARDWARE
    return facts.hardware or "" if decided else ""


def _set_up(unit: Unit, settings: tuple[bytes, ...]) -> None:
    if not settings:
        return
    unit.advance(1.0)
    unit.connect(1.0)
    for command in settings:
        unit.write(1.0, CUSTOM_COMMAND, command)
    unit.disconnect(1.5)
