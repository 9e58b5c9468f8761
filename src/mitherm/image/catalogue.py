"""The catalogue of published firmware files: metadata by SHA-256 and by name, and combinations known to go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

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
    """Of the Mi tail. In a table it is `signed`: true is genuine, false forged, and no tail has no such key."""
    login: Literal["always", "bound", "never"] | None = None
    """Stock: when a running unit of this version wants a login before an update."""
    refuses_unsigned: bool = False
    """Stock: whether a running unit of this version takes signed images only."""
    no_ota: bool = False
    """A unit running this has no Telink OTA: only a wire changes it."""
    also: tuple[str, ...] = ()
    """Other names under which the same bytes are published."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Entry:
        """From one of a table's `files`. Raises TypeError, KeyError for what is no record."""
        defaults = {"image_sha256": record["sha256"], "length": record["size"]}
        lists = {key: tuple(record.get(key, ())) for key in ("hardware", "also")}
        plain = {key: value for key, value in record.items() if key != "signed"}
        return cls(**(defaults | plain | lists), signature=_SIGNATURES[record.get("signed")])


_SIGNATURES: Final = {True: Signature.GENUINE, False: Signature.FORGED, None: Signature.NONE}


@dataclass(frozen=True, slots=True)
class KnownDefect:
    """A combination that goes wrong (product-needs.md 6.2): `known_bad.py` says which image and unit it is about."""

    verdict: Literal["refuse", "blank"]
    """refuse: damage or a sure failure; blank: the display stays dark."""
    rule: str
    text: str
    source: str
    image: Mapping[str, Any]
    """What the image must be, by attribute of `Identity`; or `version_below`."""
    unit: Mapping[str, Any]
    """What the unit must be, by attribute of `UnitFacts`; or `version_below`."""


@dataclass(frozen=True)
class Catalogue:
    """What is published and what is known of it: a value, so two of them may be in use at a time."""

    date: str
    """When the table was made, ISO 8601."""
    snapshots: Mapping[str, str]
    """Repository to the commit the catalogue describes."""
    files: tuple[Entry, ...]
    bad: tuple[KnownDefect, ...] = ()

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Catalogue:
        """From the document of a table. Raises TypeError, KeyError for what is none."""
        bad = tuple(KnownDefect(**row) for row in table.get("known_bad", ()))
        return cls(table["date"], table["snapshots"], tuple(map(Entry.from_record, table["files"])), bad)

    def on_top_of(self, base: Catalogue) -> Catalogue:
        """These files, with the bad combinations of both: a newer table warns of more, never of less."""
        return replace(self, bad=(*base.bad, *self.bad))

    def by_file(self, sha256: str) -> Entry | None:
        """The file with this SHA-256 (hex)."""
        return self._files.get(sha256)

    def by_image(self, sha256: str) -> Entry | None:
        """The best entry whose image part has this SHA-256 (hex): plain files before containers and dumps."""
        return self._images.get(sha256)

    def by_name(self, name: str) -> Entry | None:
        """The file with this name, in any case, with or without its ending."""
        return self._names.get(_stem(name))

    @cached_property
    def _files(self) -> dict[str, Entry]:
        return _first((entry.sha256, entry) for entry in self._best_first)

    @cached_property
    def _images(self) -> dict[str, Entry]:
        return _first((entry.image_sha256, entry) for entry in self._best_first if entry.image_sha256 is not None)

    @cached_property
    def _names(self) -> dict[str, Entry]:
        return _first((_stem(name), entry) for entry in self._best_first for name in (entry.name, *entry.also))

    @property
    def _best_first(self) -> list[Entry]:
        """The same image is published plain, in a container and in dumps; only the plain file can be sent as it is."""
        return sorted(self.files, key=lambda entry: entry.role in ("zigbee", "zigbee-stock", "full-flash-dump"))


def _first(pairs: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    index: dict[str, Entry] = {}
    for key, entry in pairs:
        index.setdefault(key, entry)
    return index


def _stem(name: str) -> str:
    return name.lower().removesuffix(".bin").removesuffix(".zigbee")
