"""Look at a unit over a connection: everything a plan and its guards need, nothing written that has an effect."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mitherm.device.inspect import inspect_link, is_bound
from mitherm.device.observation import Observation
from mitherm.errors import LinkError
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.target import find
from mitherm.radio.addresses import true_address
from mitherm.radio.link import Link

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """A unit as the radio reported it and as it presented itself."""

    sighting: Sighting
    seen: Observation


async def look(
    bench: Bench, address: Address, *, ask_bound: bool = True, weigh: bool = False, timeout_s: float | None = None
) -> Look:
    """Find, connect, identify.

    `ask_bound`: find out over a second connection whether stock holds keys (V5). `weigh`: see `inspect_link`.
    """
    for attempt in range(ATTEMPTS):
        sighting = await find(bench, address, timeout_s)
        try:
            seen = await _once(bench, sighting, address, weigh)
            if ask_bound and seen.family == "stock" and seen.registered is None:
                seen = await _with_bound(bench, sighting, seen)
        except LinkError:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            _remember(bench, address, seen)
            return Look(sighting, seen)
    raise AssertionError("unreachable")


async def _once(bench: Bench, sighting: Sighting, address: Address, weigh: bool) -> Observation:
    async with Link(bench.radio, sighting) as link:
        seen = await inspect_link(link, address, sighting, weigh=weigh)
    told = true_address(sighting)
    proofs = (*seen.proofs, ("advertised", told)) if told is not None else seen.proofs
    return replace(seen, proofs=proofs)


async def _with_bound(bench: Bench, sighting: Sighting, seen: Observation) -> Observation:
    async with Link(bench.radio, sighting) as link:
        return replace(seen, registered=await is_bound(link, bench.entropy))


def _remember(bench: Bench, address: Address, seen: Observation) -> None:
    bench.stores.inventory.note(
        address,
        now=bench.wall(),
        model=seen.identity.model,
        hardware=seen.identity.hardware,
        family=seen.family,
        version=seen.version,
        did=seen.did,
        bound=seen.registered,
    )
