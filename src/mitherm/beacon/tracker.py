"""What a receiver remembers: duplicates, replays, downgrades, merged state, the key that fits (beacons.md 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mitherm.beacon import advert
from mitherm.beacon.keyring import KeyRing, RingKey, Sender
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import BeaconError, Flags, MiHeader, Reading, Undecoded, Value, is_possible
from mitherm.model.report import KeyState

Status: TypeAlias = Literal["new", "duplicate", "replay", "downgrade", "boot-zero", "error"]

RESTART_LIMIT: Final = 100
"""A lower 32-bit counter below this is a restart, else a replay: units begin at 0 after a change of the battery, and
hardly anybody hears their first hundred measurements (17 minutes) less than once."""
BOOT_LIMIT: Final = 16
"""Encrypted MiBeacon frames of pvvx may hold zeros up to this counter (beacons.md 6.6)."""
SILENCE_S: Final = 30.0
"""Name-only adverts mean a sensor fault once there was no data for this long: scan responses are name-only too."""
MOST_ADDRESSES: Final = 4000
"""Names of the system with a known address; where addresses are not hidden that is everything on the air."""

_MOST_PAYLOADS: Final = 16
"""Different payloads of one id. pvvx sends two (beacons.md 7.3); the limit is against a flood under one id."""
_GAP_BITS: Final = {True: 32, False: 8}
"""Length of the id: a counter of encrypted frames, else a packet id."""
_LONGEST_GAP: Final = 128
"""Half of the range of a packet id: a bigger jump is a restart, not a loss."""
_FAMILY: Final = {
    advert.ENVIRONMENT: 1,
    advert.MIBEACON: 2,
    advert.BTHOME1: 3,
    advert.BTHOME1_ENCRYPTED: 3,
    advert.BTHOME2: 3,
}
"""Formats that protect each other against a downgrade."""
_LOCKED: Final[dict[BeaconError, KeyState]] = {"no-key": "missing", "auth-failed": "wrong", "key-length": "wrong"}
"""Errors of encrypted frames, and what they say about the keys at hand."""


@dataclass(slots=True)
class _Sequence:
    """Frames of one unit, UUID and encryption: the last id, and the payloads that came with it."""

    last: int | None = None
    payloads: set[bytes] = field(default_factory=set)

    def is_replay(self, counter: int | None) -> bool:
        """Rule 3."""
        return counter is not None and self.last is not None and RESTART_LIMIT <= counter < self.last

    def has(self, number: int | None, data: bytes) -> bool:
        """Rule 4: whether this frame came before."""
        return number == self.last and data in self.payloads

    def gap(self, number: int | None, bits: int) -> int:
        """Measurements between the last frame and this one."""
        if self.last is None or number is None:
            return 0
        step = (number - self.last) % (1 << bits)
        return step - 1 if 1 < step < _LONGEST_GAP else 0

    def add(self, number: int | None, data: bytes) -> None:
        """A new id empties the set; a frame without any id is a duplicate of the previous one only."""
        if number != self.last or number is None or len(self.payloads) >= _MOST_PAYLOADS:
            self.payloads.clear()
        self.last = number
        self.payloads.add(data)


@dataclass(slots=True)
class UnitState:
    """Everything known about one unit. `values` is the merged state, since one frame never holds all fields."""

    sender: Sender
    values: dict[str, Value] = field(default_factory=dict)
    updated_s: dict[str, float] = field(default_factory=dict)
    """When each of `values` was last received."""
    packet_id: int | None = None
    """Of the last frame that brought values."""
    seen_s: float = 0.0
    """Any advert."""
    data_s: float | None = None
    """Last reading used."""
    encrypted_s: float | None = None
    """Last encrypted frame, readable or not: for stock firmware the proof of being bound."""
    format: BeaconFormat | None = None
    formats: set[BeaconFormat] = field(default_factory=set)
    """All formats received, also of frames that could not be read."""
    mi: MiHeader | None = None
    """Head of the last MiBeacon frame, also of unreadable ones: product id, bound or not."""
    key: RingKey | None = None
    """The key that fitted last."""
    key_state: KeyState = "unneeded"
    opened: int = 0
    """Encrypted frames that a key opened, duplicates left out."""
    locked: int = 0
    """Encrypted frames that no key opened, repetitions left out."""
    fault: bool = False
    """The sensor fails: name only (beacons.md 1)."""
    lost: int = 0
    """Measurements missed, by gaps of the packet id (0x181A and BTHome)."""
    _sequences: dict[tuple[int, bool], _Sequence] = field(default_factory=dict)
    _authenticated: set[int] = field(default_factory=set)
    """Families of formats that the unit encrypts: plain measurements in these are a downgrade."""
    _locked_payloads: deque[bytes] = field(default_factory=lambda: deque(maxlen=_MOST_PAYLOADS))

    @property
    def rekeyed(self) -> bool:
        """The key that fitted no longer does: re-bound or re-keyed."""
        return self.key_state == "changed"

    def note_failure(self, failure: Undecoded, data: bytes, now: float) -> None:
        """A frame that could not be read (rule 1): no measurement, but perhaps news about the key."""
        self.mi = failure.mi or self.mi
        if failure.error not in _LOCKED:
            return
        self.encrypted_s = now
        self.format = self.format or failure.format
        self.key_state = _LOCKED[failure.error] if self.key is None else "changed"
        if data not in self._locked_payloads:
            self._locked_payloads.append(data)
            self.locked += 1

    def note_key(self, key: RingKey, now: float) -> None:
        """A key opened a frame of the unit."""
        self.encrypted_s, self.key, self.key_state = now, key, "right"

    def judge(self, uuid: int, data: bytes, reading: Reading) -> Status:
        """Rules 2 to 6 in their order."""
        if self._is_downgrade(uuid, reading):
            return "downgrade"
        sequence = self._sequences.get((uuid, reading.encrypted))
        if sequence is None:
            sequence = self._sequences[uuid, reading.encrypted] = _Sequence()
        if sequence.is_replay(reading.counter):
            return "replay"
        number = reading.packet_id if reading.counter is None else reading.counter
        if sequence.has(number, data):
            return "duplicate"
        if uuid != advert.MIBEACON:  # its counter counts frames, of which most hold other objects
            self.lost += sequence.gap(number, _GAP_BITS[reading.counter is not None])
        sequence.add(number, data)
        return "boot-zero" if _is_boot_zero(reading) else "new"

    def merge(self, reading: Reading, now: float) -> Mapping[str, Value]:
        """Take over what a frame measured; returns what of it can be true and is now in `values`."""
        measured = _measured(reading)
        fresh = {name: value for name, value in measured.items() if is_possible(name, value)}
        if measured:
            self.data_s, self.fault = now, False
        if fresh:
            self.values |= fresh
            self.updated_s |= dict.fromkeys(fresh, now)
            self.packet_id = reading.packet_id
        self.format = reading.format
        return fresh

    def _is_downgrade(self, uuid: int, reading: Reading) -> bool:
        """Rule 2. Idle frames carry nothing and are exempt."""
        family = _FAMILY.get(uuid, 0)
        if reading.authenticated:
            self._authenticated.add(family)
            return False
        return family in self._authenticated and bool(reading.values)


@dataclass(frozen=True, slots=True)
class Received:
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
        return self.error in _LOCKED

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

    def receive(self, sender: Sender, uuid: int, data: bytes, now: float) -> Received:
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
        if isinstance(decoded, Undecoded):
            unit.note_failure(decoded, data, now)
            return Received("error", unit, None, decoded.error)
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


def _judged(unit: UnitState, uuid: int, data: bytes, reading: Reading, key: RingKey | None, now: float) -> Received:
    unit.mi = reading.mi or unit.mi
    if key is not None:
        unit.note_key(key, now)
    status = unit.judge(uuid, data, reading)
    unit.opened += key is not None and status != "duplicate"
    return Received(status, unit, reading, None, key, unit.merge(reading, now) if status == "new" else _NOTHING)


_NOTHING: Final[Mapping[str, Value]] = {}


def _is_boot_zero(reading: Reading) -> bool:
    if reading.mi is None or reading.counter is None or reading.counter >= BOOT_LIMIT:
        return False
    return 0 in (reading.values.get("humidity"), reading.values.get("battery"))


def _measured(reading: Reading) -> dict[str, Value]:
    """The values of a frame by the same names whatever its format."""
    values = dict(reading.values)
    flags = values.pop("flags", None)
    if isinstance(flags, Flags):
        values |= {"opening": flags.reed, "power": flags.output}
    if _is_unmeasured(reading):
        del values["temperature"], values["humidity"]
    return values


def _is_unmeasured(reading: Reading) -> bool:
    """The event frame that pvvx sends at power-up, before it measured (beacons.md 2)."""
    if reading.format not in (BeaconFormat.PVVX, BeaconFormat.PVVX_ENC) or reading.packet_id != 1:
        return False
    return not reading.temperature_c and not reading.humidity_pct
