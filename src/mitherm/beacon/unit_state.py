"""What is remembered of one unit: its merged state, and what tells a new frame from an old one (beacons.md 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mitherm.beacon import advert
from mitherm.beacon.keyring import RingKey, Sender
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import BeaconError, DecodeFailure, Flags, MiHeader, Reading, Value, is_possible
from mitherm.model.report import KeyState

Status: TypeAlias = Literal["new", "duplicate", "replay", "downgrade", "boot-zero", "error"]

RESTART_LIMIT: Final = 100
"""A lower 32-bit counter below this is a restart, else a replay. A rule of thumb: a unit with a new battery begins at 0,
and who is within reach hears one of its first hundred measurements, which take 17 minutes at the usual 10 s."""
BOOT_LIMIT: Final = 16
"""Encrypted MiBeacon frames of pvvx may hold zeros up to this counter (beacons.md 6.6)."""
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
LOCKED: Final[dict[BeaconError, KeyState]] = {"no-key": "missing", "auth-failed": "wrong", "key-length": "wrong"}
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

    def note_failure(self, failure: DecodeFailure, data: bytes, now: float) -> None:
        """A frame that could not be read (rule 1): no measurement, but perhaps news about the key."""
        self.mi = failure.mi or self.mi
        if failure.error not in LOCKED:
            return
        self.encrypted_s = now
        self.format = self.format or failure.format
        self.key_state = LOCKED[failure.error] if self.key is None else "changed"
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
    if not reading.format.pvvx_layout or reading.packet_id != 1:
        return False
    return not reading.temperature_c and not reading.humidity_pct
