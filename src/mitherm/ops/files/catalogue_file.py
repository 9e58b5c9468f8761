"""A newer catalogue from a file: whole, unchanged, not older than the shipped one, and not at odds with it (H17, H20).

    {"date": "2027-01-31", "sha256": DIGEST, "snapshots": {REPOSITORY: COMMIT}, "files": [...], "known_bad": [...]}

`files` and `known_bad` (which may be missing) are as in `image/data`. DIGEST is SHA-256 over everything else as JSON with
sorted keys and no spaces, in UTF-8. It finds damage and careless changes; it proves no author, so what the shipped table
knows of a file cannot be contradicted.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any, Final

from mitherm.errors import BadFile
from mitherm.image.catalogue import Catalogue, Entry
from mitherm.image.known_bad import UnitFacts
from mitherm.image.recognise import Identity
from mitherm.image.shipped import shipped_catalogue
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
"""What guards decide by: a table must not say otherwise of a file that the shipped one knows."""
_ROW: Final = {"image", "unit", "verdict", "rule", "text", "source"}
_HINT: Final = "Get it again from whoever made it; without --catalogue and MITHERM_CATALOGUE the shipped one is used."


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue in this file, with the shipped bad combinations besides its own. Raises FileMissing, BadFile."""
    table, shipped = _document(path), shipped_catalogue()
    if digest(table) != table.get("sha256"):
        raise BadFile(f"{path} was changed after it was made: its SHA-256 is wrong", hint=_HINT)
    day = _date(path, table)
    if day < date.fromisoformat(shipped.date):
        raise BadFile(f"{path} is of {day}, older than the catalogue of {shipped.date} that mitherm has", hint=_HINT)
    rows = table.get("known_bad", [])
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise BadFile(f"{path} has a known-bad row that makes no sense", hint=_HINT)
    catalogue = _parsed(path, table)
    _check_agreement(path, catalogue, shipped)
    return catalogue.on_top_of(shipped)


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


def _parsed(path: Path, table: dict[str, Any]) -> Catalogue:
    try:
        catalogue = Catalogue.from_table(table)
        sound = all(_is_sound(entry, catalogue) for entry in catalogue.files)
    except (TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise BadFile(f"{path} has entries that describe no file", hint=_HINT)
    return catalogue


def _check_agreement(path: Path, catalogue: Catalogue, shipped: Catalogue) -> None:
    for entry in catalogue.files:
        settled = shipped.by_file(entry.sha256) or entry
        wrong = [name for name in _SETTLED if getattr(settled, name) != getattr(entry, name)]
        if wrong:
            raise BadFile(f"{path} contradicts what is known of {settled.name} ({', '.join(wrong)})", hint=_HINT)


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


def _is_sound(entry: Entry, catalogue: Catalogue) -> bool:
    return (
        isinstance(entry.name, str)
        and _HASH.fullmatch(entry.sha256) is not None
        and isinstance(entry.size, int)
        and entry.size > 0
        and isinstance(catalogue.snapshots[entry.repository], str)
        and ".." not in entry.path.split("/")
    )
