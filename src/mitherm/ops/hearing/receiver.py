"""The one interpreter of adverts: it keeps what is heard of each unit (beacons.md 8), and answers scan, watch, listen,
monitor, doctor, the test of keys and the look-up of names. Pure: time and the present moment come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mitherm.beacon.decode import DECODERS
from mitherm.beacon.keyring import KeyRing, Sender
from mitherm.beacon.tracker import FrameResult, Tracker
from mitherm.model.address import Address
from mitherm.model.reading import Value
from mitherm.model.report import Event, Report
from mitherm.model.sighting import Sighting
from mitherm.ops.hearing.advertiser import Advertiser, Condition, is_ours
from mitherm.protocol import uuids
from mitherm.radio.addresses import true_address
from mitherm.store.inventory import KnownUnit

SILENCE_S: Final = 300.0
"""Least time without an advert before a unit counts as silent; some models pause for over two minutes (beacons.md 6.3)."""
SILENT_INTERVALS: Final = 10
"""A unit that adverts seldom gets more time: radios miss several adverts in a row."""
VALUE_LIFE_S: Final = 86400.0
"""A value that a living unit has not sent for a day is gone: other firmware, other settings."""
MOST_UNITS: Final = 1000
"""Senders that are remembered; far more than a radio reaches at once, but strangers come and go for years."""

_UUIDS: Final = {uuids.short(number): number for number in DECODERS}
_UNHEARD: Final = Condition(silent=True, key="unneeded", fault=False)
_STRANGER: Final = KnownUnit(Address(bytes(6)))
"""What the inventory knows of a unit that is not in it."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one report of the radio meant."""

    unit: Advertiser
    event: Event | None
    """The most telling one; None: nothing new."""
    fresh: Mapping[str, Value]
    """The values it brought."""


@dataclass(slots=True)
class Receiver:
    """All units on the air.

    `known` tells what the inventory says, `accept` which senders to listen to at all. `keep` names senders, by identity
    and advertised name, that are kept although nothing they send is ours.
    """

    ring: KeyRing = field(default_factory=KeyRing)
    known: Callable[[Address], KnownUnit | None] = lambda address: None
    accept: Callable[[Sender], bool] = lambda sender: True
    keep: Callable[[Sender, str | None], bool] = lambda sender, name: False
    silence_s: float = SILENCE_S
    units: dict[Sender, Advertiser] = field(default_factory=dict)
    adverts: int = 0
    """Reports of the radio, those of strangers too: proof that it hears."""
    counts: Counter[str] = field(default_factory=Counter)
    """Frames by what became of them: `new`, `duplicate`, `unchanged`, `error:no-key`, ...; and how many of the new ones
    told nothing but `impossible` values."""
    tracker: Tracker = field(init=False)

    def __post_init__(self) -> None:
        self.tracker = Tracker(self.ring)

    def use_keys(self, ring: KeyRing) -> None:
        """From now on try these keys."""
        self.ring = self.tracker.ring = ring

    def hear(self, sighting: Sighting, at: datetime) -> Report | None:
        """Take one report of the radio; the news in it, if any."""
        hearing = self.take(sighting)
        if hearing is None or hearing.event is None:
            return None
        return self.report(hearing.unit, hearing.event, at, sighting.at_s, hearing.fresh)

    def take(self, sighting: Sighting) -> Hearing | None:
        """Take one report of the radio; what it meant, None where its sender is none of ours."""
        self.adverts += 1
        sender = self._sender(sighting)
        if not self.accept(sender):
            return None
        unit = self.units.get(sender)
        before = _UNHEARD if unit is None else unit.condition
        frames = self._receive(sender, sighting)
        unit = self._unit(sender, sighting, frames)
        if unit is None:
            return None
        unit.note(sighting)
        fresh = _merged(frames)
        if fresh:
            unit.pulse.reading(sighting.at_s, _volts(fresh))
        return Hearing(unit, _event(before, unit.condition, fresh), fresh)

    def tick(self, now: float, at: datetime) -> list[Report]:
        """Units that have gone silent by now."""
        news = []
        for unit in self.units.values():
            limit_s = max(self.silence_s, SILENT_INTERVALS * (unit.pulse.interval_s or 0.0))
            if not unit.silent and now - unit.state.seen_s > limit_s:
                unit.silent = True
                news.append(self.report(unit, "silent", at, now))
        return news

    def ages(self, now: float) -> dict[str, float]:
        """Seconds since the last advert of each unit, by `Report.unit`."""
        return {str(sender): now - unit.state.seen_s for sender, unit in self.units.items()}

    def report(
        self, unit: Advertiser, event: Event, at: datetime, now: float, fresh: Mapping[str, Value] | None = None
    ) -> Report:
        """All that is known of a unit by now."""
        known, state = self._known(unit), unit.state
        family = unit.family(known)
        return Report(
            unit=str(state.sender),
            event=event,
            at=at,
            address=unit.address,
            name=known.name or unit.name,
            model=unit.model(known),
            hardware=known.hardware,
            family=family,
            version=known.version if known.family == family else None,
            bound=unit.bound(family, known),
            rssi_dbm=unit.rssi_dbm,
            format=unit.format,
            key=state.key_state,
            fault=state.fault,
            available=not unit.silent,
            packet_id=state.packet_id,
            values={name: value for name, value in state.values.items() if now - state.updated_s[name] < VALUE_LIFE_S},
            received=fresh or {},
            health=unit.pulse.health(state.lost),
        )

    # ------------------------------------------------------------------------------------------------------------------

    def _known(self, unit: Advertiser) -> KnownUnit:
        return (None if unit.address is None else self.known(unit.address)) or _STRANGER

    def _sender(self, sighting: Sighting) -> Sender:
        address = self.tracker.addresses.get(sighting.address)
        if address is None:
            address = true_address(sighting)
            if address is None:
                return sighting.address
            self.tracker.learn(sighting.address, address)
        return address

    def _receive(self, sender: Sender, sighting: Sighting) -> list[FrameResult]:
        """Only what changed: some systems repeat stale service data beside new (test-rig.md 4.1)."""
        frames = []
        for uuid, data in sighting.service_data.items():
            number = _UUIDS.get(uuid)
            if number is None:
                continue
            if uuid not in sighting.fresh:
                self.counts["unchanged"] += 1
                continue
            received = self.tracker.receive(sender, number, data, sighting.at_s)
            self.counts[received.name] += 1
            self.counts["impossible"] += received.is_impossible
            frames.append(received)
        if not sighting.service_data and sighting.name is not None:
            self.tracker.name_only(sender, sighting.at_s)
        return frames

    def _unit(self, sender: Sender, sighting: Sighting, frames: list[FrameResult]) -> Advertiser | None:
        """The unit that a frame, a key or the system names as the sender; None where that is none of ours."""
        identity = frames[-1].unit.sender if frames else sender
        if isinstance(sender, str) and isinstance(identity, Address):
            self._move(sender, identity)
        unit = self.units.get(identity)
        if unit is None:
            if not is_ours(frames, sighting.name) and not self.keep(identity, sighting.name):
                return None
            self._make_room()
            unit = self.units[identity] = Advertiser(self.tracker.unit(identity, sighting.at_s), sighting)
        elif frames:
            unit.state = frames[-1].unit
        return unit

    def _move(self, sender: str, address: Address) -> None:
        """What was noted under the system's name moves along to the address."""
        unit = self.units.pop(sender, None)
        if unit is not None:
            self.units.setdefault(address, unit)

    def _make_room(self) -> None:
        """Forget a tenth of the senders, those that were not heard for the longest time."""
        states = self.tracker.units.values()
        if len(states) <= MOST_UNITS:
            return
        oldest = [state.sender for state in sorted(states, key=lambda state: state.seen_s)[: MOST_UNITS // 10]]
        self.tracker.forget(*oldest)
        for sender in oldest:
            self.units.pop(sender, None)


def _merged(frames: list[FrameResult]) -> dict[str, Value]:
    """The values that the frames of one advert brought."""
    return {name: value for received in frames for name, value in received.fresh.items()}


def _volts(values: Mapping[str, Value]) -> float | None:
    volts = values.get("voltage")
    return volts if isinstance(volts, float) else None


def _event(before: Condition, after: Condition, fresh: Mapping[str, Value]) -> Event | None:
    """The most telling one, or None."""
    if fresh:
        return "reading"
    if before.silent:
        return "seen"
    if before.key != after.key:
        return "key"
    return "fault" if before.fault != after.fault else None
