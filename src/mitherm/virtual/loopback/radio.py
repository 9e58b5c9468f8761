"""An in-memory radio over virtual units: no Bluetooth stack, no bleak, exact and fast.

It behaves as a central's operating system does: a connection is made at an advert, notifications come only after a
subscription, a unit that goes silent is missed after its supervision time-out. A request takes `round_trip_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from mitherm.errors import AttRefused, LinkLost, MithermError
from mitherm.model.sighting import Sighting
from mitherm.radio.gatt import Radio
from mitherm.radio.stream import Freshness, SightingStream
from mitherm.virtual.board.chip import Action, Advertise, AttError, Notify, RequestMtu, Terminate, Vanish
from mitherm.virtual.loopback.client import SUPERVISION_TIMEOUT, LoopbackClient, NoConnection
from mitherm.virtual.runner import UnitRunner
from mitherm.virtual.scanner import AdvertisingData
from mitherm.virtual.unit import Unit

ROUND_TRIP_S: Final = 0.03
"""Two connection events of 15 ms."""


class Loopback(Radio):
    """`async with Loopback(units) as radio:` the units live, and can be heard and connected to."""

    def __init__(self, units: Sequence[Unit], *, name: str = "virtual", round_trip_s: float = ROUND_TRIP_S) -> None:
        self.name = name
        self.simulated = True
        self.connecting = asyncio.Lock()
        self.round_trip_s = round_trip_s
        self._units = units
        self._places: list[_Place] = []
        self._scans: set[_Scan] = set()
        self._initiators: set[_Initiator] = set()

    async def __aenter__(self) -> Self:
        self._places = [_Place(self, unit) for unit in self._units]
        for place in self._places:
            place.runner.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place in self._places:
            if place.client is not None:
                await place.client.disconnect()
            place.runner.stop()
        for scan in self._scans:
            scan.stream.close()

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[AsyncIterator[Sighting]]:
        """Every advert in range, with the scan response merged in."""
        scan = _Scan(SightingStream(), Freshness())
        self._scans.add(scan)
        try:
            yield scan.stream
        finally:
            self._scans.discard(scan)
            scan.stream.close()

    def client(self, sighting: Sighting, on_disconnect: Callable[[], None]) -> LoopbackClient:
        """A fresh client for the unit that has the sighting's address when it connects."""
        return LoopbackClient(sighting.address, self._link_up, on_disconnect, self.round_trip_s)

    def translate(self, error: Exception) -> MithermError | None:
        """Refusals and lost links; everything else is a fault of the program."""
        match error:
            case MithermError():
                return error
            case AttError():
                return AttRefused(f"the unit refused: ATT error {error.code:#04x}", code=error.code)
            case NoConnection():
                return LinkLost(str(error))
            case _:
                return None

    async def _link_up(self, client: LoopbackClient) -> UnitRunner:
        """Connect at the next connectable advert of the unit."""
        while True:
            initiator = _Initiator(client.address, asyncio.get_running_loop().create_future())
            self._initiators.add(initiator)
            try:
                place = await initiator.met
            finally:
                self._initiators.discard(initiator)
            if place.runner.unit.connectable:
                place.client = client
                client.join(place.runner)
                place.runner.connect()
                return place.runner

    def heard(self, place: _Place, action: Advertise) -> None:
        """An advert of `place` reached the central."""
        unit = place.runner.unit
        address = str(unit.address)
        report = AdvertisingData.parse(action.data, action.scan_response)
        at_s = asyncio.get_running_loop().time()
        for scan in self._scans:
            fresh = scan.freshness.of(address, report.service_data)
            fields = (address, report.name, unit.rssi_dbm, report.service_data, at_s, report.service_uuids, fresh)
            scan.stream.put(Sighting(*fields))
        for initiator in self._initiators:
            if action.connectable and initiator.address == address and not initiator.met.done():
                initiator.met.set_result(place)


@dataclass(frozen=True, eq=False, slots=True)
class _Scan:
    stream: SightingStream
    freshness: Freshness


@dataclass(frozen=True, eq=False, slots=True)
class _Initiator:
    address: str
    met: asyncio.Future[_Place]


class _Place:
    """One unit in the loopback and the client that is connected to it."""

    def __init__(self, radio: Loopback, unit: Unit) -> None:
        self.radio = radio
        self.runner = UnitRunner(unit, self._act)
        self.client: LoopbackClient | None = None

    def _act(self, action: Action) -> None:
        if isinstance(action, Advertise):
            self.radio.heard(self, action)
        elif self.client is not None and self.client.is_connected:
            self._answer(self.client, action)

    def _answer(self, client: LoopbackClient, action: Action) -> None:
        match action:
            case Notify(char, data):
                client.notified(char, data)
            case Terminate(reason):
                self.client = None
                client.fade(self.radio.round_trip_s / 2, reason)
            case RequestMtu(mtu):
                client.exchange_mtu(mtu)
            case Vanish():
                self.client = None
                client.fade(self.runner.unit.supervision_s, SUPERVISION_TIMEOUT)
            case _:
                pass  # link parameters do not matter where nothing takes time
