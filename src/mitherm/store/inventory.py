"""The inventory: which units exist, what they are called and what was last known about them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mitherm.errors import DiskProblem
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.store import documents
from mitherm.store.atomic import make_folder, one_at_a_time, write_durably
from mitherm.store.documents import MalformedDocument, optional
from mitherm.store.moments import iso, parse_iso, utc

_DAMAGED: Final = "Repair it, or rename it and a new one is begun. Keys are not in it."


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """What is known about a unit; None where nothing is."""

    address: Address
    name: str | None = None
    """The user's name for it; several units may have the same."""
    model: str | None = None
    hardware: str | None = None
    family: Family | None = None
    version: str | None = None
    did: str | None = None
    bound: bool | None = None
    last_seen: datetime | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Host to what its operating system calls the unit (a UUID on macOS)."""
    board: str | None = None
    """Revision of the circuit board, as decided when the unit told it; `hardware` is what it said."""


class Inventory:
    """The inventory in one file, which need not exist yet. Reading raises DiskProblem if it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def units(self) -> tuple[KnownUnit, ...]:
        """All units by address."""
        return tuple(unit for _, unit in sorted(self._load().items()))

    def get(self, address: Address) -> KnownUnit | None:
        """One unit."""
        return self._load().get(address)

    def by_name(self, name: str) -> tuple[KnownUnit, ...]:
        """All units of that name, whatever the case; more than one is for the caller to settle."""
        lowered = name.casefold()
        return tuple(unit for unit in self.units() if unit.name is not None and unit.name.casefold() == lowered)

    def by_alias(self, host: str, alias: str) -> KnownUnit | None:
        """The unit that the operating system of `host` calls `alias`."""
        return next((unit for unit in self.units() if unit.aliases.get(host) == alias), None)

    def note(
        self,
        address: Address,
        *,
        now: datetime,
        model: str | None = None,
        hardware: str | None = None,
        family: Family | None = None,
        version: str | None = None,
        did: str | None = None,
        bound: bool | None = None,
        board: str | None = None,
    ) -> KnownUnit:
        """The unit was seen; what is None stays as it was, but a version belongs to its family."""
        observed = {
            "model": model,
            "hardware": hardware,
            "family": family,
            "version": version,
            "did": did,
            "bound": bound,
            "board": board,
        }

        def learn(unit: KnownUnit) -> KnownUnit:
            if family is not None and family != unit.family:
                unit = replace(unit, version=None)
            facts: dict[str, Any] = {name: fact for name, fact in observed.items() if fact is not None}
            return replace(unit, **facts, last_seen=utc(now))

        return self._change(address, learn)

    def set_name(self, address: Address, name: str | None) -> KnownUnit:
        """Call the unit so, or take its name away."""
        return self._change(address, lambda unit: replace(unit, name=name))

    def set_alias(self, address: Address, host: str, alias: str) -> KnownUnit:
        """Remember what `host` calls the unit."""
        return self._change(address, lambda unit: replace(unit, aliases={**unit.aliases, host: alias}))

    def copy(self, path: Path) -> Inventory:
        """An independent inventory that begins with what is in this one."""
        if self._path.exists():
            shutil.copyfile(self._path, path)
        return Inventory(path)

    def _change(self, address: Address, change: Callable[[KnownUnit], KnownUnit]) -> KnownUnit:
        make_folder(self._path.parent)
        with one_at_a_time(self._path):
            units = self._load()
            units[address] = change(units.get(address, KnownUnit(address)))
            write_durably(self._path, documents.encode({"units": [_row(unit) for _, unit in sorted(units.items())]}))
        return units[address]

    def _load(self) -> dict[Address, KnownUnit]:
        if not self._path.exists():
            return {}
        try:
            document = documents.read(self._path, DiskProblem)
            units = [_unit(row) for row in documents.field(document, "units", list)]
        except ValueError as problem:
            raise DiskProblem(f"{self._path} is damaged: {problem}", hint=_DAMAGED) from None
        except DiskProblem as problem:
            problem.hint = _DAMAGED
            raise
        return {unit.address: unit for unit in units}


def _row(unit: KnownUnit) -> dict[str, object]:
    return {
        "address": str(unit.address),
        "name": unit.name,
        "model": unit.model,
        "hardware": unit.hardware,
        "family": unit.family,
        "version": unit.version,
        "did": unit.did,
        "bound": unit.bound,
        "last_seen": iso(unit.last_seen) if unit.last_seen else None,
        "aliases": dict(unit.aliases),
        "board": unit.board,
    }


def _unit(row: object) -> KnownUnit:
    if not isinstance(row, dict):
        raise MalformedDocument("a unit is no object")
    texts = ("name", "model", "hardware", "version", "did", "board")
    family = optional(row, "family", str)
    seen = optional(row, "last_seen", str)
    return KnownUnit(
        Address.parse(documents.field(row, "address", str)),
        **{name: optional(row, name, str) for name in texts},
        family=Family.of(family) if family is not None else None,
        bound=optional(row, "bound", bool),
        last_seen=parse_iso(seen) if seen is not None else None,
        aliases={str(host): str(alias) for host, alias in (optional(row, "aliases", dict) or {}).items()},
    )
