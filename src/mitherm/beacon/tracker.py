"""What a receiver remembers: duplicates, replays, downgrades, merged state, the key that fits (beacons.md 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mitherm.beacon import advert
from mitherm.beacon.keyring import KeyRing, RingKey, Sender
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import BeaconError, Flags, MiHeader, Reading, Undecoded

Status = Literal["new", "duplicate", "replay", "downgrade", "boot-zero", "error"]

RESTART_LIMIT: Final = 100
"""A lower 32-bit counter below this is a restart, else a replay."""
BOOT_LIMIT: Final = 16
"""Encrypted MiBeacon frames of pvvx may hold zeros up to this counter."""
SILENCE_S: Final = 30.0
"""Name-only adverts mean a sensor fault once there was no data for this long: scan responses are name-only too."""

_MOST_PAYLOADS: Final = 16
_FAMILY: Final = {
    advert.ENVIRONMENT: 1,
    advert.MIBEACON: 2,
    advert.BTHOME1: 3,
    advert.BTHOME1_ENCRYPTED: 3,
    advert.BTHOME2: 3,
}


@dataclass(slots=True)
class UnitState:
    """Everything known about one unit. `values` is the merged state, since one frame never holds all fields."""

    sender: Sender
    values: dict[str, Any] = field(default_factory=dict)
    updated_s: dict[str, float] = field(default_factory=dict)
    """When each of `values` was last received."""
    seen_s: float = 0.0
    """Any advert."""
    data_s: float | None = None
    """Last reading used."""
    encrypted_s: float | None = None
    """Last encrypted frame, readable or not: for stock firmware the proof of being bound."""
    format: BeaconFormat | None = None
    mi: MiHeader | None = None
    """Head of the last MiBeacon frame, also of unreadable ones: product id, bound or not."""
    key: RingKey | None = None
    """The key that fitted last."""
    rekeyed: bool = False
    """The key that fitted no longer does: re-bound or re-keyed."""
    fault: bool = False
    """The sensor fails: name only (beacons.md 1)."""
    lost: int = 0
    """Measurements missed, by gaps of the packet id (0x181A and BTHome)."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one frame."""

    status: Status
    unit: UnitState
    reading: Reading | None = None
    """The decoded frame, also of frames that are not used."""
    error: BeaconError | None = None
    key: RingKey | None = None

    @property
    def name(self) -> str:
        """The status as beacons.md 8 writes it: `error:no-key`."""
        return f"error:{self.error}" if self.status == "error" else self.status


@dataclass(slots=True)
class _Stream:
    """Last id and the payloads seen with it, per unit, UUID and encryption."""

    last: int | None = None
    payloads: set[bytes] = field(default_factory=set)


@dataclass(slots=True)
class Tracker:
    """Receiver state of all units. `now` is seconds of any monotonic clock."""

    ring: KeyRing = field(default_factory=KeyRing)
    units: dict[Sender, UnitState] = field(default_factory=dict)
    _streams: dict[tuple[Sender, int, bool], _Stream] = field(default_factory=dict)
    _protected: set[tuple[Sender, int]] = field(default_factory=set)
    _addresses: dict[str, Address] = field(default_factory=dict)

    def learn(self, sender: str, address: Address) -> None:
        """Tell the address behind a hidden one. Frames that contain a MAC, or that a key with an owner fits, teach it too."""
        self._addresses[sender] = address
        self.units.pop(sender, None)

    def forget(self, *units: Sender) -> None:
        """Drop everything about units: new firmware, encryption switched off on purpose."""
        gone = set(units)
        for unit in gone:
            self.units.pop(unit, None)
        self._protected = {entry for entry in self._protected if entry[0] not in gone}
        self._streams = {entry: stream for entry, stream in self._streams.items() if entry[0] not in gone}

    def receive(self, sender: Sender, uuid: int, data: bytes, now: float) -> Received:
        """Take one service data structure."""
        address = self._addresses.get(sender) if isinstance(sender, str) else sender
        unit = self.units.get(address or sender)
        decoded, key = self.ring.decode(uuid, data, address, None if unit is None else unit.key)
        if isinstance(decoded, Reading):
            address = decoded.address or address or (None if key is None else key.owner)
        if address is not None and isinstance(sender, str):
            self.learn(sender, address)
        unit = self._unit(address or sender, now)
        if isinstance(decoded, Undecoded):
            return self._failed(unit, decoded, now)
        unit.mi = decoded.mi or unit.mi
        if decoded.authenticated:
            unit.encrypted_s, unit.key, unit.rekeyed = now, key, False
        status = self._judge(unit, uuid, data, decoded)
        if status == "new":
            _merge(unit, decoded, now)
        return Received(status, unit, decoded, None, key)

    def name_only(self, sender: Sender, now: float) -> UnitState | None:
        """An advert with a name but no service data: the unit if its sensor is failing, else None."""
        address = self._addresses.get(sender) if isinstance(sender, str) else sender
        unit = self.units.get(address or sender)
        if unit is None or unit.data_s is None:
            return None
        unit.seen_s = now
        unit.fault = now - unit.data_s > SILENCE_S
        return unit if unit.fault else None

    def _unit(self, identity: Sender, now: float) -> UnitState:
        unit = self.units.get(identity)
        if unit is None:
            unit = self.units[identity] = UnitState(identity)
        unit.seen_s = now
        return unit

    def _failed(self, unit: UnitState, failure: Undecoded, now: float) -> Received:
        unit.mi = failure.mi or unit.mi
        if failure.error in ("no-key", "key-length", "auth-failed"):
            unit.encrypted_s = now
            unit.format = unit.format or failure.format
            unit.rekeyed = unit.key is not None
        return Received("error", unit, None, failure.error)

    def _judge(self, unit: UnitState, uuid: int, data: bytes, reading: Reading) -> Status:
        """Rules 2 to 6 in their order."""
        family = (unit.sender, _FAMILY.get(uuid, 0))
        if reading.authenticated:
            self._protected.add(family)
        elif reading.values and family in self._protected:
            return "downgrade"
        stream = self._streams.setdefault((unit.sender, uuid, reading.encrypted), _Stream())
        number = reading.packet_id if reading.counter is None else reading.counter
        if reading.counter is not None and stream.last is not None and RESTART_LIMIT <= reading.counter < stream.last:
            return "replay"
        if number == stream.last and data in stream.payloads:
            return "duplicate"
        if number != stream.last or number is None or len(stream.payloads) >= _MOST_PAYLOADS:
            stream.payloads.clear()
        if uuid != advert.MIBEACON:
            unit.lost += _gap(stream.last, number, 32 if reading.counter is not None else 8)
        stream.last = number
        stream.payloads.add(data)
        return "boot-zero" if _boot_zero(reading) else "new"


def _gap(last: int | None, number: int | None, bits: int) -> int:
    """Measurements between two ids; a big jump is a restart, not a loss."""
    if last is None or number is None:
        return 0
    step = (number - last) % (1 << bits)
    return step - 1 if 1 < step < 128 else 0


def _boot_zero(reading: Reading) -> bool:
    if reading.mi is None or reading.counter is None or reading.counter >= BOOT_LIMIT:
        return False
    return 0 in (reading.values.get("humidity"), reading.values.get("battery"))


def _merge(unit: UnitState, reading: Reading, now: float) -> None:
    values = dict(reading.values)
    flags = values.pop("flags", None)
    if isinstance(flags, Flags):
        values |= {"opening": flags.reed, "power": flags.output}
    if _unmeasured(reading):
        del values["temperature"], values["humidity"]
    if values:
        unit.values |= values
        unit.updated_s |= dict.fromkeys(values, now)
        unit.data_s, unit.fault = now, False
    unit.format = reading.format


def _unmeasured(reading: Reading) -> bool:
    """The event frame that pvvx sends at power-up, before it measured (beacons.md 2)."""
    if reading.format not in (BeaconFormat.PVVX, BeaconFormat.PVVX_ENC) or reading.packet_id != 1:
        return False
    return not reading.temperature_c and not reading.humidity_pct
