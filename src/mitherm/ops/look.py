"""Look at a unit over a connection: everything a plan and its guards need, nothing written that has an effect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.device.inspect import glance, inspect_link, is_bound
from mitherm.device.observation import Observation
from mitherm.errors import AttRefused, LinkError, PinRequired
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.target import find
from mitherm.radio.addresses import true_address
from mitherm.radio.link import Link
from mitherm.retry import retry

ATTEMPTS: Final = 3
"""Links before a unit counts as unreadable: one is lost now and then at the edge of the range, three in a row are not."""
_UNPAIRED: Final = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT errors: insufficient authentication, authorisation, key size, encryption."""


@dataclass(frozen=True, slots=True)
class Look:
    """A unit as the radio reported it and as it presented itself."""

    sighting: Sighting
    observation: Observation


async def look(
    bench: Bench, address: Address, *, ask_bound: bool = True, weigh: bool = False, timeout_s: float | None = None
) -> Look:
    """Find, connect, identify.

    `ask_bound`: find out over a second connection whether stock holds keys (V5). `weigh`: see `inspect_link`.
    """

    async def once() -> Look:
        sighting = await find(bench, address, timeout_s)
        observation = await _identified(bench, sighting, address, weigh)
        if ask_bound and observation.family is Family.STOCK and observation.registered is None:
            observation = await _with_bound(bench, sighting, observation)
        return Look(sighting, observation)

    result = await retry(once, LinkError, attempts=ATTEMPTS)
    _remember(bench, address, result.observation)
    return result


async def _identified(bench: Bench, sighting: Sighting, address: Address, weigh: bool) -> Observation:
    async with Link(bench.radio, sighting) as link:
        observation = await inspect_link(link, address, sighting, weigh=weigh)
    return _with_advert(observation, sighting)


def _with_advert(observation: Observation, sighting: Sighting) -> Observation:
    address = true_address(sighting)
    return (
        observation if address is None else replace(observation, proofs=(*observation.proofs, ("advertised", address)))
    )


@asynccontextmanager
async def meet(bench: Bench, address: Address) -> AsyncIterator[tuple[Link, Observation]]:
    """A link, and what is at its other end, known at a glance. Raises PinRequired where the unit wants to be paired."""
    sighting = await find(bench, address)
    async with Link(bench.radio, sighting) as link:
        observation = _with_advert(await glance(link, address, sighting), sighting)
        _remember(bench, address, observation)
        try:
            yield link, observation
        except AttRefused as refusal:
            if refusal.code not in _UNPAIRED:
                raise
            raise PinRequired(
                f"{address} is protected by a PIN", hint=f"pair with its PIN first: bluetoothctl pair {address}"
            ) from refusal


async def _with_bound(bench: Bench, sighting: Sighting, observation: Observation) -> Observation:
    async with Link(bench.radio, sighting) as link:
        return replace(observation, registered=await is_bound(link, bench.entropy))


def _remember(bench: Bench, address: Address, observation: Observation) -> None:
    bench.stores.inventory.note(
        address,
        now=bench.wall(),
        model=observation.identity.model,
        hardware=observation.identity.hardware,
        family=observation.family,
        version=observation.version,
        did=observation.did,
        bound=observation.registered,
        board=Abilities.of(observation).board,
    )
