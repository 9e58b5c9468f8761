"""How much the running firmware takes in one update, and by which of the two ways (telink-ota.md 5.7, 7)."""

from __future__ import annotations

from typing import Final

from mitherm.device.observation import Observation
from mitherm.image.inspection import Inspection
from mitherm.image.known_bad import version_key
from mitherm.model.family import Family
from mitherm.model.models import Stock
from mitherm.protocol.ota.extended import LIMIT_KIB, area_kib
from mitherm.protocol.ota.packets import BANK_SIZE

AREA_LIMIT: Final = LIMIT_KIB
_EXTENDED_SINCE: Final = (4, 6)
_EXTENDED_EARLY: Final = frozenset({9, 11, 12, 13})
"""Hardware whose pvvx builds offer it in every version that knows the command."""
_SMALL_BANK_HARDWARE: Final = frozenset({12, 13, 49})
_SMALL_BANK: Final = 0x1C000


def stock_of(seen: Observation) -> Stock | None:
    """What is known about the stock firmware that runs; None for custom firmware and unknown models."""
    if seen.family is not Family.STOCK or not seen.identity.boards:
        return None
    return seen.identity.boards[0].stock_of(seen.version)


def plain_limit(seen: Observation) -> int:
    """Bytes that the plain update may carry, padding and tail included."""
    if (stock := stock_of(seen)) is not None:
        return stock.bank_size
    if seen.family is Family.PVVX and seen.hardware_id in _SMALL_BANK_HARDWARE:
        return _SMALL_BANK
    return BANK_SIZE


def offers_extended(seen: Observation) -> bool:
    """Whether the running firmware can clear an area above the banks."""
    if seen.family is not Family.PVVX:
        return False
    return seen.hardware_id in _EXTENDED_EARLY or version_key(seen.version or "0") >= _EXTENDED_SINCE


def needs_extended(image: Inspection, seen: Observation) -> bool:
    """Whether this image cannot go the plain way: too large for it, or a Zigbee container."""
    return image.kind == "zigbee-container" or image.padded_length > plain_limit(seen)


def area_for(image: Inspection, seen: Observation) -> int:
    """KiB to have cleared for it."""
    version = version_key(seen.version or "0.0")
    byte = version[0] << 4 | version[1] if len(version) == 2 else 0xFF
    return area_kib(image.padded_length, version=byte, exact=seen.hardware_id in _SMALL_BANK_HARDWARE)
