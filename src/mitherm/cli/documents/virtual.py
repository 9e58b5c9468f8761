"""Virtual units as documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mitherm.cli.documents import Document
from mitherm.model.address import Address
from mitherm.model.unit_state import UnitState

if TYPE_CHECKING:
    from mitherm.virtual.world import CreatedUnit


def creation(units: Iterable[CreatedUnit]) -> Document:
    """`virtual create`."""
    rows = [{"address": str(unit.address), "firmware": unit.spec.firmware, "bound": unit.spec.bound} for unit in units]
    return {"units": rows, "changed": bool(rows)}


def states(units: Iterable[UnitState]) -> Document:
    """`virtual list`."""
    return {"units": [unit_state(state) for state in units], "changed": False}


def treatment(address: str, *, changed: bool, **more: object) -> Document:
    """What was done to one unit: `set`, `battery`, `reset-pad`, `mi-home`."""
    return {"address": str(Address.parse(address)), **more, "changed": changed}


def service_end() -> Document:
    """`virtual serve`, after its end."""
    return {"changed": True}


def unit_state(state: UnitState) -> Document:
    """A line of `virtual list`, and where a rehearsal ended."""
    return {
        "address": str(state.address),
        "model": state.model,
        "hardware": state.hardware,
        "runs": state.runs,
        "bank": f"{state.bank:#07x}" if state.bank is not None else None,
        "display": state.display,
        "battery_mv": state.battery_mv,
        "rssi_dbm": state.rssi_dbm,
        "did": state.did,
        "bound": state.bound,
        "temperature_c": state.temperature_c,
        "humidity_pct": state.humidity_pct,
        "last_update": list(state.last_update) if state.last_update is not None else None,
        "faults": {kind: [dict(fault) for fault in faults] for kind, faults in state.faults.items()},
    }
