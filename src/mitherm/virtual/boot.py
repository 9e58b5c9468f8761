"""From flash to a running personality (virtual-unit.md 3, telink-ota.md 5.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.image.boot_rules import BootVerdict, boot_verdict, runs_on
from mitherm.image.catalogue import Catalogue
from mitherm.image.telink import EXTENDED, MARK, MARK_AT
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.protocol.ota.packets import BANK_SIZE
from mitherm.virtual.board.chip import Chip
from mitherm.virtual.board.nor_flash import SECTOR, NorFlash
from mitherm.virtual.firmware.base import BootImage, Firmware

BANKS: Final = (0x00000, 0x20000, 0x40000)
"""In the order in which the chip looks for a boot mark."""
_TAIL_ROOM: Final = 0x2000
"""8 KiB: the longest tail that is published has 5,356 bytes (firmware-image.md 5)."""
RESET_S: Final = 0.3
SECTOR_ERASE_S: Final = 0.045


@dataclass(frozen=True, slots=True)
class BootResult:
    """A firmware that runs."""

    firmware: Firmware
    image: BootImage
    delay_s: float
    """From the reset to the first advert."""
    display: str
    address: Address


def running_bank(flash: NorFlash) -> int | None:
    """The first bank that carries the boot mark."""
    return next((bank for bank in BANKS if flash.read(bank + MARK_AT, len(MARK)) == MARK), None)


def boot_unit(chip: Chip, catalogue: Catalogue) -> BootResult | None:
    """Boot what lies in flash; None leaves the unit dark. Lets PowerLoss pass.

    The catalogue knows published images by their hash, and displays that stay dark.
    """
    bank = running_bank(chip.flash)
    if bank is None:
        return None
    verdict = boot_verdict(bank_bytes(chip.flash, bank), catalogue)
    if bank == 0x40000 and verdict.family is Family.PVVX:
        copy_down(chip.flash, verdict.length)
        return boot_unit(chip, catalogue)
    board = runs_on(verdict, chip.model, chip.hardware, catalogue)
    if not board.runs:
        return None
    image = _image(verdict, bank)
    cleared = clear_idle_bank(chip.flash, bank, *_second_bank(image))
    firmware = create(chip, image)
    firmware.boot()
    address = Address.from_reversed(chip.flash.read(0x76000, 6))
    return BootResult(firmware, image, RESET_S + SECTOR_ERASE_S * cleared, board.display, address)


def bank_bytes(flash: NorFlash, bank: int) -> bytes:
    """Everything from the start of the bank that an image could span."""
    return flash.read(bank, min(EXTENDED + _TAIL_ROOM, len(flash.data) - bank))


def _image(verdict: BootVerdict, bank: int) -> BootImage:
    return BootImage(
        family=verdict.family,
        version=verdict.version,
        model=verdict.model,
        bank=bank,
        length=verdict.length,
        device_id=verdict.device_id,
        build=verdict.build,
    )


def create(chip: Chip, image: BootImage) -> Firmware:
    """The personality of an image."""
    match image.family:
        case Family.STOCK:
            from mitherm.virtual.firmware.stock import StockFirmware

            return StockFirmware(chip, image)
        case Family.PVVX:
            from mitherm.virtual.firmware.pvvx import PvvxFirmware

            return PvvxFirmware(chip, image)
        case Family.ATC1441:
            from mitherm.virtual.firmware.atc1441 import Atc1441Firmware

            return Atc1441Firmware(chip, image)
        case _:
            raise ValueError(f"no personality plays {image.family}")


def _second_bank(image: BootImage) -> tuple[int, int]:
    """Where the second bank of an image's firmware lies, and how large banks are."""
    rules = board.stock_of(image.version) if (board := models.board(image.model, version=image.version)) else None
    return (rules.second_bank, rules.bank_size) if rules and image.family is Family.STOCK else (BANK_SIZE, BANK_SIZE)


def clear_idle_bank(flash: NorFlash, bank: int, second: int = BANK_SIZE, size: int = BANK_SIZE) -> int:
    """Every firmware blanks the bank it does not run from; returns how many sectors had to be erased."""
    idle = 0 if bank == second else second
    cleared = 0
    for sector in range(idle, idle + size, SECTOR):
        if not (flash.is_blank(sector, 4) and flash.is_blank(sector + 0x800, 4)):
            flash.erase_sector(sector)
            cleared += 1
    return cleared


def copy_down(flash: NorFlash, length: int) -> None:
    """pvvx' relocation from 0x40000 to 0, sector by sector, boot mark with the first page: not power-safe."""
    for offset in range(0, length, SECTOR):
        flash.erase_sector(offset)
        flash.program(offset, flash.read(0x40000 + offset, min(SECTOR, length - offset)))
    flash.program(0x40008, bytes(4))
