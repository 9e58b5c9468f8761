"""A unit as its adverts show it: what runs on it, which model it is, whether it is bound. One answer for everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mitherm.beacon.tracker import FrameResult
from mitherm.beacon.unit_state import UnitState
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.report import KeyState
from mitherm.model.sighting import Sighting
from mitherm.ops.hearing.health import HealthRecord
from mitherm.store.inventory import KnownUnit

_BOTH_PREFIX: Final = "ATC_"


class Condition(NamedTuple):
    """What of a unit is news when it changes, readings aside."""

    silent: bool
    key: KeyState
    fault: bool


@dataclass(slots=True)
class Advertiser:
    """One unit on the air. `state` holds what its beacons said, merged; the rest is what the radio adds."""

    state: UnitState
    sighting: Sighting
    """The last report: what a connection is made with."""
    name: str | None = None
    """As it advertises itself."""
    rssi_dbm: int | None = None
    silent: bool = True
    """Nothing was heard for long, or not yet."""
    pulse: HealthRecord = field(default_factory=HealthRecord)

    def note(self, sighting: Sighting) -> None:
        """One more report of the radio."""
        self.sighting = sighting
        self.state.seen_s = sighting.at_s
        self.pulse.advert(sighting.at_s, sighting.rssi_dbm)
        self.name = sighting.name or self.name
        self.rssi_dbm = self.rssi_dbm if sighting.rssi_dbm is None else sighting.rssi_dbm
        self.silent = False

    @property
    def address(self) -> Address | None:
        """None where the system hides it and no beacon told it."""
        return self.state.sender if isinstance(self.state.sender, Address) else None

    @property
    def condition(self) -> Condition:
        """The present one."""
        return Condition(self.silent, self.state.key_state, self.state.fault)

    @property
    def format(self) -> BeaconFormat | None:
        """Of the last beacon."""
        return self.state.format or (BeaconFormat.MIBEACON if self.state.mi is not None else None)

    def family(self, known: KnownUnit) -> Family:
        """What adverts prove. Where two firmwares send the same, and where adverts tell nothing, the inventory decides."""
        beacon_format = self.format
        if beacon_format is not None and beacon_format.only_pvvx:
            return Family.PVVX
        custom = known.family if known.family is not None and known.family.custom else None
        if beacon_format is BeaconFormat.ATC1441:  # a setting of pvvx too
            return custom or Family.ATC1441
        if beacon_format is BeaconFormat.MIBEACON and self._product is not None:
            prefix = models.prefix_of(self.name)
            if prefix is None:
                return Family.STOCK
            # atc1441 firmware uses the same prefix on the LYWSD03MMC, its only board; all others are pvvx'
            return (custom or Family.UNKNOWN) if prefix == _BOTH_PREFIX else Family.PVVX
        return known.family or Family.UNKNOWN

    def model(self, known: KnownUnit) -> str | None:
        """The inventory's answer was read over a connection; adverts only hint, the product id better than the name."""
        if known.model is not None:
            return known.model
        return self._product_model or models.named(self.name) or self._qingping_model

    def bound(self, family: Family, known: KnownUnit) -> bool | None:
        """For stock firmware an encrypted object is the proof; no advert proves that a unit is unbound (beacons.md 6.1)."""
        if family is not Family.STOCK:
            return None
        return True if self.state.encrypted_s is not None else known.bound

    @property
    def _product(self) -> str | None:
        return None if self.state.mi is None else models.PRODUCTS.get(self.state.mi.product_id)

    @property
    def _product_model(self) -> str | None:
        """pvvx sends the id of the LYWSD03MMC for boards without an id of their own, where only the name tells."""
        model = self._product
        return None if model == models.LYWSD03MMC and models.custom_name(self.name) else model

    @property
    def _qingping_model(self) -> str | None:
        device_type = self.state.values.get("device_type")
        return models.QINGPING_TYPES.get(device_type) if isinstance(device_type, int) else None


def is_ours(frames: list[FrameResult], name: str | None) -> bool:
    """Whether an advert makes its sender a unit to show: other devices share the service data, Xiaomi's above all."""
    return any(map(_is_of_thermometer, frames)) or models.is_name(name)


def _is_of_thermometer(received: FrameResult) -> bool:
    """A measurement, or a frame of a known product. An idle or locked MiBeacon of another one is a lamp or a lock."""
    mi = received.unit.mi if received.reading is None else received.reading.mi
    if mi is not None and mi.product_id in models.PRODUCTS and (received.reading is not None or received.is_locked):
        return True
    if received.reading is None:
        return received.is_locked and mi is None
    return bool(received.reading.values)
