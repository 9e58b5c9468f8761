"""The virtual air for other processes: each client of an HCI endpoint gets a dongle of its own (test-rig.md 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, Final

from bumble.core import BaseBumbleError, InvalidPacketError
from bumble.transport import open_transport
from bumble.transport.common import PacketParser

from mitherm.errors import Unavailable, UsageProblem
from mitherm.virtual.air.link import AirLink, CentralController
from mitherm.virtual.air.radio import inhabited
from mitherm.virtual.unit import Unit

_TCP: Final = "tcp-server:"
_FIRST_DONGLE: Final = 0xF04D49545A01


@asynccontextmanager
async def serve(units: Sequence[Unit], monikers: Iterable[str]) -> AsyncIterator[list[str]]:
    """Run the units for other hosts while the context is open; gives the monikers, port 0 replaced by the real one.

    `tcp-server:HOST:PORT` takes any number of clients at once, one after the other and killed ones included; every
    other bumble moniker (`vhci`, `pty:...`) is one dongle. Raises UsageProblem, Unavailable.
    """
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(inhabited(units))
        dongles = _Dongles(link)
        yield [await _attach(stack, dongles, moniker) for moniker in monikers]


async def _attach(stack: AsyncExitStack, dongles: _Dongles, moniker: str) -> str:
    try:
        if moniker.startswith(_TCP):
            return await _listen(stack, dongles, moniker.removeprefix(_TCP))
        transport = await open_transport(moniker)
    except (ValueError, OverflowError) as error:
        raise UsageProblem(f"{moniker} is no HCI endpoint", hint="for example tcp-server:127.0.0.1:9123") from error
    except (BaseBumbleError, OSError) as error:
        raise Unavailable(f"{moniker} cannot be opened: {error}") from error
    stack.push_async_callback(transport.close)
    stack.callback(dongles.remove, dongles.add(source=transport.source, sink=transport.sink))
    return moniker


async def _listen(stack: AsyncExitStack, dongles: _Dongles, where: str) -> str:
    host, _, port = where.rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _TcpClient(dongles), None if host == "_" else host, int(port))
    stack.callback(dongles.hang_up)
    stack.callback(server.close)
    return f"{_TCP}{host}:{server.sockets[0].getsockname()[1]}"


class _Dongles:
    """The controllers of this air that foreign hosts use."""

    def __init__(self, link: AirLink) -> None:
        self.clients: set[_TcpClient] = set()
        self._link = link
        self._numbers = count(_FIRST_DONGLE)

    def add(self, *, source: Any = None, sink: Any = None) -> CentralController:
        """A new dongle with an address of its own."""
        address = next(self._numbers).to_bytes(6, "big").hex(":")
        return CentralController(f"dongle {address}", self._link, address, source=source, sink=sink)

    def remove(self, dongle: CentralController) -> None:
        """Its host is gone: units that were connected are free again."""
        dongle.unplug()
        self._link.remove_controller(dongle)

    def hang_up(self) -> None:
        """No more clients."""
        for client in list(self.clients):
            client.close()


class _TcpClient(asyncio.Protocol):
    """One client; HCI packets in H4 framing."""

    def __init__(self, dongles: _Dongles) -> None:
        self._dongles = dongles
        self._parser = PacketParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A host appeared: plug a dongle in."""
        self._transport: Any = transport
        self._dongle = self._dongles.add(sink=self)
        self._parser.set_packet_sink(self._dongle)
        self._dongles.clients.add(self)

    def data_received(self, data: bytes) -> None:
        """From the host; nonsense ends the connection."""
        try:
            self._parser.feed_data(data)
        except InvalidPacketError:
            self.close()

    def on_packet(self, packet: bytes) -> None:
        """To the host."""
        self._transport.write(packet)

    def connection_lost(self, error: Exception | None) -> None:
        """The host went away or was killed: unplug."""
        self._dongles.clients.discard(self)
        self._dongles.remove(self._dongle)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()
