"""A GATT client straight into a virtual unit, shaped like bleak's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mitherm.model.gatt import Characteristic, Descriptor, GattTable, Service
from mitherm.protocol import uuids
from mitherm.virtual.board.chip import AttError
from mitherm.virtual.runner import UnitRunner
from mitherm.virtual.unit import NoAnswer

DISCOVERY_S: Final = 0.3
SUPERVISION_TIMEOUT: Final = 0x08
LOCAL_HOST_TERMINATED: Final = 0x16
_NOTIFICATIONS_ON: Final = b"\x01\x00"
_ATT_HEADER: Final = 3


class NoConnection(Exception):
    """The client has no connection, or lost it."""


class LoopbackClient:
    """One connection; `disconnect_reason` is the HCI code once it ended. Raises AttError and NoConnection."""

    def __init__(
        self,
        address: str,
        link_up: Callable[[LoopbackClient], Awaitable[UnitRunner]],
        on_disconnect: Callable[[], None],
        round_trip_s: float,
    ) -> None:
        self.address = address
        self.disconnect_reason: int | None = None
        self.mtu_size = 23
        self.services: Sequence[LoopbackService] = ()
        self._link_up = link_up
        self._on_disconnect = on_disconnect
        self._round_trip_s = round_trip_s
        self._runner: UnitRunner | None = None
        self._deaf: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._callbacks: dict[str, tuple[LoopbackCharacteristic, Callable[[Any, bytearray], None]]] = {}

    @property
    def is_connected(self) -> bool:
        """True until the loss is known, also while the unit is silent already."""
        return self._runner is not None and not self._ended.is_set()

    async def connect(self) -> None:
        """Wait for a connectable advert, connect, discover; no time limit of its own."""
        runner = await self._link_up(self)
        self.mtu_size = runner.unit.att_mtu
        self.services = services_of(runner.unit.gatt, self.mtu_size - _ATT_HEADER)
        await self._answer_after(DISCOVERY_S)

    async def disconnect(self) -> None:
        """The central ends the link."""
        if self._runner is not None and self.is_connected:
            if self._deaf is None:
                self._runner.disconnect()
            self.lose(LOCAL_HOST_TERMINATED)

    # --- operations ---------------------------------------------------------------------------------------------------

    async def read_gatt_char(self, handle: int, /) -> bytearray:
        """The unit answers at once; the answer takes a round trip."""
        char = self._characteristic(handle)
        try:
            value = self._linked().read(char.uuid)
        except NoAnswer:
            await self._silence()
        await self._answer_after(self._round_trip_s)
        return bytearray(value)

    async def write_gatt_char(self, handle: int, data: bytes, /, response: bool) -> None:
        """Without response, refusals are not heard and a silent unit is not noticed."""
        char = self._characteristic(handle)
        refused: AttError | None = None
        try:
            if self._deaf is None:
                self._linked().write(char.uuid, bytes(data))
        except AttError as error:
            refused = error
        await self._answer_after(self._round_trip_s if response else 0.0, silent=not response)
        if refused is not None and response:
            raise refused

    async def start_notify(self, handle: int, callback: Callable[[Any, bytearray], None], /) -> None:
        """Write the CCCD; notifications may come before this returns."""
        char = self._characteristic(handle)
        self._callbacks[char.uuid] = (char, callback)
        try:
            self._linked().subscribe(char.uuid, _NOTIFICATIONS_ON)
        except NoAnswer:
            await self._silence()
        await self._answer_after(self._round_trip_s)

    def _characteristic(self, handle: int) -> LoopbackCharacteristic:
        for service in self.services:
            for characteristic in service.characteristics:
                if characteristic.handle == handle:
                    return characteristic
        raise NoConnection(f"no characteristic has handle {handle}")

    def _linked(self) -> UnitRunner:
        if self._runner is None or not self.is_connected:
            raise NoConnection("not connected")
        return self._runner

    async def _answer_after(self, seconds: float, *, silent: bool = False) -> None:
        """The answer arrives after `seconds`, unless the unit has fallen silent by then."""
        await asyncio.sleep(seconds)
        if self._deaf is not None and not silent:
            await self._silence()
        self._linked()

    async def _silence(self) -> NoReturn:
        await self._ended.wait()
        raise NoConnection("the link was lost")

    def join(self, runner: UnitRunner) -> None:
        """The link stands from now on; what the unit does next, also ending it, is heard."""
        self._runner = runner

    # --- what the unit does -------------------------------------------------------------------------------------------

    def notified(self, char: str, data: bytes) -> None:
        """A notification: heard only if subscribed, cut to the MTU."""
        if char in self._callbacks:
            sender, callback = self._callbacks[char]
            callback(sender, bytearray(data[: self.mtu_size - _ATT_HEADER]))

    def exchange_mtu(self, mtu: int) -> None:
        """The unit asks for a larger MTU, and gets it."""
        self.mtu_size = max(self.mtu_size, mtu)
        for service in self.services:
            for characteristic in service.characteristics:
                characteristic.max_write_without_response_size = self.mtu_size - _ATT_HEADER

    def fade(self, after_s: float, reason: int) -> None:
        """The unit is gone already; this side learns it after `after_s`."""
        self._deaf = asyncio.get_running_loop().call_later(after_s, self.lose, reason)

    def lose(self, reason: int) -> None:
        """The link has ended."""
        if not self._ended.is_set():
            self.disconnect_reason = reason
            if self._deaf is not None:
                self._deaf.cancel()
            self.services = ()
            self._ended.set()
            self._on_disconnect()


@dataclass(slots=True)
class LoopbackCharacteristic:
    """As bleak shows a characteristic; the size follows the MTU."""

    uuid: str
    handle: int
    properties: Sequence[str]
    descriptors: Sequence[Descriptor]
    max_write_without_response_size: int


@dataclass(frozen=True, slots=True)
class LoopbackService:
    """As bleak shows a service."""

    uuid: str
    handle: int
    characteristics: Sequence[LoopbackCharacteristic]


def services_of(table: GattTable, longest: int) -> list[LoopbackService]:
    """The table as BlueZ would show it: the GAP service is hidden."""
    return [_service(service, longest) for service in table if service.uuid != uuids.GAP]


def _service(service: Service, longest: int) -> LoopbackService:
    characteristics = [_characteristic(each, longest) for each in service.characteristics]
    return LoopbackService(service.uuid, service.start, characteristics)


def _characteristic(characteristic: Characteristic, longest: int) -> LoopbackCharacteristic:
    return LoopbackCharacteristic(
        characteristic.uuid,
        characteristic.handle,
        sorted(characteristic.properties),
        characteristic.descriptors,
        longest,
    )
