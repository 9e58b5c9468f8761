"""Beacons as an asynchronous iterator, and what every listener needs: adverts, keys of the vault, times of reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.model.report import Report
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.receiver import Receiver
from mitherm.primitives.secret import Secret
from mitherm.store.vault import Vault

Keys = Mapping[Address, Sequence[Secret]]
"""Bind keys of each unit, the likeliest first."""


async def listen(
    bench: Bench, *, duration_s: float | None = None, keys: Keys | None = None, every_event: bool = False
) -> AsyncIterator[Report]:
    """Every reading of every unit, with the keys of the vault and `keys`; endless without a duration.

    `every_event`: also that a unit was first seen, fell silent, cannot be read, has a broken sensor. Raises
    RadioUnavailable.
    """
    known = {unit.address: unit for unit in bench.stores.inventory.units()}
    receiver = Receiver(key_ring({**all_keys(bench.stores.vault), **(keys or {})}), known=known.get)
    wall = wall_clock(bench)
    async with aclosing(adverts(bench, duration_s)) as sightings:
        async for sighting in sightings:
            at = wall(sighting.at_s)
            report = receiver.hear(sighting, at)
            for news in (*receiver.tick(sighting.at_s, at), *(() if report is None else (report,))):
                if every_event or news.event == "reading":
                    yield news


async def adverts(bench: Bench, duration_s: float | None) -> AsyncGenerator[Sighting, None]:
    """Everything the radio reports within `duration_s` seconds. Raises RadioUnavailable. Close it: it holds a scan."""
    deadline = None if duration_s is None else bench.clock() + duration_s
    async with bench.radio.sightings() as sightings:
        while True:
            try:
                async with asyncio.timeout_at(
                    deadline
                ):  # around this alone: the reader's own work is not to be cut off
                    sighting = await anext(sightings)
            except (TimeoutError, StopAsyncIteration):
                return
            yield sighting


def all_keys(vault: Vault) -> Keys:
    """Every bind key of every generation of every unit. Raises StoreError."""
    return {address: vault.access(address).bind_keys for address in vault.units()}


def key_ring(keys: Keys) -> KeyRing:
    """A unit's likeliest key comes last, since the ring tries the newest first."""
    ring = KeyRing()
    for address, secrets in keys.items():
        for secret in reversed(secrets):
            ring.add(BeaconKey(secret), address)
    return ring


def wall_clock(bench: Bench) -> Callable[[float], datetime]:
    """From times of the loop's clock to moments. Simulated time has no clock on the wall but its own."""
    began, began_s = bench.wall(), bench.clock()
    if bench.radio.simulated:
        return lambda at_s: began + timedelta(seconds=at_s - began_s)
    return lambda at_s: bench.wall()
