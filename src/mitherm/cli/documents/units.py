"""Units as documents: what the inventory knows of them, what was done to them."""

from __future__ import annotations

from mitherm.cli.documents import Document
from mitherm.model.family import Family
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Run
from mitherm.store.moments import iso


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
        "steps": list(run.steps),
        "waivers": list(run.waivers),
    }
