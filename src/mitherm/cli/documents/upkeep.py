"""Settings, clock and history of a unit as documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from mitherm.cli.documents import SCHEMA, Document
from mitherm.model.operation import Outcome
from mitherm.ops.upkeep.clock import Clock, ClockChange
from mitherm.ops.upkeep.config import Change, SettingsChange
from mitherm.ops.upkeep.config_backup import ConfigBackup
from mitherm.ops.upkeep.history import History
from mitherm.protocol.pvvx.settings import Setting
from mitherm.store.moments import iso


def setting(setting: Setting) -> Document:
    """A line of `config show`."""
    return {"name": setting.name, "value": setting.value, "unit": setting.unit or None}


def single_setting(value: Setting) -> Document:
    """`config get`."""
    return {**setting(value), "changed": False}


def settings(settings: Iterable[Setting]) -> Document:
    """`config show`."""
    return {"settings": [setting(each) for each in settings], "changed": False}


def changes(changes: Iterable[Change]) -> Document:
    """`config diff`."""
    return {"changes": [_change(each) for each in changes], "changed": False}


def config_change(result: SettingsChange) -> Document:
    """`config set`, `apply` and `reset`."""
    return {
        "outcome": result.outcome,
        "changes": [_change(each) for each in result.changes],
        "backup": result.backup,
        "changed": result.outcome.changed,
    }


def config_backup(backup: ConfigBackup) -> Document:
    """`config backup`."""
    stored = backup.stored
    return {"backup": stored.id, "replies": sorted(stored.backup.replies), "changed": backup.changed}


def _change(change: Change) -> Document:
    return {
        "name": change.before.name,
        "before": change.before.value,
        "wanted": change.wanted.value if change.wanted else None,
        "after": change.after.value if change.after else None,
        "unit": change.before.unit or None,
    }


def history(history: History, *, file: Path | None, database: Path | None, added: int | None) -> Document:
    """`history fetch`; the records themselves where they went nowhere else."""
    return {
        "address": str(history.address),
        "family": history.family,
        "count": len(history.records),
        "undated": history.undated,
        "gaps": history.gaps,
        "missing": history.missing,
        "links": history.links,
        "file": str(file) if file is not None else None,
        "sqlite": str(database) if database is not None else None,
        "added": added,
        "records": records(history) if file is None and database is None else None,
        "changed": file is not None or bool(added),
    }


def history_file(history: History) -> Document:
    """What `history fetch --format json -o FILE` writes."""
    return {
        "schema": SCHEMA,
        "address": str(history.address),
        "family": history.family,
        "records": records(history),
    }


def history_clearing(outcome: Outcome) -> Document:
    """`history clear`."""
    return {"outcome": outcome, "changed": outcome.changed}


def records(history: History) -> list[Document]:
    """Every record, with the names of its firmware's quantities."""
    return [
        asdict(record) | {"time": iso(record.time) if record.time is not None else None} for record in history.records
    ]


def clock(clock: Clock) -> Document:
    """A look at a clock."""
    return {
        "clock_s": clock.unit_s,
        "basis": clock.basis,
        "time": iso(clock.time) if clock.time is not None else None,
        "error_s": round(clock.error_s, 3) if clock.error_s is not None else None,
    }


def clock_reading(reading: Clock) -> Document:
    """`clock show`."""
    return {**clock(reading), "changed": False}


def clock_set(result: ClockChange) -> Document:
    """`clock set`."""
    return {
        "outcome": result.outcome,
        "before": clock(result.before),
        "after": clock(result.after),
        "changed": result.outcome.changed,
    }
