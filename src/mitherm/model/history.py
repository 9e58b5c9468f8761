"""Records that units store: each as its firmware means it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class MeanRecord:
    """pvvx: means of a period, half an hour by default."""

    time: datetime | None
    """UTC; None where the clock of the unit was not set."""
    clock_s: int
    """What the unit's clock counted."""
    temperature_c: float
    humidity_pct: float
    battery_mv: int


@dataclass(frozen=True, slots=True)
class HourRecord:
    """Stock: extremes of an hour."""

    time: datetime | None
    """UTC; None where the clock of the unit was not set."""
    clock_s: int
    """What the unit's clock counted."""
    record: int
    """Its number, counted since the unit was made or cleared."""
    temperature_min_c: float
    temperature_max_c: float
    humidity_min_pct: int
    humidity_max_pct: int


StoredRecord: TypeAlias = MeanRecord | HourRecord
