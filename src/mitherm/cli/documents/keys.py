"""Keys and backups as documents: without what is secret, unless it is to be revealed."""

from __future__ import annotations

from datetime import datetime

from mitherm.cli.documents import Document
from mitherm.model.record import KeyGeneration, StoredBackup
from mitherm.primitives.secret import Secret
from mitherm.store.moments import iso


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
