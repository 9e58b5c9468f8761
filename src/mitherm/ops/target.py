"""From what the user typed to one unit: an address in any spelling, an inventory name, an advertised name."""

from __future__ import annotations

from mitherm.errors import DeviceNotFound, UsageProblem
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.radio.addresses import true_address
from mitherm.store.inventory import Inventory

NAME_SCAN_S = 10.0


async def resolve(bench: Bench, text: str) -> Address:
    """The address meant by `text`. Raises DeviceNotFound, or UsageProblem when a name fits several units."""
    address = named(bench.stores.inventory, text) or _only(await _advertised(bench, text), text)
    if address is None:
        raise DeviceNotFound(f"no unit is called {text!r}", hint="`mitherm scan` lists names and addresses")
    return address


def named(inventory: Inventory, text: str) -> Address | None:
    """The address meant by an address or inventory name; None where only listening could tell. Raises UsageProblem."""
    try:
        return Address.parse(text)
    except ValueError:
        return _only({unit.address for unit in inventory.by_name(text)}, text)


def _only(known: set[Address], text: str) -> Address | None:
    if len(known) > 1:
        raise UsageProblem(
            f"{len(known)} units are called {text!r}: {', '.join(sorted(map(str, known)))}",
            hint="name the address, so that the right one is changed",
        )
    return next(iter(known), None)


async def _advertised(bench: Bench, name: str) -> set[Address]:
    """Everything that advertises this name within a fixed time: stopping at the first could hide a second one."""
    found: set[Address] = set()
    for sighting in await collect(bench, min(NAME_SCAN_S, bench.timeout_s)):
        address = true_address(sighting)
        if sighting.name == name and address is not None:
            found.add(address)
    return found


async def collect(bench: Bench, duration_s: float) -> list[Sighting]:
    """All reports of `duration_s` seconds."""
    import asyncio
    from contextlib import suppress

    seen: list[Sighting] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s), bench.radio.sightings() as sightings:
            async for sighting in sightings:
                seen.append(sighting)  # noqa: PERF401  an async comprehension would lose everything at the timeout
    return seen


async def find(bench: Bench, address: Address, timeout_s: float | None = None) -> Sighting:
    """The next report of a unit. Raises DeviceNotFound."""
    return await bench.radio.find(address, bench.timeout_s if timeout_s is None else timeout_s)
