"""What one unit is, as a connection shows it, and what can be done with it next."""

from __future__ import annotations

from dataclasses import dataclass

from mitherm.device.identify import Confidence
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.ops.bench import Bench
from mitherm.ops.look import look
from mitherm.ops.next_step import NextStep, next_for
from mitherm.ops.target import resolve


@dataclass(frozen=True, slots=True)
class UnitInfo:
    """A unit that was connected to. None means: it did not tell."""

    address: Address
    name: str | None
    """As it advertises itself."""
    rssi_dbm: int | None
    model: str | None
    family: Family
    version: str | None
    bound: bool | None
    """Whether it is registered; only a login tells, where stock firmware hides it."""
    next: NextStep | None
    hardware: str | None
    battery_mv: int | None
    battery_pct: int | None
    did: str | None
    confidence: Confidence
    """How sure model and firmware are."""
    evidence: tuple[str, ...]
    """On what grounds."""


async def info(bench: Bench, unit: Address | str) -> UnitInfo:
    """Resolve, connect, identify. Raises DeviceNotFound and what the link raises."""
    observation = (await look(bench, await resolve(bench, unit))).observation
    identity = observation.identity
    return UnitInfo(
        address=observation.address,
        name=observation.name,
        rssi_dbm=observation.rssi_dbm,
        model=identity.model,
        family=observation.family,
        version=observation.version,
        bound=observation.registered,
        next=next_for(observation, bench.stores.vault.access(observation.address)),
        hardware=identity.hardware,
        battery_mv=observation.battery_mv,
        battery_pct=observation.battery_pct,
        did=observation.did,
        confidence=identity.confidence,
        evidence=identity.evidence,
    )
