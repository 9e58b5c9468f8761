"""What is in the air: units with what their adverts tell, and what can be done with each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.advertiser import Advertiser
from mitherm.ops.hearing.listen import adverts, all_keys, key_ring
from mitherm.ops.hearing.receiver import Receiver

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
    next: str | None
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
        next=_next(bench, unit, report.model, report.family, report.version),
    )


def _next(bench: Bench, unit: Advertiser, model: str | None, family: Family, version: str | None) -> str | None:
    """What can be done now (virtual-unit.md 7, last paragraph)."""
    if family.custom:
        return "flash"
    if family is not Family.STOCK or unit.address is None:
        return None
    group = _stock_of(model, version)
    if group is not None and not group.needs_login(None):
        return "flash" if group.supports_ota else None
    if bench.stores.vault.access(unit.address).tokens:
        return "login"
    if unit.state.encrypted_s is not None:
        return "keys-needed"
    if version is None:
        return None
    generation = group.generation if group is not None else 2 if models.account_line(version) else 1
    return {1: "activate", 2: "keys-needed"}.get(generation or 0)


def _stock_of(model: str | None, version: str | None) -> models.Stock | None:
    board = models.board(model, version=version)
    return board.stock_of(version) if board is not None else None
