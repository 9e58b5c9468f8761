"""The Bluetooth address in flash at 0x76000, reversed, followed by two random bytes (flash-layout.md 2)."""

from __future__ import annotations

from typing import Final

from mitherm.model.address import XIAOMI_OUI, Address
from mitherm.virtual.board.chip import Chip

MAC: Final = 0x76000


def complete_mac(chip: Chip) -> Address:
    """What the SDK does at start: a blank address becomes A4:C1:38 and three random bytes, written back."""
    if chip.flash.is_blank(MAC, 6):
        oui = bytes.fromhex(XIAOMI_OUI.replace(":", ""))
        chip.flash.program(MAC, chip.entropy(3) + oui[::-1])
    if chip.flash.is_blank(MAC + 6, 2):
        chip.flash.program(MAC + 6, chip.entropy(2))
    return Address.from_reversed(chip.flash.read(MAC, 6))
