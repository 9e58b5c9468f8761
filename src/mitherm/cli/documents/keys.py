"""Keys and backups as documents: without what is secret, unless it is to be revealed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mitherm.cli.documents import Document
from mitherm.model.record import KeyGeneration, StoredBackup
from mitherm.ops.keys.activate import Activation
from mitherm.ops.keys.import_export import ExportedKeys, KeyImport
from mitherm.ops.keys.proof import KeyTest
from mitherm.ops.keys.unit_keys import KeyBackup, KeyErasure, KeyReplacement
from mitherm.primitives.secret import Secret
from mitherm.store.moments import iso

if TYPE_CHECKING:  # an HTTP client is a lot to load for `keys list`
    from mitherm.ops.keys.account import KeyFetch


def key(generation: KeyGeneration, reveal: bool = False) -> Document:
    """`result.keys[]` of the contract."""
    keys = generation.keys
    document: Document = {
        "address": str(generation.address),
        "token": _shown(keys.token, reveal),
        "bind_key": _shown(keys.bind_key, reveal),
        "did": keys.did,
        "origin": generation.origin,
        "created": _moment(generation.created),
        "confirmed": _moment(generation.confirmed),
        "kind": generation.kind,
        "fingerprint": keys.fingerprint,
        "superseded": _moment(generation.superseded),
    }
    if not reveal:
        document["redacted"] = True
    return document


def _shown(secret: Secret | None, reveal: bool) -> str | None:
    return secret.reveal().hex() if reveal and secret is not None else None


def _moment(moment: datetime | None) -> str | None:
    """Whole seconds have no fraction here: documents of keys always looked so, and scripts may compare them."""
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None


def generation(stored: KeyGeneration, reveal: bool = False) -> Document:
    """A key with the id that `keys restore` takes."""
    return {"id": stored.id, **key(stored, reveal)}


def key_list(stored: Iterable[KeyGeneration], problems: Iterable[str], reveal: bool) -> Document:
    """`keys list`."""
    return {"keys": [generation(each, reveal) for each in stored], "problems": list(problems), "changed": False}


def unit_keys(stored: Iterable[KeyGeneration], backups: Iterable[StoredBackup], reveal: bool) -> Document:
    """`keys show`."""
    return {
        "keys": [generation(each, reveal) for each in stored],
        "backups": [backup(each) for each in backups],
        "changed": False,
    }


def single_key(stored: KeyGeneration, reveal: bool = False) -> Document:
    """`login`, and the keys of an account."""
    return {"keys": [key(stored, reveal)], "changed": False}


def activation(result: Activation, reveal: bool) -> Document:
    """`activate`."""
    keys = [key(result.generation, reveal)] if result.generation is not None else []
    return {"outcome": result.outcome, "keys": keys, "changed": result.changed}


def backup(stored: StoredBackup) -> Document:
    """What a backup holds."""
    records = stored.backup
    parts = {
        "address": records.mac_record,
        "did": records.did_record,
        "keys": records.key_record,
        "counter": records.counter_record,
    }
    contents = [name for name, value in parts.items() if value is not None]
    contents += ["deleted records"] if records.deleted_records else []
    contents += ["settings"] if records.replies else []
    contents += [f"sector {start:#07x}" for start in records.sectors]
    return {
        "id": stored.id,
        "created": iso(stored.created),
        "contents": contents,
        "deleted_records": len(records.deleted_records),
    }


def key_import(result: KeyImport, reveal: bool = False) -> Document:
    """`keys import`, also where entries had to be left out."""
    new = {stored.id for stored in result.new}
    return {
        "keys": [generation(stored, reveal) | {"new": stored.id in new} for stored in result.generations],
        "formats": list(result.formats),
        "problems": [problem.text for problem in result.problems],
        "changed": bool(new),
    }


def key_export(export: ExportedKeys, target: str, *, file: Path | None, reveal: bool) -> Document:
    """`keys export`."""
    document: Document = {
        "for": target,
        "file": str(file) if file is not None else None,
        "units": [str(stored.address) for stored in export.generations],
        "left_out": [str(address) for address in export.left_out],
        "text": export.text if reveal else None,
        "changed": file is not None,
    }
    return document if reveal else {**document, "redacted": True}


def account_keys(result: KeyFetch, reveal: bool = False) -> Document:
    """`keys fetch`, also where the account has no unit."""
    return {
        "keys": [
            {
                **generation(unit.generation, reveal),
                "name": unit.name,
                "model": unit.model,
                "region": unit.region,
                "new": unit.new,
            }
            for unit in result.units
        ],
        "problems": list(result.problems),
        "changed": any(unit.new for unit in result.units),
    }


def key_backup(result: KeyBackup, reveal: bool = False) -> Document:
    """`keys backup`."""
    records = result.stored.backup
    return {
        "keys": [generation(stored, reveal) for stored in result.generations],
        "backup": result.stored.id,
        "deleted_records": len(records.deleted_records),
        "sectors": [f"{start:#07x}" for start in records.sectors],
        "changed": result.changed,
    }


def replacement(result: KeyReplacement) -> Document:
    """`keys restore` and `keys swap`."""
    return {
        "outcome": result.outcome,
        "keys": [generation(result.now)],
        "before": generation(result.before),
        "changed": result.changed,
    }


def key_test(test: KeyTest) -> Document:
    """`keys test`, also where none is right."""
    rows = [{**generation(row.generation), "token_test": row.token, "bind_key_test": row.bind_key} for row in test.rows]
    return {"keys": rows, "methods": list(test.methods), "changed": False}


def erasure(result: KeyErasure) -> Document:
    """`keys erase`."""
    return {"outcome": result.outcome, "changed": result.changed}
