"""The vault: every key a unit ever had, and raw backups, as plain files that are only ever added.

    vault/<address>/<UTC>-<fingerprint>.json     one generation of keys
    vault/<address>/marks.jsonl                  which generation was confirmed or superseded, and when; append-only
    vault/<address>/backups/<UTC>-<sha8>.json    one raw backup

Folders 0700, files 0600; every write is read back (product-needs.md 7, H9, H19). A file that cannot be read hides no
other: it is left out and `problems` names it. Write errors are DiskProblem or VaultProblem.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

from mitherm.errors import SchemaTooNew, StoreError, VaultProblem
from mitherm.model.access import Access
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import KeyGeneration, KeyKind, StoredBackup, UnitBackup
from mitherm.store import documents
from mitherm.store.atomic import append_line, create_durably, private_folder, probe
from mitherm.store.documents import MalformedDocument
from mitherm.store.moments import iso, parse_iso, stamp, utc
from mitherm.store.vault_codec import (
    backup_digest,
    backup_document,
    backup_from,
    generation_document,
    generation_from,
)

_PROBE_SIZE: Final = 128 * 1024
"""A full backup in hex with its sectors stays below this."""
_MARKS: Final = "marks.jsonl"
_BACKUPS: Final = "backups"

_Mark: TypeAlias = Literal["confirmed", "superseded"]
_T = TypeVar("_T")


class Vault:
    """The vault in one folder, which need not exist yet. Not cached: another process may add at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    # --- keys ---------------------------------------------------------------------------------------------------------

    def add(
        self, address: Address, keys: MiKeys, origin: str, now: datetime, *, kind: KeyKind = "mi", note: str = ""
    ) -> KeyGeneration:
        """Make keys durable; returns the newest generation instead if it holds them already."""
        if keys.token is None and keys.bind_key is None:
            raise ValueError("neither token nor bind key")
        generations = [item for item in self.generations(address) if item.kind == kind]
        if generations and generations[-1].superseded is None and _covers(generations[-1].keys, keys):
            return generations[-1]
        created = _after(utc(now), [item.created for item in generations])
        name = f"{stamp(created)}-{keys.fingerprint}"
        generation = KeyGeneration(name, address, keys, origin, created, kind, note)
        private_folder(self._unit(address))
        self._create(self._unit(address) / f"{name}.json", generation_document(generation))
        return generation

    def find(self, address: Address, keys: MiKeys, kind: KeyKind = "mi") -> KeyGeneration | None:
        """The newest generation that holds all of these keys."""
        matches = (
            generation
            for generation in reversed(self.generations(address))
            if generation.kind == kind and _covers(generation.keys, keys)
        )
        return next(matches, None)

    def confirm(self, generation: KeyGeneration, now: datetime) -> KeyGeneration:
        """Note that the unit proved to hold these keys; from now on they are its current ones."""
        self._mark(generation, "confirmed", now)
        return replace(generation, confirmed=utc(now), superseded=None)

    def supersede(self, generation: KeyGeneration, now: datetime) -> KeyGeneration:
        """Note that the unit no longer holds these keys."""
        self._mark(generation, "superseded", now)
        return replace(generation, superseded=utc(now))

    def generations(self, address: Address) -> tuple[KeyGeneration, ...]:
        """All readable generations of a unit, oldest first."""
        generations, _ = self._generations(address)
        return generations

    def access(self, address: Address) -> Access:
        """What these keys open: the one answer to "can we log in", "which keys read it", "what is current"."""
        return Access(self._ranked(address, "mi"), self._ranked(address, "beacon_key"))

    def current(self, address: Address, kind: KeyKind = "mi") -> KeyGeneration | None:
        """The keys the unit most likely holds: the last confirmed, else the newest; None if all were superseded."""
        access = self.access(address)
        return access.current if kind == "mi" else access.current_beacon_key

    # --- backups ------------------------------------------------------------------------------------------------------

    def backup(self, backup: UnitBackup, now: datetime) -> StoredBackup:
        """Make a raw backup durable; returns the newest one instead if that is identical."""
        backups = self.backups(backup.address)
        digest = backup_digest(backup)
        if backups and backup_digest(backups[-1].backup) == digest:
            return backups[-1]
        created = _after(utc(now), [item.created for item in backups])
        stored = StoredBackup(f"{stamp(created)}-{digest[:8]}", backup, created)
        folder = self._unit(backup.address) / _BACKUPS
        private_folder(folder.parent)
        private_folder(folder)
        self._create(folder / f"{stored.id}.json", backup_document(stored))
        return stored

    def backups(self, address: Address) -> tuple[StoredBackup, ...]:
        """All readable backups of a unit, oldest first."""
        errors, _ = self._backups(address)
        return errors

    # --- the whole ----------------------------------------------------------------------------------------------------

    def units(self) -> tuple[Address, ...]:
        """Units of which the vault holds anything."""
        return tuple(sorted(self._units()))

    def problems(self) -> tuple[StoreError, ...]:
        """One error for each file that could not be used: VaultProblem, or SchemaTooNew for a newer mitherm's."""
        errors: list[StoreError] = []
        for address in self.units():
            for _, problems in (self._generations(address), self._marks(address), self._backups(address)):
                errors += problems
        return tuple(errors)

    def copy(self, folder: Path) -> Vault:
        """An independent vault in `folder`, marks and backups and all: what a rehearsal works on."""
        if self._folder.exists():
            shutil.copytree(self._folder, folder)
        return Vault(folder)

    def check_writable(self, address: Address | None = None) -> None:
        """Prove that the next write (about this unit) will succeed; raises DiskProblem. To call before any message."""
        private_folder(self._folder)
        folders = [self._folder]
        if address is not None:
            folders += [self._unit(address), self._unit(address) / _BACKUPS]
        for folder in folders:
            if folder.exists():
                probe(folder, _PROBE_SIZE)

    # ------------------------------------------------------------------------------------------------------------------

    def _ranked(self, address: Address, kind: KeyKind) -> tuple[KeyGeneration, ...]:
        """The likeliest to be in use first: last confirmed, then newest, then superseded ones."""
        order = {name: rank for rank, (name, _, _) in enumerate(self._marks(address)[0])}

        def likelihood(entry: tuple[int, KeyGeneration]) -> tuple[int, int]:
            age, generation = entry
            if generation.superseded is not None:
                return 0, age
            return (1, age) if generation.confirmed is None else (2, order[generation.id])

        entries = enumerate(item for item in self.generations(address) if item.kind == kind)
        return tuple(generation for _, generation in sorted(entries, key=likelihood, reverse=True))

    def _unit(self, address: Address) -> Path:
        return self._folder / address.compact

    def _units(self) -> Iterator[Address]:
        for folder in self._folder.glob("*/"):
            try:
                address = Address.parse(folder.name)
            except ValueError:
                continue
            if folder.name == address.compact and any(folder.rglob("*.json")):
                yield address

    def _create(self, path: Path, document: dict[str, object]) -> None:
        private_folder(self._folder)
        if not create_durably(path, documents.encode(document)):
            raise VaultProblem(f"{path} exists already; nothing in the vault is ever overwritten")

    def _mark(self, generation: KeyGeneration, mark: _Mark, now: datetime) -> None:
        folder = self._unit(generation.address)
        if not (folder / f"{generation.id}.json").exists():
            raise VaultProblem(f"the vault has no generation {generation.id} of {generation.address}")
        line = {"generation": generation.id, "mark": mark, "at": iso(now)}
        append_line(folder / _MARKS, documents.encode_line(line))

    def _generations(self, address: Address) -> tuple[tuple[KeyGeneration, ...], list[StoreError]]:
        generations, problems = _load(
            self._unit(address), lambda document, name: generation_from(document, name, address)
        )
        marks = {name: (mark, at) for name, mark, at in self._marks(address)[0]}
        marked = [
            _marked(generation, *marks[generation.id]) if generation.id in marks else generation
            for generation in generations
        ]
        return tuple(sorted(marked, key=lambda generation: (generation.created, generation.id))), problems

    def _marks(self, address: Address) -> tuple[list[tuple[str, _Mark, datetime]], list[StoreError]]:
        path = self._unit(address) / _MARKS
        marks: list[tuple[str, _Mark, datetime]] = []
        problems: list[StoreError] = []
        try:
            for line in documents.read_lines(path):
                if isinstance(line, SchemaTooNew):
                    problems.append(line)
                    continue
                try:
                    marks.append(_mark_from(line))
                except ValueError as problem:
                    problems.append(VaultProblem(f"{path} is damaged: {problem}"))
        except OSError as problem:
            problems.append(VaultProblem(f"cannot read {path}: {problem.strerror}"))
        return marks, problems

    def _backups(self, address: Address) -> tuple[tuple[StoredBackup, ...], list[StoreError]]:
        folder = self._unit(address) / _BACKUPS
        found, problems = _load(folder, lambda document, name: backup_from(document, name, address))
        return tuple(sorted(found, key=lambda item: (item.created, item.id))), problems


def _load(folder: Path, parse: Callable[[dict[str, Any], str], _T]) -> tuple[list[_T], list[StoreError]]:
    values: list[_T] = []
    problems: list[StoreError] = []
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            values.append(parse(documents.read(path, VaultProblem), path.stem))
        except StoreError as problem:
            problems.append(problem)
        except MalformedDocument as problem:
            problems.append(VaultProblem(f"{path} is damaged: {problem}"))
    return values, problems


def _mark_from(line: dict[str, Any] | MalformedDocument) -> tuple[str, _Mark, datetime]:
    if isinstance(line, MalformedDocument):
        raise line
    name, at = documents.field(line, "generation", str), parse_iso(documents.field(line, "at", str))
    match line.get("mark"):
        case "confirmed":
            return name, "confirmed", at
        case "superseded":
            return name, "superseded", at
    raise MalformedDocument("an unknown mark")


def _marked(generation: KeyGeneration, mark: _Mark, at: datetime) -> KeyGeneration:
    if mark == "confirmed":
        return replace(generation, confirmed=at)
    return replace(generation, superseded=at)


def _covers(marks: MiKeys, keys: MiKeys) -> bool:
    """Whether everything `keys` tells is known already."""
    pairs = ((marks.token, keys.token), (marks.bind_key, keys.bind_key), (marks.did, keys.did))
    return all(new is None or new == old for old, new in pairs)


def _after(now: datetime, earlier: list[datetime]) -> datetime:
    """Now, but later than all earlier ones: a clock set back must not turn old keys into the newest."""
    return max([now, *(moment + timedelta(microseconds=1) for moment in earlier)])
