"""What one unit is, in the shape of the contract."""

from __future__ import annotations

from mitherm.device.observation import Observation
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.look import look
from mitherm.ops.next_step import next_for
from mitherm.ops.target import resolve


async def info(bench: Bench, unit: Address | str) -> dict[str, object]:
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
        "next": next_for(seen, bench.stores.vault.access(seen.address)),
        "hardware": identity.hardware,
        "battery_mv": seen.battery_mv,
        "battery_pct": seen.battery_pct,
        "did": seen.did,
        "confidence": identity.confidence,
        "evidence": list(identity.evidence),
    }
