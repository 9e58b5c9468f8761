"""Beacons as an asynchronous iterator, and what every listener needs: keys of the vault, times of reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.model.report import Report
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.streams import Streams
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
    streams = Streams(key_ring({**all_keys(bench.stores.vault), **(keys or {})}), known=known.get)
    wall, deadline = wall_clock(bench), None if duration_s is None else bench.clock() + duration_s
    async with bench.radio.sightings() as sightings:
        while True:
            try:
                async with asyncio.timeout_at(
                    deadline
                ):  # around this alone: the caller's own work is not to be cut off
                    sighting = await anext(sightings)
            except (TimeoutError, StopAsyncIteration):
                return
            report = streams.hear(sighting, wall(sighting.at_s))
            news = [] if report is None else [report]
            for one in (*streams.tick(sighting.at_s, wall(sighting.at_s)), *news):
                if every_event or one.event == "reading":
                    yield one


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
