"""The catalogue of published firmware files: metadata by SHA-256 and by name. Loaded when first asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from mitherm.image.catalogue_data import load, replace, shipped
from mitherm.image.signature import Signature

Role = Literal["stock", "custom", "exploit", "zigbee", "zigbee-stock", "signature-block", "full-flash-dump"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One published file."""

    name: str
    repository: str
    path: str
    role: Role
    size: int
    """Bytes of the whole file."""
    sha256: str
    """Of the whole file."""
    image_sha256: str | None
    """Of the image part alone: without container and tail; None where nobody published it."""
    length: int | None
    """Bytes of the image part."""
    family: str | None = None
    version: str | None = None
    model: str | None = None
    device_id: int | None = None
    hardware: tuple[str, ...] = ()
    """Boards of the model it is meant for (B1.4, B1.6-2025, ...), or names of other products."""
    product_id: int | None = None
    """From the Mi tail."""
    signature: Signature = Signature.NONE
    """Of the Mi tail. In the table it is `signed`: true is genuine, false forged, and no tail has no such key."""
    login: Literal["always", "bound", "never"] | None = None
    """Stock: when a running unit of this version wants a login before an update."""
    refuses_unsigned: bool = False
    """Stock: whether a running unit of this version takes signed images only."""
    no_ota: bool = False
    """A unit running this has no Telink OTA: only a wire changes it."""
    also: tuple[str, ...] = ()
    """Other names under which the same bytes are published."""


def by_file(sha256: str) -> Entry | None:
    """The file with this SHA-256 (hex)."""
    return _index()["file"].get(sha256)


def by_image(sha256: str) -> Entry | None:
    """The best entry whose image part has this SHA-256: plain files before containers and dumps."""
    return _index()["image"].get(sha256)


def by_name(name: str) -> Entry | None:
    """The file with this name, in any case, with or without its ending."""
    return _index()["name"].get(_stem(name))


@cache
def entries() -> tuple[Entry, ...]:
    """All files."""
    return parse(load("catalogue")["files"])


def parse(records: list[dict[str, Any]]) -> tuple[Entry, ...]:
    """Entries from the `files` of a table. Raises TypeError, KeyError for what is no record."""
    return tuple(_entry(record) for record in records)


def date() -> str:
    """When the table was made, ISO 8601."""
    found: str = load("catalogue")["date"]
    return found


def use(table: dict[str, Any] | None) -> None:
    """From now on this table is the catalogue; None: the shipped one again. Whoever gives it has checked it.

    Its `known_bad` rows come on top of the shipped ones: a table can warn of more, never of less.
    """
    replace("catalogue", table)
    replace("known_bad", None if table is None else [*shipped("known_bad"), *table.get("known_bad", ())])
    entries.cache_clear()
    _index.cache_clear()


def snapshots() -> dict[str, str]:
    """Repository to the commit the catalogue describes."""
    found: dict[str, str] = load("catalogue")["snapshots"]
    return found


@cache
def _index() -> dict[str, dict[str, Entry]]:
    index: dict[str, dict[str, Entry]] = {"file": {}, "image": {}, "name": {}}
    for entry in sorted(entries(), key=lambda entry: entry.role in ("zigbee", "zigbee-stock", "full-flash-dump")):
        index["file"].setdefault(entry.sha256, entry)
        if entry.image_sha256 is not None:
            index["image"].setdefault(entry.image_sha256, entry)
        for name in (entry.name, *entry.also):
            index["name"].setdefault(_stem(name), entry)
    return index


def _stem(name: str) -> str:
    return name.lower().removesuffix(".bin").removesuffix(".zigbee")


def _entry(record: dict[str, Any]) -> Entry:
    defaults = {"image_sha256": record["sha256"], "length": record["size"]}
    lists = {key: tuple(record.get(key, ())) for key in ("hardware", "also")}
    plain = {key: value for key, value in record.items() if key != "signed"}
    return Entry(**(defaults | plain | lists), signature=_SIGNATURES[record.get("signed")])


_SIGNATURES: Final = {True: Signature.GENUINE, False: Signature.FORGED, None: Signature.NONE}
