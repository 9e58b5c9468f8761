"""A virtual unit as an omniscient observer sees it: what no radio could tell of a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mitherm.model.address import Address


@dataclass(frozen=True, slots=True)
class UnitState:
    """Facts from flash, surroundings and display."""

    address: Address
    model: str
    hardware: str
    """Its board: B1.4, B1.6-2025, ..."""
    runs: str
    """Family and version of the firmware; `dark` where it is powered and nothing runs, `off` without power."""
    bank: int | None
    """Where the running image lies in flash."""
    display: str
    """ok, blank or dark."""
    battery_mv: int
    """0 without a cell."""
    rssi_dbm: int | None
    """None: out of reach."""
    did: str | None
    bound: bool
    """Whether it holds keys."""
    temperature_c: float
    humidity_pct: float
    last_update: tuple[str, str] | None
    """Result and reason of the last firmware update over the air."""
    faults: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """Planted faults that are still to come, by kind."""
