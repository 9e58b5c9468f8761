"""The vault's files: JSON documents to and from generations, marks and backups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import KeyGeneration, KeyKind, StoredBackup, UnitBackup
from mitherm.primitives.secret import Secret
from mitherm.store.documents import MalformedDocument, field, optional
from mitherm.store.moments import iso, parse_iso

_BACKUP = "unit_backup"


def generation_document(generation: KeyGeneration) -> dict[str, object]:
    """What never changes about a generation; its marks are kept apart."""
    return {
        "kind": generation.kind,
        "address": str(generation.address),
        "did": generation.keys.did,
        "token": _hex(generation.keys.token),
        "bind_key": _hex(generation.keys.bind_key),
        "origin": generation.origin,
        "created": iso(generation.created),
        "note": generation.note,
    }


def generation_from(document: Mapping[str, Any], name: str, address: Address) -> KeyGeneration:
    """Inverse of `generation_document`; raises MalformedDocument, also if the keys do not fit the fingerprint in the name."""
    try:
        keys = MiKeys(_secret(document, "token"), _secret(document, "bind_key"), optional(document, "did", str))
        created = parse_iso(field(document, "created", str))
    except ValueError as problem:
        raise MalformedDocument(str(problem)) from None
    if f"-{keys.fingerprint}" not in name:
        raise MalformedDocument("its keys do not match the fingerprint in its name")
    _check_address(document, address)
    origin, note = field(document, "origin", str), optional(document, "note", str) or ""
    return KeyGeneration(name, address, keys, origin, created, _kind(document), note)


def backup_document(stored: StoredBackup) -> dict[str, object]:
    """A backup with everything in hex."""
    content = _backup_content(stored.backup)
    return {"kind": _BACKUP, "created": iso(stored.created), "sha256": backup_digest(stored.backup), **content}


def backup_digest(backup: UnitBackup) -> str:
    """SHA-256 over the content alone, in hex: the same backup taken twice has the same."""
    canonical = json.dumps(_backup_content(backup), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def backup_from(document: Mapping[str, Any], name: str, address: Address) -> StoredBackup:
    """Inverse of `backup_document`; raises MalformedDocument, also if the content does not match its SHA-256."""
    try:
        stored = StoredBackup(name, _backup(document, address), parse_iso(field(document, "created", str)))
    except ValueError as problem:
        raise MalformedDocument(str(problem)) from None
    _check_address(document, address)
    if backup_digest(stored.backup) != document.get("sha256"):
        raise MalformedDocument("its content does not match its SHA-256")
    return stored


def _backup_content(backup: UnitBackup) -> dict[str, object]:
    return {
        "address": str(backup.address),
        "mac_record": _hex(backup.mac_record),
        "did_record": _hex(backup.did_record),
        "key_record": _hex(backup.key_record),
        "counter_record": _hex(backup.counter_record),
        "deleted_records": [_hex(data) for data in backup.deleted_records],
        "sectors": {f"0x{start:05x}": _hex(data) for start, data in sorted(backup.sectors.items())},
        "replies": {command: _hex(data) for command, data in sorted(backup.replies.items())},
        "facts": dict(sorted(backup.facts.items())),
    }


def _backup(document: Mapping[str, Any], address: Address) -> UnitBackup:
    if field(document, "kind", str) != _BACKUP:
        raise MalformedDocument("it is no backup")
    sectors, replies = field(document, "sectors", dict), field(document, "replies", dict)
    return UnitBackup(
        address,
        _raw(document, "mac_record"),
        _raw(document, "did_record"),
        _secret(document, "key_record"),
        _raw(document, "counter_record"),
        tuple(_from_hex(text) for text in field(document, "deleted_records", list)),
        {_start(text): _from_hex(data) for text, data in sectors.items()},
        {command: _from_hex(text) for command, text in replies.items()},
        {str(name): str(value) for name, value in field(document, "facts", dict).items()},
    )


def _kind(document: Mapping[str, Any]) -> KeyKind:
    match document.get("kind"):
        case "mi":
            return "mi"
        case "beacon_key":
            return "beacon_key"
    raise MalformedDocument("its kind is unknown")


def _check_address(document: Mapping[str, Any], address: Address) -> None:
    if field(document, "address", str) != str(address):
        raise MalformedDocument("it belongs to another unit than its folder")


def _hex(data: Secret | bytes | None) -> str | None:
    raw = data.reveal() if isinstance(data, Secret) else data
    return None if raw is None else raw.hex()


def _from_hex(text: object) -> Secret:
    if not isinstance(text, str):
        raise MalformedDocument("hex digits expected")
    return Secret.from_hex(text)


def _start(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise MalformedDocument("a flash address is no hex number") from None


def _secret(document: Mapping[str, Any], name: str) -> Secret | None:
    text = optional(document, name, str)
    return None if text is None else _from_hex(text)


def _raw(document: Mapping[str, Any], name: str) -> bytes | None:
    secret = _secret(document, name)
    return None if secret is None else secret.reveal()
