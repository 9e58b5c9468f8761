"""How a unit is doing, from the times, levels and voltages of its adverts alone. Pure: time comes in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Final

from mitherm.model.report import Health

_GAPS: Final = 16
_LEVELS: Final = 32
_SAMPLE_S: Final = 3600.0
"""One battery sample per hour,"""
_SAMPLES: Final = 24 * 21
"""for three weeks."""
_DAY_S: Final = 86400.0
_LEAST_SPAN_S: Final = 6 * 3600.0
"""A slope over less says more about the temperature than about the cell."""


@dataclass(slots=True)
class _Gaps:
    """Median time between the last events."""

    last_s: float | None = None
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=_GAPS))

    def tick(self, now: float) -> None:
        if self.last_s is not None and now > self.last_s:
            self.gaps.append(now - self.last_s)
        self.last_s = now

    @property
    def median_s(self) -> float | None:
        return round(median(self.gaps), 3) if self.gaps else None


@dataclass(slots=True)
class HealthRecord:
    """The running record behind a `Health`."""

    count: int = 0
    """Adverts received."""
    _adverts: _Gaps = field(default_factory=_Gaps)
    _readings: _Gaps = field(default_factory=_Gaps)
    _levels: deque[int] = field(default_factory=lambda: deque(maxlen=_LEVELS))
    _battery: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def advert(self, now: float, rssi_dbm: int | None) -> None:
        """Any advert was received."""
        self.count += 1
        self._adverts.tick(now)
        if rssi_dbm is not None:
            self._levels.append(rssi_dbm)

    def reading(self, now: float, volts: float | None) -> None:
        """A reading was used; `volts` as it brought them."""
        self._readings.tick(now)
        if volts is not None and (not self._battery or now - self._battery[-1][0] >= _SAMPLE_S):
            self._battery.append((now, volts * 1000))

    @property
    def interval_s(self) -> float | None:
        """Median time between adverts."""
        return self._adverts.median_s

    @property
    def level_dbm(self) -> int | None:
        """Median signal of the last adverts."""
        return round(median(self._levels)) if self._levels else None

    def health(self, lost: int) -> Health:
        """The present state; `lost` measurements were counted elsewhere."""
        return Health(
            interval_s=self._adverts.median_s,
            reading_interval_s=self._readings.median_s,
            rssi_mean_dbm=round(fmean(self._levels), 1) if self._levels else None,
            lost=lost,
            battery_mv_per_day=self._slope(),
        )

    def _slope(self) -> float | None:
        """Least squares over the samples."""
        if len(self._battery) < 3 or self._battery[-1][0] - self._battery[0][0] < _LEAST_SPAN_S:
            return None
        middle_s = fmean(at for at, _ in self._battery)
        middle_mv = fmean(mv for _, mv in self._battery)
        square = sum((at - middle_s) ** 2 for at, _ in self._battery)
        slope = sum((at - middle_s) * (mv - middle_mv) for at, mv in self._battery) / square
        return round(slope * _DAY_S, 2)
