"""Listening to the air: what adverts tell about each unit, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.keys import BeaconKey
from mitherm.errors import RadioUnavailable
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import Reading, Undecoded
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.evidence import Air
from mitherm.radio.addresses import true_address

_SHORT_UUID: Final = "-0000-1000-8000-00805f9b34fb"
_CLOSED: Final = ("no-key", "key-length", "auth-failed")
_NAMES: Final = ("LYWSD03MMC", "ATC_")


@dataclass(slots=True)
class Heard:
    """Reports of one unit, collected."""

    sighting: Sighting
    times_s: list[float] = field(default_factory=list)
    rssi: list[int] = field(default_factory=list)
    name: str | None = None
    formats: set[BeaconFormat] = field(default_factory=set)
    idle_mv: int | None = None
    closed: set[bytes] = field(default_factory=set)
    opened: set[bytes] = field(default_factory=set)
    encrypted_s: float | None = None

    @property
    def thermometer(self) -> bool:
        """Whether this looks like one of ours."""
        return bool(self.formats - {BeaconFormat.QINGPING}) or (self.name or "").startswith(_NAMES)

    def take(self, sighting: Sighting, ring: KeyRing, address: Address) -> None:
        """One more report."""
        self.sighting = sighting
        self.times_s.append(sighting.at_s)
        self.name = sighting.name or self.name
        if sighting.rssi_dbm is not None:
            self.rssi.append(sighting.rssi_dbm)
        for uuid, data in sighting.service_data.items():
            if uuid.endswith(_SHORT_UUID):
                found, _ = ring.decode(int(uuid[4:8], 16), data, address)
                self._frame(found, data, sighting.at_s)

    def _frame(self, found: Reading | Undecoded, data: bytes, at_s: float) -> None:
        if found.format is not None:
            self.formats.add(found.format)
        if isinstance(found, Undecoded):
            if found.error in _CLOSED:
                self._encrypted(self.closed, data, at_s)
            return
        if found.authenticated:
            self._encrypted(self.opened, data, at_s)
        voltage = found.values.get("voltage")
        if isinstance(voltage, int | float):
            self.idle_mv = round(voltage * 1000)

    def _encrypted(self, where: set[bytes], data: bytes, at_s: float) -> None:
        if data not in where:
            where.add(data)
            self.encrypted_s = at_s


@dataclass(slots=True)
class Listening:
    """Everything heard so far. `problem`: the radio could not be used."""

    units: dict[Address, Heard] = field(default_factory=dict)
    strangers: int = 0
    listened_s: float = 0.0
    problem: RadioUnavailable | None = None

    def air(self, address: Address, now_s: float) -> Air:
        """What is known about one unit."""
        others = self.strangers + sum(len(one.times_s) for who, one in self.units.items() if who != address)
        heard = self.units.get(address)
        if heard is None:
            return Air(self.listened_s, others)
        gaps = [later - earlier for earlier, later in zip(heard.times_s, heard.times_s[1:], strict=False)]
        return Air(
            listened_s=self.listened_s,
            others=others,
            adverts=len(heard.times_s),
            name=heard.name,
            formats=frozenset(heard.formats),
            rssi_dbm=round(median(heard.rssi)) if heard.rssi else None,
            interval_s=round(median(gaps), 2) if gaps else None,
            idle_mv=heard.idle_mv,
            encrypted=len(heard.closed | heard.opened),
            decrypted=len(heard.opened),
            encrypted_age_s=now_s - heard.encrypted_s if heard.encrypted_s is not None else None,
        )


async def listen(
    bench: Bench, heard: Listening, duration_s: float, ring: KeyRing, wanted: Iterable[Address] = ()
) -> None:
    """Add what is heard in `duration_s` seconds; with `wanted` stop as soon as all of these were heard."""
    missing = set(wanted) - set(heard.units)
    until_found, start = bool(missing), bench.clock()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s), bench.radio.sightings() as sightings:
                async for sighting in sightings:
                    address = _take(heard, sighting, ring)
                    missing.discard(address)
                    if until_found and not missing:
                        break
    except RadioUnavailable as problem:
        heard.problem = problem
    heard.listened_s += bench.clock() - start


def _take(heard: Listening, sighting: Sighting, ring: KeyRing) -> Address | None:
    address = true_address(sighting)
    if address is None:
        heard.strangers += 1
        return None
    heard.units.setdefault(address, Heard(sighting)).take(sighting, ring, address)
    return address


def all_keys(bench: Bench) -> KeyRing:
    """Every bind key of the vault with its owner."""
    ring = KeyRing()
    vault = bench.stores.vault
    for address in vault.units():
        for key in reversed(vault.access(address).bind_keys):
            ring.add(BeaconKey(key), address)
    return ring
