"""What a receiver remembers: which unit sent a frame, with which key, and what became of it (beacons.md 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mitherm.beacon.keyring import KeyRing, RingKey, Sender
from mitherm.beacon.unit_state import LOCKED, Status, UnitState
from mitherm.model.address import Address
from mitherm.model.reading import BeaconError, DecodeFailure, Reading, Value

SILENCE_S: Final = 30.0
"""Name-only adverts mean a sensor fault once there was no data for this long: scan responses are name-only too."""
MOST_ADDRESSES: Final = 4000
"""Names of the system with a known address; where addresses are not hidden that is everything on the air."""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What became of one frame."""

    status: Status
    unit: UnitState
    reading: Reading | None = None
    """The decoded frame, also of frames that are not used."""
    error: BeaconError | None = None
    key: RingKey | None = None
    fresh: Mapping[str, Value] = field(default_factory=dict)
    """What was merged into the state of the unit."""

    @property
    def name(self) -> str:
        """The status as beacons.md 8 writes it: `error:no-key`."""
        return f"error:{self.error}" if self.status == "error" else self.status

    @property
    def is_locked(self) -> bool:
        """Encrypted, and no key at hand opens it."""
        return self.error in LOCKED

    @property
    def is_impossible(self) -> bool:
        """A new frame that told nothing but what no thermometer can have measured."""
        return self.status == "new" and self.reading is not None and bool(self.reading.values) and not self.fresh


@dataclass(slots=True)
class Tracker:
    """Receiver state of all units. `now` is seconds of any monotonic clock."""

    ring: KeyRing = field(default_factory=KeyRing)
    units: dict[Sender, UnitState] = field(default_factory=dict)
    addresses: dict[str, Address] = field(default_factory=dict)
    """What the system calls a unit to its address."""

    def learn(self, sender: str, address: Address) -> None:
        """Tell the address behind a name of the system; what was noted under the name moves along.

        Frames that contain a MAC, or that a key with an owner fits, teach it too.
        """
        if len(self.addresses) >= MOST_ADDRESSES:
            self.addresses.clear()
        self.addresses[sender] = address
        state = self.units.pop(sender, None)
        if state is not None and address not in self.units:
            state.sender = address
            self.units[address] = state

    def forget(self, *units: Sender) -> None:
        """Drop everything about units: new firmware, encryption switched off on purpose."""
        for unit in units:
            self.units.pop(unit, None)

    def receive(self, sender: Sender, uuid: int, data: bytes, now: float) -> FrameResult:
        """Take one service data structure."""
        address = self._address(sender)
        unit = self.units.get(address or sender)
        decoded, key = self.ring.decode(uuid, data, address, None if unit is None else unit.key)
        identity = decoded.address or address or (None if key is None else key.owner)
        if identity is not None and isinstance(sender, str):
            self.learn(sender, identity)
        unit = self.unit(identity or sender, now)
        if decoded.format is not None:
            unit.formats.add(decoded.format)
        if isinstance(decoded, DecodeFailure):
            unit.note_failure(decoded, data, now)
            return FrameResult("error", unit, None, decoded.error)
        return _judged(unit, uuid, data, decoded, key, now)

    def name_only(self, sender: Sender, now: float) -> UnitState | None:
        """An advert with a name but no service data: the unit if its sensor is failing, else None."""
        unit = self.units.get(self._address(sender) or sender)
        if unit is None or unit.data_s is None:
            return None
        unit.seen_s = now
        unit.fault = now - unit.data_s > SILENCE_S
        return unit if unit.fault else None

    def unit(self, identity: Sender, now: float) -> UnitState:
        """The state of a unit that is heard now; a new one where there is none yet."""
        unit = self.units.get(identity)
        if unit is None:
            unit = self.units[identity] = UnitState(identity)
        unit.seen_s = now
        return unit

    def _address(self, sender: Sender) -> Address | None:
        return self.addresses.get(sender) if isinstance(sender, str) else sender


def _judged(unit: UnitState, uuid: int, data: bytes, reading: Reading, key: RingKey | None, now: float) -> FrameResult:
    unit.mi = reading.mi or unit.mi
    if key is not None:
        unit.note_key(key, now)
    status = unit.judge(uuid, data, reading)
    unit.opened += key is not None and status != "duplicate"
    return FrameResult(status, unit, reading, None, key, unit.merge(reading, now) if status == "new" else _NOTHING)


_NOTHING: Final[Mapping[str, Value]] = {}
