"""From what the user typed to one unit: an address in any spelling, an inventory name, an advertised name."""

from __future__ import annotations

from contextlib import aclosing

from mitherm.errors import DeviceNotFound, UsageProblem
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.listen import adverts
from mitherm.ops.hearing.receiver import Receiver
from mitherm.store.inventory import Inventory

NAME_SCAN_S = 10.0


async def resolve(bench: Bench, unit: Address | str) -> Address:
    """The address of the unit meant. Raises DeviceNotFound, or UsageProblem when a name fits several units."""
    if isinstance(unit, Address):
        return unit
    address = named(bench.stores.inventory, unit) or _only(await _advertised(bench, unit), unit)
    if address is None:
        raise DeviceNotFound(f"no unit is called {unit!r}", hint="`mitherm scan` lists names and addresses")
    return address


def noted(inventory: Inventory, unit: Address | str) -> Address:
    """The same where nobody listens: an address or a name of the inventory. Raises DeviceNotFound, UsageProblem."""
    address = unit if isinstance(unit, Address) else named(inventory, unit)
    if address is None:
        raise DeviceNotFound(
            f"the inventory has no unit called {unit!r}",
            hint="name the address; `mitherm inventory list` shows what is known",
        )
    return address


def named(inventory: Inventory, text: str) -> Address | None:
    """The address meant by an address or inventory name; None where only listening could tell. Raises UsageProblem."""
    try:
        return Address.parse(text)
    except ValueError:
        return _only({unit.address for unit in inventory.by_name(text)}, text)


def _only(matches: set[Address], text: str) -> Address | None:
    if len(matches) > 1:
        raise UsageProblem(
            f"{len(matches)} units are called {text!r}: {', '.join(sorted(map(str, matches)))}",
            hint="name the address, so that the right one is changed",
        )
    return next(iter(matches), None)


async def _advertised(bench: Bench, name: str) -> set[Address]:
    """Everything that advertises this name within a fixed time: stopping at the first could hide a second one."""
    receiver = Receiver(keep=lambda sender, advertised: advertised == name)
    async with aclosing(adverts(bench, min(NAME_SCAN_S, bench.timeout_s))) as sightings:
        async for sighting in sightings:
            receiver.take(sighting)
    return {unit.address for unit in receiver.units.values() if unit.name == name and unit.address is not None}


async def find(bench: Bench, address: Address, timeout_s: float | None = None) -> Sighting:
    """The next report of a unit. Raises DeviceNotFound."""
    return await bench.radio.find(address, bench.timeout_s if timeout_s is None else timeout_s)
