"""Reports and sightings for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.report import Report
from mitherm.model.sighting import Sighting
from mitherm.primitives.secret import Secret
from mitherm.publish.sink import Counters

A = Address.parse("A4:C1:38:0A:0B:0C")
B = Address.parse("A4:C1:38:0A:0B:0D")
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def uuid(number: int) -> str:
    """A 16-bit UUID as radios give it."""
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


def sighting(
    at_s: float,
    data: dict[int, bytes],
    *,
    sender: str = str(A),
    name: str | None = None,
    fresh: set[int] | None = None,
    rssi_dbm: int | None = -60,
) -> Sighting:
    """A report of the radio; all data are fresh unless told otherwise."""
    keys = frozenset(map(uuid, data if fresh is None else fresh))
    return Sighting(sender, name, rssi_dbm, {uuid(key): value for key, value in data.items()}, at_s, fresh=keys)


def moment(at_s: float) -> datetime:
    """The present moment `at_s` seconds into a test."""
    return BEGUN + timedelta(seconds=at_s)


class StillGateway:
    """What sinks are told where no monitor runs."""

    def __init__(self, counters: Counters | None = None, ages: Mapping[str, float] | None = None) -> None:
        self.reloads = 0
        self._counters = counters or {}
        self._ages = ages or {}

    def counters(self) -> Counters:
        """See Gateway."""
        return self._counters

    def ages(self) -> Mapping[str, float]:
        """See Gateway."""
        return self._ages

    def reload(self) -> None:
        """See Gateway."""
        self.reloads += 1


def report(values: dict[str, Any] | None = None, **more: Any) -> Report:
    """A reading of unit A that brought `values`."""
    values = {"temperature": 21.37, "humidity": 45.12} if values is None else values
    given = {
        "unit": str(A),
        "address": A,
        "event": "reading",
        "at": BEGUN,
        "family": Family.PVVX,
        "format": BeaconFormat.PVVX,
    }
    return Report(**(given | {"name": "ATC_0A0B0C", "values": values, "received": values, "rssi_dbm": -60} | more))


def ring(*keys: tuple[bytes, Address]) -> KeyRing:
    """Keys with their owners, oldest first."""
    found = KeyRing()
    for key, owner in keys:
        found.add(BeaconKey(Secret(key)), owner)
    return found
