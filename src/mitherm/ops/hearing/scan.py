"""What is in the air: units with what their adverts tell, and what can be done with each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.model.access import Access
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.report import Report
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.advertiser import Advertiser
from mitherm.ops.hearing.listen import adverts, all_keys, key_ring
from mitherm.ops.hearing.receiver import Receiver
from mitherm.ops.next_step import NextStep, next_step

_NO_SIGNAL_DBM: Final = -999
"""Sorts below every level that a radio reports."""


@dataclass(frozen=True, slots=True)
class ScannedUnit:
    """One unit of a scan. What `Report` tells of a unit and this, they tell alike: both come from the receiver."""

    unit: str
    """The address; where the system hides it and nothing told it, the system's name for the unit."""
    address: Address | None
    name: str | None
    """As it advertises itself."""
    rssi_dbm: int | None
    model: str | None
    family: Family
    version: str | None
    beacon_format: BeaconFormat | None
    bound: bool | None
    temperature_c: float | None
    humidity_pct: float | None
    battery_pct: int | None
    battery_mv: int | None
    next: NextStep | None
    """What can be done with it now."""


async def scan(bench: Bench, duration_s: float) -> list[ScannedUnit]:
    """All units heard in `duration_s` seconds, strongest first. Raises RadioUnavailable."""
    receiver = _receiver(bench)
    async with aclosing(adverts(bench, duration_s)) as sightings:
        async for sighting in sightings:
            receiver.take(sighting)
    units = [_scanned(bench, receiver, unit) for unit in receiver.units.values()]
    return sorted(units, key=lambda unit: _NO_SIGNAL_DBM if unit.rssi_dbm is None else unit.rssi_dbm, reverse=True)


async def watch(bench: Bench, duration_s: float | None) -> AsyncIterator[ScannedUnit]:
    """Each unit again with every report about it; endless without a duration. Raises RadioUnavailable."""
    receiver = _receiver(bench)
    async with aclosing(adverts(bench, duration_s)) as sightings:
        async for sighting in sightings:
            hearing = receiver.take(sighting)
            if hearing is not None:
                yield _scanned(bench, receiver, hearing.unit)


def _receiver(bench: Bench) -> Receiver:
    return Receiver(key_ring(all_keys(bench.stores.vault)), known=bench.stores.inventory.get)


def _scanned(bench: Bench, receiver: Receiver, unit: Advertiser) -> ScannedUnit:
    report = receiver.report(unit, "seen", bench.wall(), unit.state.seen_s)
    return ScannedUnit(
        unit=report.unit,
        address=report.address,
        name=unit.name,
        rssi_dbm=report.rssi_dbm,
        model=report.model,
        family=report.family,
        version=report.version,
        beacon_format=report.format,
        bound=report.bound,
        temperature_c=report.temperature_c,
        humidity_pct=report.humidity_pct,
        battery_pct=report.battery_pct,
        battery_mv=report.battery_mv,
        next=_next(bench, report),
    )


def _next(bench: Bench, report: Report) -> NextStep | None:
    """What can be done now (virtual-unit.md 7, last paragraph); nothing with stock whose address the system hides."""
    if report.address is None and not report.family.custom:
        return None
    access = bench.stores.vault.access(report.address) if report.address is not None else Access()
    return next_step(Abilities.known(report.family, report.model, report.version), access, report.bound)
