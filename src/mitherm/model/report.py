"""One piece of news about one unit, as listeners get it: merged values, what was just received, health, key state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.reading import Scalar, Value, number_in

Event: TypeAlias = Literal["seen", "reading", "key", "fault", "silent"]
"""seen: first heard, or heard again; key: its beacons became (un)readable; fault: its sensor; silent: no advert for long."""
KeyState: TypeAlias = Literal["unneeded", "right", "missing", "wrong", "changed"]
"""unneeded: nothing encrypted was sent; changed: the key that fitted no longer does (re-bound or re-keyed)."""

_UNITS: Final = {
    "temperature": "temperature_c",
    "humidity": "humidity_pct",
    "battery": "battery_pct",
    "dew_point": "dew_point_c",
    "pressure": "pressure_hpa",
    "illuminance": "illuminance_lux",
    "soil_moisture": "soil_moisture_pct",
    "energy": "energy_kwh",
    "current": "current_a",
    "duration": "duration_s",
    "speed": "speed_m_s",
    "co2": "co2_ppm",
    "pm25": "pm25_ug_m3",
    "pm10": "pm10_ug_m3",
    "tvoc": "tvoc_ug_m3",
}


def quantities(values: Mapping[str, Value]) -> dict[str, Scalar]:
    """Values of a frame by names with units (`temperature_c`, `battery_mv`); a repeated one is numbered `..._2`."""
    named: dict[str, Scalar] = {}
    for name, value in values.items():
        for number, scalar in enumerate(value if isinstance(value, list) else [value], 1):
            suffix = "" if number == 1 else f"_{number}"
            if name == "voltage" and isinstance(scalar, int | float):
                named[f"battery_mv{suffix}"] = round(scalar * 1000)
            else:
                named[_UNITS.get(name, name) + suffix] = scalar
    return named


@dataclass(frozen=True, slots=True)
class Health:
    """What adverts alone tell about a unit; None until there is enough to say."""

    interval_s: float | None = None
    """Between adverts received, median of the last ones."""
    reading_interval_s: float | None = None
    """Between readings, median of the last ones."""
    rssi_mean_dbm: float | None = None
    lost: int = 0
    """Measurements missed, from gaps of the packet id."""
    battery_mv_per_day: float | None = None
    """Slope over the last weeks; negative while the battery empties."""


@dataclass(frozen=True, slots=True)
class Report:
    """News about one unit at one moment. Values follow `Reading.values` (C, %, V), merged over frames."""

    unit: str
    """The address; where the system hides it and nothing told it, the system's name for the unit."""
    event: Event
    at: datetime
    address: Address | None = None
    name: str | None = None
    model: str | None = None
    hardware: str | None = None
    family: Family = Family.UNKNOWN
    version: str | None = None
    bound: bool | None = None
    rssi_dbm: int | None = None
    format: BeaconFormat | None = None
    key: KeyState = "unneeded"
    fault: bool = False
    available: bool = True
    packet_id: int | None = None
    values: Mapping[str, Value] | None = None
    received: Mapping[str, Value] | None = None
    """Only what this frame brought."""
    health: Health = Health()

    @property
    def temperature_c(self) -> float | None:
        """The last temperature."""
        return self._last("temperature")

    @property
    def humidity_pct(self) -> float | None:
        """The last relative humidity."""
        return self._last("humidity")

    @property
    def battery_pct(self) -> int | None:
        """The last battery level, on the scale of the unit's firmware."""
        percent = self._last("battery")
        return None if percent is None else int(percent)

    @property
    def battery_mv(self) -> int | None:
        """The last battery voltage, if the unit sends it."""
        volts = self._last("voltage")
        return None if volts is None else round(volts * 1000)

    def _last(self, name: str) -> float | None:
        return number_in(self.values or {}, name)


MAIN: Final = ("temperature_c", "humidity_pct", "battery_pct", "battery_mv")
"""What thermometers measure, in the order of columns."""


def utc_text(moment: datetime) -> str:
    """ISO 8601, UTC, milliseconds: 2026-01-01T12:00:00.000Z"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
