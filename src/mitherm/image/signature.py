"""What the signature tail of a firmware file is worth."""

from __future__ import annotations

from enum import StrEnum


class Signature(StrEnum):
    """One meaning everywhere: of a published file, of an inspected one, and in rules (virtual-unit.md 5)."""

    NONE = "none"
    """No tail."""
    GENUINE = "genuine"
    """The tail proves the image: its vendor signed it."""
    FORGED = "forged"
    """There is a tail that proves nothing: damaged, of another image, or made to trick 2.1.1_0159, build c."""
