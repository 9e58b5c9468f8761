"""The two shapes everything above relies on: a radio, and a GATT client as bleak shapes it."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from mitherm.errors import DeviceNotFound, MithermError
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.radio.addresses import true_address


class GattDescriptor(Protocol):
    """A descriptor after discovery."""

    @property
    def uuid(self) -> str: ...
    @property
    def handle(self) -> int: ...


class GattCharacteristic(Protocol):
    """A characteristic after discovery; `handle` is what read and write take."""

    @property
    def uuid(self) -> str: ...
    @property
    def handle(self) -> int: ...
    @property
    def properties(self) -> Sequence[str]: ...
    @property
    def descriptors(self) -> Sequence[GattDescriptor]: ...
    @property
    def max_write_without_response_size(self) -> int: ...


class GattService(Protocol):
    """A primary service after discovery."""

    @property
    def uuid(self) -> str: ...
    @property
    def handle(self) -> int: ...
    @property
    def characteristics(self) -> Sequence[GattCharacteristic]: ...


class GattClient(Protocol):
    """One connection to one unit. `bleak.BleakClient` has this shape as it is; characteristics are named by handle."""

    @property
    def is_connected(self) -> bool: ...
    @property
    def mtu_size(self) -> int: ...
    @property
    def services(self) -> Iterable[GattService]: ...
    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    async def read_gatt_char(self, handle: int, /) -> bytearray: ...
    async def write_gatt_char(self, handle: int, data: bytes, /, response: bool) -> None: ...
    async def start_notify(self, handle: int, callback: Callable[[Any, bytearray], None], /) -> None: ...


class Radio(Protocol):
    """Something that hears units and connects to them. Used inside its own `async with`, in one event loop."""

    name: str
    """As the user would write it: system, virtual:demo."""
    simulated: bool
    """Whether the units behind it are virtual, so that synthetic images are welcome."""
    connecting: asyncio.Lock
    """Held while a connection is being made: controllers make one at a time."""

    @abstractmethod
    def sightings(self) -> AbstractAsyncContextManager[AsyncIterator[Sighting]]:
        """Scan while the context is open. Raises RadioUnavailable on entry or from the iterator."""

    @abstractmethod
    def client(self, sighting: Sighting, on_disconnect: Callable[[], None]) -> GattClient:
        """A fresh, unconnected client; `on_disconnect` is called once, whoever ends the link."""

    @abstractmethod
    def translate(self, error: Exception) -> MithermError | None:
        """What an exception of scanning or of a client means; None for what is no failure of the radio."""

    async def find(self, address: Address, timeout_s: float) -> Sighting:
        """The next report of one unit. Raises DeviceNotFound."""
        return await self.first(lambda sighting: true_address(sighting) == address, timeout_s, str(address))

    async def first(self, accept: Callable[[Sighting], bool], timeout_s: float, what: str) -> Sighting:
        """The next report that `accept` likes. Raises DeviceNotFound naming `what`."""
        try:
            async with asyncio.timeout(timeout_s), self.sightings() as sightings:
                async for sighting in sightings:
                    if accept(sighting):
                        return sighting
        except TimeoutError:
            pass
        raise DeviceNotFound(f"{what} was not seen within {timeout_s:g} s")
