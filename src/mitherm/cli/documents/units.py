"""Units as documents: what a scan or a look shows of them, what the inventory knows, what was done to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mitherm.cli.documents import Document
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.ops.hearing.scan import ScannedUnit
from mitherm.ops.known import NamedUnit
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Run
from mitherm.store.moments import iso

if TYPE_CHECKING:
    from mitherm.ops.info import UnitInfo  # a scan needs nothing of it


def scan(units: Iterable[ScannedUnit]) -> Document:
    """`scan`."""
    return {"units": [scanned_unit(unit) for unit in units], "changed": False}


def scanned_unit(unit: ScannedUnit) -> Document:
    """A unit of `scan`, and a line of `scan --watch`."""
    reading = {
        "temperature_c": unit.temperature_c,
        "humidity_pct": unit.humidity_pct,
        "battery_pct": unit.battery_pct,
        "battery_mv": unit.battery_mv,
    }
    return {
        "address": unit.unit,
        "name": unit.name,
        "rssi_dbm": unit.rssi_dbm,
        "model": unit.model,
        "firmware": {"family": unit.family.shown, "version": unit.version},
        "beacon_format": unit.beacon_format,
        "bound": unit.bound,
        "reading": reading if any(value is not None for value in reading.values()) else None,
        "next": unit.next,
    }


def info(unit: UnitInfo) -> Document:
    """`info`."""
    return {"unit": unit_info(unit), "changed": False}


def unit_info(unit: UnitInfo) -> Document:
    """`result.unit` of `info`. What only adverts tell is empty in it."""
    return {
        "address": str(unit.address),
        "name": unit.name,
        "rssi_dbm": unit.rssi_dbm,
        "model": unit.model,
        "firmware": {"family": unit.family.shown, "version": unit.version},
        "beacon_format": None,
        "bound": unit.bound,
        "reading": None,
        "next": unit.next,
        "hardware": unit.hardware,
        "battery_mv": unit.battery_mv,
        "battery_pct": unit.battery_pct,
        "did": unit.did,
        "confidence": unit.confidence,
        "evidence": list(unit.evidence),
    }


def inventory(units: Iterable[KnownUnit]) -> Document:
    """`inventory list`."""
    return {"units": [known_unit(unit) for unit in units], "changed": False}


def naming(result: NamedUnit) -> Document:
    """`inventory name`."""
    return {"unit": known_unit(result.unit), "changed": result.changed}


def removal(units: Iterable[Address]) -> Document:
    """`monitor --remove`."""
    return {"removed": [str(unit) for unit in units], "changed": True}


def known_unit(unit: KnownUnit) -> Document:
    """A line of `inventory list`."""
    return {
        "address": str(unit.address),
        "name": unit.name,
        "model": unit.model,
        "hardware": unit.hardware,
        "firmware": {"family": (unit.family or Family.UNKNOWN).shown, "version": unit.version},
        "did": unit.did,
        "bound": unit.bound,
        "last_seen": iso(unit.last_seen) if unit.last_seen else None,
    }


def journal(runs: Iterable[Run], damaged_lines: int) -> Document:
    """`journal`."""
    return {"entries": [journal_run(run) for run in runs], "damaged_lines": damaged_lines, "changed": False}


def journal_run(run: Run) -> Document:
    """An entry of `journal`."""
    return {
        "id": run.id,
        "started": iso(run.started),
        "finished": iso(run.finished) if run.finished else None,
        "operation": run.operation,
        "address": str(run.address) if run.address else None,
        "outcome": run.outcome,
        "error": run.error,
        "steps": [step.text for step in run.steps],
        "waivers": list(run.waivers),
    }
