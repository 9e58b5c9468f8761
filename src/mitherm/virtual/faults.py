"""Faults as data: what goes wrong with which message (virtual-unit.md 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from mitherm.errors import SettingsError

KINDS: Final = ("lose", "delay", "garble", "disconnect", "reset", "power_cut", "battery")
_PLACES: Final = ("connect", "flash", "after-ota")
_MESSAGES: Final = ("write", "notify", "read")
_OPTIONS: Final = {
    "delay": frozenset({"ms"}),
    "battery": frozenset({"mv"}),
    "power_cut": frozenset({"byte"}),
    "reset": frozenset({"dark"}),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` happens at the `n`-th event of `at`, counted from 1; n = 0 means every one."""

    kind: str
    at: str
    n: int = 1
    ms: int = 0
    mv: int = 0
    byte: int = 0
    dark: bool = False

    def fits(self, event: str) -> bool:
        """Whether `event` (`write:<uuid>`, `flash`, ...) is of the sort this fault waits for.

        The UUID may be written in full, as four hex digits, or as any beginning or end of the full form; `*` is all.
        """
        if self.at == event:
            return True
        place, _, characteristic = self.at.partition(":")
        kind, _, uuid = event.partition(":")
        if place != kind or not characteristic:
            return False
        characteristic = characteristic.lower()
        return (
            characteristic == "*"
            or uuid.startswith((characteristic, f"0000{characteristic}-"))
            or uuid.endswith(characteristic)
        )

    def to_table(self) -> dict[str, object]:
        """The form of state.toml."""
        table: dict[str, object] = {"at": self.at, "n": self.n}
        for name in _OPTIONS.get(self.kind, ()):
            table[name] = getattr(self, name)
        return table


@dataclass(slots=True)
class FaultTable:
    """The faults of one unit, with the counters of the events seen. A fault with n > 0 happens once and is used up."""

    faults: list[Fault] = field(default_factory=list)
    _seen: dict[Fault, int] = field(default_factory=dict)

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> Self:
        """From the `[faults]` section; raises SettingsError for what it does not know."""
        faults = []
        for kind, entries in tables.items():
            if kind not in KINDS:
                raise SettingsError(f"unknown fault {kind!r}", hint=f"faults are {', '.join(KINDS)}")
            if not isinstance(entries, list):
                raise SettingsError(f"faults.{kind} must be a list of tables")
            faults += [_fault(kind, entry) for entry in entries]
        return cls(faults)

    def to_tables(self) -> dict[str, list[dict[str, object]]]:
        """The `[faults]` section: what has not happened yet."""
        tables: dict[str, list[dict[str, object]]] = {}
        for fault in self.faults:
            tables.setdefault(fault.kind, []).append(fault.to_table())
        return tables

    def meet(self, event: str) -> Iterable[Fault]:
        """Count `event` and give the faults that happen at it, each consumed when it was for one event only."""
        if not self.faults:
            return ()
        due = []
        for fault in [fault for fault in self.faults if fault.fits(event)]:
            self._seen[fault] = self._seen.get(fault, 0) + 1
            if fault.n in (0, self._seen[fault]):
                due.append(fault)
                if fault.n:
                    self.faults.remove(fault)
        return due


def fault_from_text(kind: str, text: str) -> Fault:
    """From the command line: `AT,n=N,...`. Raises SettingsError, ValueError."""
    if kind not in KINDS:
        raise SettingsError(f"unknown fault {kind!r}", hint=f"faults are {', '.join(KINDS)}")
    at, *pairs = text.split(",")
    entry: dict[str, object] = {"at": at}
    for pair in pairs:
        key, _, value = pair.partition("=")
        entry[key] = value == "true" if key == "dark" else int(value)
    return _fault(kind, entry)


def _fault(kind: str, entry: Any) -> Fault:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("at"), str):
        raise SettingsError(f"faults.{kind}: each fault is a table with `at` and `n`")
    place = entry["at"].partition(":")[0]
    if place not in _PLACES and not (place in _MESSAGES and ":" in entry["at"]):
        raise SettingsError(
            f"faults.{kind}: unknown place {entry['at']!r}",
            hint="places are write:<uuid>, notify:<uuid>, read:<uuid>, connect, flash, after-ota",
        )
    names = {"at", "n"} | _OPTIONS.get(kind, frozenset())
    if unknown := set(entry) - names:
        raise SettingsError(
            f"faults.{kind}: unknown key {sorted(unknown)[0]!r}", hint=f"known: {', '.join(sorted(names))}"
        )
    return Fault(kind, **entry)
