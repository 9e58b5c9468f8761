"""Listening to the air (V1): what adverts tell about each unit, without a connection."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass

from mitherm.errors import RadioUnavailable
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.evidence import Air
from mitherm.ops.hearing.advertiser import Advertiser
from mitherm.ops.hearing.listen import adverts
from mitherm.ops.hearing.receiver import Receiver


@dataclass(slots=True)
class Listening:
    """Everything heard so far. `problem`: the radio could not be used."""

    receiver: Receiver
    listened_s: float = 0.0
    problem: RadioUnavailable | None = None

    def sighting(self, address: Address) -> Sighting | None:
        """The last report of a unit, None where it was not heard."""
        unit = self.receiver.units.get(address)
        return None if unit is None else unit.sighting

    def air(self, address: Address | None) -> Air:
        """What is known about one unit, or about the air alone."""
        unit = None if address is None else self.receiver.units.get(address)
        if unit is None:
            return Air(self.listened_s, self.receiver.adverts)
        return _air(unit, self.listened_s, self.receiver.adverts - unit.pulse.count)


def _air(unit: Advertiser, listened_s: float, others: int) -> Air:
    state, pulse = unit.state, unit.pulse
    volts = state.values.get("voltage")
    return Air(
        listened_s=listened_s,
        others=others,
        adverts=pulse.count,
        name=unit.name,
        formats=frozenset(state.formats),
        rssi_dbm=pulse.level_dbm,
        interval_s=None if pulse.interval_s is None else round(pulse.interval_s, 2),
        idle_mv=round(volts * 1000) if isinstance(volts, int | float) else None,
        encrypted=state.opened + state.locked,
        decrypted=state.opened,
    )


async def listen(bench: Bench, listening: Listening, duration_s: float, missing: Iterable[Address] = ()) -> None:
    """Add what is heard in `duration_s` seconds; where units are `missing`, stop as soon as all of these were heard."""
    awaited, start = set(missing), bench.clock()
    try:
        async with aclosing(adverts(bench, duration_s)) as sightings:
            async for sighting in sightings:
                listening.receiver.take(sighting)
                if awaited and awaited <= listening.receiver.units.keys():
                    break
    except RadioUnavailable as problem:
        listening.problem = problem
    listening.listened_s += bench.clock() - start
