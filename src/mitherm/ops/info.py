"""What one unit is, in the shape of the contract."""

from __future__ import annotations

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.model.family import Family
from mitherm.ops.bench import Bench
from mitherm.ops.look import look
from mitherm.ops.target import resolve


async def info(bench: Bench, unit: str) -> dict[str, object]:
    """Resolve, connect, identify. Raises DeviceNotFound and what the link raises."""
    address = await resolve(bench, unit)
    return describe_unit(bench, (await look(bench, address)).seen)


def describe_unit(bench: Bench, seen: Observation) -> dict[str, object]:
    """`result.unit` of `info`."""
    identity = seen.identity
    return {
        "address": str(seen.address),
        "name": seen.name,
        "rssi_dbm": seen.rssi_dbm,
        "model": identity.model,
        "firmware": {"family": seen.family.shown, "version": seen.version},
        "beacon_format": None,
        "bound": seen.registered,
        "reading": None,
        "next": _next(bench, seen),
        "hardware": identity.hardware,
        "battery_mv": seen.battery_mv,
        "battery_pct": seen.battery_pct,
        "did": seen.did,
        "confidence": identity.confidence,
        "evidence": list(identity.evidence),
    }


def _next(bench: Bench, seen: Observation) -> str | None:
    if seen.family.custom:
        return "flash"
    if seen.family is not Family.STOCK:
        return None
    if seen.registered is not False and bench.stores.vault.current(seen.address) is not None:
        return "login"
    if Abilities.of(seen).needs_account or seen.registered:
        return "keys-needed"
    return "activate"
