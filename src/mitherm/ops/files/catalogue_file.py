"""A newer catalogue from a file: whole, unchanged, not older than the shipped one, and not at odds with it (H17, H20).

    {"date": "2027-01-31", "sha256": DIGEST, "snapshots": {REPOSITORY: COMMIT}, "files": [...], "known_bad": [...]}

`files` and `known_bad` (which may be missing) are as in `image/data`. DIGEST is SHA-256 over everything else as JSON with sorted keys and no spaces, in UTF-8. It finds damage and careless
changes; it proves no author, so what the shipped table knows of a file cannot be contradicted.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any, Final

from mitherm.errors import BadFile
from mitherm.image import catalogue
from mitherm.image.catalogue_data import shipped
from mitherm.image.known_bad import UnitFacts
from mitherm.image.recognise import Identity
from mitherm.ops.files.library import read_file

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SETTLED: Final = (
    "size",
    "role",
    "family",
    "version",
    "model",
    "device_id",
    "product_id",
    "signature",
    "refuses_unsigned",
)
_ROW: Final = {"image", "unit", "verdict", "rule", "text", "source"}
_HINT: Final = "Get it again from whoever made it; without --catalogue and MITHERM_CATALOGUE the shipped one is used."


def use_file(path: Path) -> None:
    """Take the table in this file as the catalogue from now on. Raises FileMissing, BadFile."""
    catalogue.use(read_table(path))


def read_table(path: Path) -> dict[str, Any]:
    """The checked table. Raises FileMissing, BadFile."""
    table = _document(path)
    if digest(table) != table.get("sha256"):
        raise BadFile(f"{path} was changed after it was made: its SHA-256 is wrong", hint=_HINT)
    made, ours = _date(path, table), date.fromisoformat(shipped("catalogue")["date"])
    if made < ours:
        raise BadFile(f"{path} is of {made}, older than the catalogue of {ours} that mitherm has", hint=_HINT)
    _check_entries(path, table)
    rows = table.get("known_bad", [])
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise BadFile(f"{path} has a known-bad row that makes no sense", hint=_HINT)
    return table


def digest(table: dict[str, Any]) -> str:
    """SHA-256 (hex) over a table without its own `sha256`."""
    rest = {name: value for name, value in table.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _document(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(read_file(path))
    except ValueError:
        table = None
    if not isinstance(table, dict) or not isinstance(table.get("files"), list):
        raise BadFile(f"{path} is no firmware catalogue", hint=_HINT)
    return table


def _date(path: Path, table: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(table.get("date")))
    except ValueError:
        raise BadFile(f"{path} does not say when it was made", hint=_HINT) from None


def _check_entries(path: Path, table: dict[str, Any]) -> None:
    try:
        entries = catalogue.parse(table["files"])
        sound = all(_is_sound(entry, table["snapshots"]) for entry in entries)
    except (TypeError, KeyError, AttributeError):
        sound, entries = False, ()
    if not sound:
        raise BadFile(f"{path} has entries that describe no file", hint=_HINT)
    known = {entry.sha256: entry for entry in catalogue.parse(shipped("catalogue")["files"])}
    for entry in entries:
        ours = known.get(entry.sha256, entry)
        wrong = [name for name in _SETTLED if getattr(ours, name) != getattr(entry, name)]
        if wrong:
            raise BadFile(f"{path} contradicts what is known of {ours.name} ({', '.join(wrong)})", hint=_HINT)


def _is_row(row: Any) -> bool:
    """Whether `known_bad` understands a row."""
    return (
        isinstance(row, dict)
        and row.keys() == _ROW
        and isinstance(row["image"], dict)
        and isinstance(row["unit"], dict)
        and row["verdict"] in ("refuse", "blank")
        and row["image"].keys() <= {*Identity.__dataclass_fields__, "version_below"}
        and row["unit"].keys() <= {*UnitFacts.__dataclass_fields__, "version_below"}
    )


def _is_sound(entry: catalogue.Entry, snapshots: dict[str, str]) -> bool:
    return (
        isinstance(entry.name, str)
        and _HASH.fullmatch(entry.sha256) is not None
        and isinstance(entry.size, int)
        and entry.size > 0
        and isinstance(snapshots[entry.repository], str)
        and ".." not in entry.path.split("/")
    )
