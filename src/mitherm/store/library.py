"""The image library: files by their SHA-256, checked again at every reading. Nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mitherm.errors import DiskProblem, ImageCorrupt, ImageMissing, StoreError, UsageProblem
from mitherm.store import documents
from mitherm.store.atomic import make_folder, write_durably
from mitherm.store.documents import MalformedDocument
from mitherm.store.moments import iso, parse_iso, utc

_LOG: Final = logging.getLogger(__name__)
_SHORTEST_PREFIX: Final = 6


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A file of the library; what it is was found out by who added it."""

    sha256: str
    name: str
    kind: str
    """As in FIRMWARE of a unit's SPEC (cli-contract.md), for example pvvx-5.8; empty if unknown."""
    size: int
    added: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


class Library:
    """The library in one folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self, data: bytes, *, name: str, kind: str, now: datetime, facts: Mapping[str, str] | None = None
    ) -> LibraryEntry:
        """Store a file; adding it again changes what is known about it, not the file. Raises DiskProblem."""
        digest = hashlib.sha256(data).hexdigest()
        entry = LibraryEntry(digest, name, kind, len(data), utc(now), dict(facts or {}))
        make_folder(self._folder)
        write_durably(self._data(digest), data)
        write_durably(self._folder / f"{digest}.json", documents.encode(_row(entry)))
        return entry

    def entries(self) -> tuple[LibraryEntry, ...]:
        """Everything in it, the oldest first. Descriptions that cannot be read are left out and logged."""
        entries = []
        for path in self._folder.glob("[!.]*.json"):
            try:
                entry = _entry(documents.read(path, DiskProblem), path.stem)
            except (MalformedDocument, ValueError, StoreError) as problem:
                _LOG.warning("%s of the image library is left out: %s", path.name, problem)
                continue
            if self._data(entry.sha256).exists():
                entries.append(entry)
        return tuple(sorted(entries, key=lambda entry: (entry.added, entry.sha256)))

    def find(self, query: str) -> LibraryEntry | None:
        """By name, kind, or the beginning of the SHA-256; of several with one name or kind the one added last.

        Raises UsageProblem if a beginning fits several files.
        """
        entries, lowered = self.entries(), query.casefold()
        for matches in (
            [entry for entry in entries if entry.name.casefold() == lowered],
            [entry for entry in entries if entry.kind.casefold() == lowered],
        ):
            if matches and lowered:
                return matches[-1]
        return _unique([entry for entry in entries if _is_prefix(lowered, entry.sha256)], query)

    def read(self, entry: LibraryEntry) -> bytes:
        """The file's bytes, proved to be what was added. Raises ImageCorrupt, ImageMissing, DiskProblem."""
        path = self._data(entry.sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ImageMissing(f"{entry.name} is no longer in the library", hint="Add it again.") from None
        except OSError as problem:
            raise DiskProblem(f"cannot read {path}: {problem.strerror}") from problem
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ImageCorrupt(
                f"{path} ({entry.name}) is no longer what was added: its SHA-256 differs",
                hint="Delete it and add the image again from a source you trust.",
            )
        return data

    def _data(self, digest: str) -> Path:
        return self._folder / f"{digest}.bin"


def _row(entry: LibraryEntry) -> dict[str, object]:
    return {
        "sha256": entry.sha256,
        "name": entry.name,
        "kind": entry.kind,
        "size": entry.size,
        "added": iso(entry.added),
        "facts": dict(entry.facts),
    }


def _entry(document: Mapping[str, Any], digest: str) -> LibraryEntry:
    if documents.field(document, "sha256", str) != digest:
        raise MalformedDocument("it describes another file")
    return LibraryEntry(
        digest,
        documents.field(document, "name", str),
        documents.field(document, "kind", str),
        documents.field(document, "size", int),
        parse_iso(documents.field(document, "added", str)),
        {str(name): str(value) for name, value in documents.field(document, "facts", dict).items()},
    )


def _is_prefix(text: str, digest: str) -> bool:
    return len(text) >= _SHORTEST_PREFIX and digest.startswith(text)


def _unique(matches: list[LibraryEntry], query: str) -> LibraryEntry | None:
    if len(matches) > 1:
        names = ", ".join(entry.name for entry in matches)
        raise UsageProblem(f"{query} begins the SHA-256 of {len(matches)} images: {names}", hint="Give more digits.")
    return matches[0] if matches else None
