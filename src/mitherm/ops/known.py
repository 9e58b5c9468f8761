"""What is known without a look at a unit: the inventory, the names in it, the journal."""

from __future__ import annotations

from dataclasses import dataclass

from mitherm.errors import UsageProblem
from mitherm.model.address import Address
from mitherm.ops.bench import Stores
from mitherm.ops.target import noted
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Run


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """A unit with the name it has now, and whether that is a change."""

    unit: KnownUnit
    changed: bool


def known_units(stores: Stores) -> tuple[KnownUnit, ...]:
    """Every unit that was ever looked at or named, by address. Raises DiskProblem."""
    return stores.inventory.units()


def name_unit(stores: Stores, unit: Address | str, name: str) -> NamedUnit:
    """Call a unit `name`, which every operation takes from then on; an empty name takes it away.

    Raises UsageProblem for a name that another unit has, that looks like an address, or that cannot be printed.
    """
    address, name = noted(stores.inventory, unit), _checked(name)
    others = [str(other.address) for other in stores.inventory.by_name(name) if other.address != address]
    if name and others:
        raise UsageProblem(f"{', '.join(others)} is called {name!r} already", hint="choose another name")
    known = stores.inventory.get(address)
    if known is not None and (known.name or "") == name:
        return NamedUnit(known, changed=False)
    return NamedUnit(stores.inventory.set_name(address, name or None), changed=known is not None or bool(name))


def _checked(name: str) -> str:
    text = name.strip()
    try:
        Address.parse(text)
    except ValueError:
        if text.isprintable():
            return text
        raise UsageProblem("a name consists of printable characters") from None
    raise UsageProblem(f"{text!r} is an address, not a name")


def journal(stores: Stores, unit: Address | str | None = None, *, limit: int | None = None) -> tuple[Run, ...]:
    """What was done, to all units or one, the newest last; `limit`: only so many. Raises DiskProblem."""
    runs = stores.journal.runs(address=noted(stores.inventory, unit) if unit is not None else None)
    return runs[-(limit or len(runs)) :]
