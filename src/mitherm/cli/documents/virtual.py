"""Virtual units as documents."""

from __future__ import annotations

from mitherm.cli.documents import Document
from mitherm.model.unit_state import UnitState


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
