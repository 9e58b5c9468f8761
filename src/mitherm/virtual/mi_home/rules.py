"""What the cloud decides about the DID of a unit that somebody wants to add (virtual-unit.md 6, flash-layout.md 7)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from mitherm.model.gatt import GattTable
from mitherm.protocol import uuids

MI_HOME_REFUSED: Final = -29
MI_HOME_NO_CHARACTERISTICS: Final = -28

Owner = Literal["self", "other"]


@dataclass(frozen=True, slots=True)
class CloudEntry:
    """The account entry of one address."""

    owner: Owner = "self"
    deleted: bool = False
    sticky: bool = False
    """The cloud does not forget the unit although the app does (row 6 of mi-auth.md 9.3)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted with a DID (None: a new one is issued), or refused."""

    accepted: bool
    did: str | None = None
    reason: str = ""


def decide(did: str | None, *, issued_here: Collection[str], entry: CloudEntry | None = None) -> Decision:
    """`did` as the unit reports it (None: none, or a record that is not 20 bytes); `issued_here` = for this address."""
    live = entry if entry is not None and not entry.deleted else None
    if did is None:
        if live is not None and live.sticky:
            return Decision(False, reason="the old entry of this unit is still there")
        return Decision(True, reason="a new DID is issued")
    if did not in issued_here:
        return Decision(False, reason="the cloud never issued this DID for this unit")
    if live is not None and live.owner == "other":
        return Decision(False, reason="the unit belongs to another account")
    return Decision(True, did, "the DID is known")


def has_mi_service(gatt: GattTable) -> bool:
    """Whether the app finds what it needs; without it the app fails with -27 or -28."""
    return uuids.MI_SERVICE in gatt.service_uuids and all(
        gatt.find(char) is not None for char in (uuids.MI_CONTROL, uuids.MI_PARCELS)
    )
