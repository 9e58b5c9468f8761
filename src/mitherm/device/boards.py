"""Which circuit board an LYWSD03MMC has: decided here alone (virtual-unit.md 1.1, flash-layout.md 2)."""

from __future__ import annotations

import re
from typing import Final

from mitherm.store.inventory import KnownUnit

NEW_BOARD: Final = "B1.6-2025"
BOARDS: Final = ("B1.4", "B1.5", "B1.6", "B1.7", "B1.9", "B2.0", NEW_BOARD)
"""Revisions; the last has another display than the B1.6 before it."""

_NEW_BOARD_ID: Final = 14
_NEW_BOARD_STRING: Final = "B1.1"
"""What pvvx from 5.5 calls the boards of 2025 in 2A27; it asks the display, as no string in flash tells them apart."""
_NEW_BOARD_SERIAL: Final = re.compile(r"F2\.0-\d-FY-")
"""Beginning of 2A25 on boards of 2025: the rest of the hardware string."""
_AMBIGUOUS: Final = ("B1.5", "B1.6")
"""What 2A27 may say on a board of 2025: firmware that does not know the display repeats the string in flash."""


def decide_board(hardware: str | None, serial: str | None, hardware_id: int | None) -> str | None:
    """The revision by 2A27, 2A25 and pvvx' hardware id; None where they tell none that is known.

    B1.5 and B1.6 need 2A25, which pvvx up to 2.1 does not have.
    """
    if hardware_id == _NEW_BOARD_ID or hardware == _NEW_BOARD_STRING:
        return NEW_BOARD
    if hardware in (None, *_AMBIGUOUS) and _NEW_BOARD_SERIAL.match(serial or ""):
        return NEW_BOARD
    if hardware in _AMBIGUOUS and serial is None:
        return None
    return hardware if hardware in BOARDS else None


def possible_boards(hardware: str | None, board: str | None) -> tuple[str, ...]:
    """All that a unit may have, by 2A27 and what was decided."""
    if board is not None:
        return (board,)
    return (hardware, NEW_BOARD) if hardware in _AMBIGUOUS else BOARDS


def remembered_board(unit: KnownUnit | None) -> str | None:
    """The board that a unit told at an earlier time; None where an old inventory has the string alone and that proves nothing."""
    if unit is None:
        return None
    return unit.board or decide_board(unit.hardware, None, None)
