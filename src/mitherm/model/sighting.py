"""One advertising report as the radio gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sighting:
    """A report about one unit; on some systems service data of several adverts accumulate (test-rig.md 4.1)."""

    address: str
    """What the operating system calls the unit: the Bluetooth address, on macOS a UUID."""
    name: str | None
    rssi_dbm: int | None
    service_data: Mapping[str, bytes]
    """128-bit UUID in lower case to service data without the UUID."""
    at_s: float
    """Time of the report on the event loop's clock, seconds."""
    service_uuids: tuple[str, ...] = ()
    fresh: frozenset[str] = frozenset()
    """Keys of `service_data` whose bytes differ from this unit's previous report; the others may be stale."""
    handle: object = field(default=None, compare=False, repr=False)
    """What the radio needs to connect to this unit (bleak's BLEDevice); opaque to everybody else."""
