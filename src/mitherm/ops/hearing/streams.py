"""Adverts of many units merged into news about each of them (beacons.md 8). Pure: time and the present moment come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from mitherm.beacon.decode import DECODERS
from mitherm.beacon.keyring import KeyRing, Sender
from mitherm.beacon.tracker import Received, Tracker, UnitState
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.models import PRODUCTS
from mitherm.model.report import Event, KeyState, Report
from mitherm.model.sighting import Sighting
from mitherm.ops.hearing.health import Pulse
from mitherm.radio.addresses import true_address
from mitherm.store.inventory import KnownUnit

SILENCE_S: Final = 300.0
"""Least time without an advert before a unit counts as silent; some models pause for over two minutes (beacons.md 6.3)."""
SILENT_INTERVALS: Final = 10
VALUE_LIFE_S: Final = 86400.0
"""A value that a living unit has not sent for a day is gone: other firmware, other settings."""
MOST_UNITS: Final = 1000

_BLUETOOTH_BASE: Final = "-0000-1000-8000-00805f9b34fb"
_UUIDS: Final = {f"0000{number:04x}{_BLUETOOTH_BASE}": number for number in DECODERS}
_LOCKED: Final[dict[str | None, KeyState]] = {"no-key": "missing", "auth-failed": "wrong", "key-length": "wrong"}
_LIMITS: Final = {"temperature": (-100, 400), "humidity": (0, 100), "battery": (0, 100), "voltage": (0, 60)}


@dataclass(slots=True)
class Unit:
    """One unit on the air."""

    sender: Sender
    name: str | None = None
    rssi_dbm: int | None = None
    seen_s: float = 0.0
    silent: bool = False
    fault: bool = False
    key: KeyState = "unneeded"
    state: UnitState | None = None
    packet_id: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    """Merged over frames."""
    updated_s: dict[str, float] = field(default_factory=dict)
    received: dict[str, Any] = field(default_factory=dict)
    """What the last reading brought."""
    pulse: Pulse = field(default_factory=Pulse)


@dataclass(slots=True)
class Streams:
    """All units. `known` tells what the inventory says; `accept` which units to listen to."""

    ring: KeyRing = field(default_factory=KeyRing)
    known: Callable[[Address], KnownUnit | None] = lambda address: None
    accept: Callable[[Sender], bool] = lambda sender: True
    silence_s: float = SILENCE_S
    units: dict[Sender, Unit] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    """Frames by what became of them: `new`, `duplicate`, `unchanged`, `error:no-key`, ...; and how many of the new ones
    told nothing but `impossible` values."""
    tracker: Tracker = field(init=False)
    _senders: dict[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tracker = Tracker(self.ring)

    def learn(self, sender: str, address: Address) -> None:
        """Tell the address behind a name that the system gives."""
        self._senders[sender] = address

    def use_keys(self, ring: KeyRing) -> None:
        """From now on try these keys."""
        self.ring = self.tracker.ring = ring

    def hear(self, sighting: Sighting, at: datetime) -> Report | None:
        """Take one report of the radio; the news in it, if any."""
        sender = self._sender(sighting)
        if not self.accept(sender):
            return None
        received = self._decode(sender, sighting)
        if received:
            sender = self._settled(sender, received[-1].unit.sender)
        unit = self.units.get(sender)
        if unit is None:
            if not any(_ours(one) for one in received):
                return None
            unit = self._new_unit(sender)
        event = self._update(unit, sighting, received)
        return None if event is None else self._report(unit, event, at, sighting.at_s)

    def tick(self, now: float, at: datetime) -> list[Report]:
        """Units that have gone silent by now."""
        news = []
        for unit in self.units.values():
            limit = max(self.silence_s, SILENT_INTERVALS * (unit.pulse.interval_s or 0.0))
            if not unit.silent and now - unit.seen_s > limit:
                unit.silent = True
                news.append(self._report(unit, "silent", at, now))
        return news

    def ages(self, now: float) -> dict[str, float]:
        """Seconds since the last advert of each unit, by `Report.unit`."""
        return {str(unit.sender): now - unit.seen_s for unit in self.units.values()}

    # ------------------------------------------------------------------------------------------------------------------

    def _sender(self, sighting: Sighting) -> Sender:
        address = self._senders.get(sighting.address)
        if address is None:
            address = true_address(sighting)
            if address is None:
                return sighting.address
            if len(self._senders) >= 4 * MOST_UNITS:
                self._senders.clear()
            self._senders[sighting.address] = address
        return address

    def _settled(self, sender: Sender, told: Sender) -> Sender:
        """The identity that a frame told; what was noted under the system's name for it moves along."""
        if isinstance(sender, str) and isinstance(told, Address):
            self._senders[sender] = told
            if (unit := self.units.pop(sender, None)) is not None:
                unit.sender = told
                self.units.setdefault(told, unit)
        return told

    def _decode(self, sender: Sender, sighting: Sighting) -> list[Received]:
        """Only what changed: some systems repeat stale service data beside new (test-rig.md 4.1)."""
        found = []
        for uuid in sighting.service_data:
            number = _UUIDS.get(uuid)
            if number is None:
                continue
            if uuid not in sighting.fresh:
                self.counts["unchanged"] += 1
                continue
            one = self.tracker.receive(sender, number, sighting.service_data[uuid], sighting.at_s)
            self.counts[one.name] += 1
            found.append(one)
        if not sighting.service_data and sighting.name is not None:
            self.tracker.name_only(sender, sighting.at_s)
        return found

    def _new_unit(self, sender: Sender) -> Unit:
        if len(self.tracker.units) > MOST_UNITS:
            self._forget_oldest()
        unit = self.units[sender] = Unit(sender, silent=True)
        return unit

    def _forget_oldest(self) -> None:
        by_age = sorted(self.tracker.units.values(), key=lambda one: one.seen_s)
        gone = [state.sender for state in by_age[: MOST_UNITS // 10]]
        self.tracker.forget(*gone)
        for sender in gone:
            self.units.pop(sender, None)

    def _update(self, unit: Unit, sighting: Sighting, received: Iterable[Received]) -> Event | None:
        """Note what was heard; the most telling event, or None."""
        now = sighting.at_s
        unit.pulse.advert(now, sighting.rssi_dbm)
        unit.seen_s = now
        unit.name = sighting.name or unit.name
        unit.rssi_dbm = unit.rssi_dbm if sighting.rssi_dbm is None else sighting.rssi_dbm
        unit.state = state = self.tracker.units.get(unit.sender, unit.state)
        back, unit.silent = unit.silent, False
        key, unit.key = unit.key, _key_state(unit.key, received)
        fault, unit.fault = unit.fault, state is not None and state.fault
        fresh = self._take(unit, state, now) if any(one.status == "new" for one in received) else {}
        if fresh:
            unit.packet_id = next(one.reading.packet_id for one in received if one.status == "new" and one.reading)
            unit.pulse.reading(now, fresh.get("voltage") if isinstance(fresh.get("voltage"), float) else None)
            return "reading"
        if back:
            return "seen"
        if key != unit.key:
            return "key"
        return "fault" if fault != unit.fault else None

    def _take(self, unit: Unit, state: UnitState | None, now: float) -> dict[str, Any]:
        """What was merged just now, without what cannot be."""
        told = {} if state is None else {name: state.values[name] for name, at in state.updated_s.items() if at == now}
        unit.received = {name: value for name, value in told.items() if _is_possible(name, value)}
        self.counts["impossible"] += bool(told) and not unit.received
        unit.values |= unit.received
        unit.updated_s |= dict.fromkeys(unit.received, now)
        return unit.received

    def _report(self, unit: Unit, event: Event, at: datetime, now: float) -> Report:
        state, address = unit.state, unit.sender if isinstance(unit.sender, Address) else None
        known = None if address is None else self.known(address)
        format_ = None if state is None else state.format or (BeaconFormat.MIBEACON if state.mi else None)
        family = _family(format_, unit.name, known)
        return Report(
            unit=str(unit.sender),
            event=event,
            at=at,
            address=address,
            name=(known.name if known else None) or unit.name,
            model=_model(unit, known),
            hardware=known.hardware if known else None,
            family=family,
            version=known.version if known and known.family == family else None,
            bound=_bound(unit, family, known),
            rssi_dbm=unit.rssi_dbm,
            format=format_,
            key=unit.key,
            fault=unit.fault,
            available=not unit.silent,
            packet_id=unit.packet_id,
            values={name: one for name, one in unit.values.items() if now - unit.updated_s[name] < VALUE_LIFE_S},
            received=unit.received if event == "reading" else {},
            health=unit.pulse.health(state.lost if state else 0),
        )


def _ours(received: Received) -> bool:
    """Whether this frame makes its sender a unit to show: other Xiaomi devices send idle MiBeacon frames too."""
    if received.reading is None:
        return received.error in _LOCKED and (received.unit.mi is None or received.unit.mi.product_id in PRODUCTS)
    mi = received.reading.mi
    return bool(received.reading.values) or (mi is not None and mi.product_id in PRODUCTS)


def _key_state(before: KeyState, received: Iterable[Received]) -> KeyState:
    for one in received:
        if one.status == "error" and one.error in _LOCKED:
            before = "changed" if one.unit.rekeyed else _LOCKED[one.error]
        elif one.reading is not None and one.reading.authenticated:
            before = "right"
    return before


def _is_possible(name: str, value: Any) -> bool:
    """Whether a thermometer can have measured this: BTHome v1 may send text, MiBeacon any float, a broken sensor 655 %."""
    if name not in _LIMITS:
        return True
    low, high = _LIMITS[name]
    values = value if isinstance(value, list) else [value]
    return all(isinstance(one, int | float) and low <= one <= high for one in values)


def _model(unit: Unit, known: KnownUnit | None) -> str | None:
    if known is not None and known.model is not None:
        return known.model
    if unit.state is not None and unit.state.mi is not None and unit.state.mi.product_id in PRODUCTS:
        return PRODUCTS[unit.state.mi.product_id]
    return "LYWSD03MMC" if (unit.name or "").startswith(("ATC_", "LYWSD03MMC")) else None


def _family(format_: BeaconFormat | None, name: str | None, known: KnownUnit | None) -> Family:
    """What adverts prove; between firmwares that send the same, the inventory decides."""
    custom = (name or "").startswith("ATC_") or format_ not in (BeaconFormat.MIBEACON, None)
    if known is not None and known.family is not None and known.family.custom and custom:
        return known.family
    if format_ is None or (format_ is BeaconFormat.MIBEACON and custom):
        return Family.UNKNOWN
    return format_.family


def _bound(unit: Unit, family: Family, known: KnownUnit | None) -> bool | None:
    if family is not Family.STOCK:
        return None
    return True if unit.key != "unneeded" else (known.bound if known else None)
