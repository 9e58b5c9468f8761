"""Traps of real stacks that the virtual radios do not set by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.radios import on_virtual_clock
from mitherm.errors import AttRefused, LinkLost, LinkTimeout, MithermError, PeerMisbehaved, RadioUnavailable
from mitherm.model.gatt import Characteristic, GattTable, Service
from mitherm.model.sighting import Sighting
from mitherm.radio.gatt import Radio
from mitherm.radio.link import INBOX, Link
from mitherm.virtual.board.chip import AttError
from mitherm.virtual.loopback.client import NoConnection, services_of

CHAR = "0000aaaa-0000-1000-8000-00805f9b34fb"
TABLE = GattTable((Service("svc", (Characteristic(CHAR, frozenset({"read", "notify"}), 3),), 1, 3),))


class ScriptedClient:
    """A GATT client whose connect and read do what the test says."""

    mtu_size = 23

    def __init__(self, on_disconnect: Callable[[], None]) -> None:
        self.lose = on_disconnect
        self.is_connected = False
        self.services = services_of(TABLE, 20)
        self.reading: Callable[[ScriptedClient], Any] = lambda client: b""
        self.notify: Callable[[Any, bytearray], None]

    async def connect(self) -> None:
        self.is_connected = True

    async def disconnect(self) -> None:
        self.is_connected = False

    async def read_gatt_char(self, handle: int, /) -> bytearray:
        return bytearray(await self.reading(self))

    async def write_gatt_char(self, handle: int, data: bytes, /, response: bool) -> None:
        pass

    async def start_notify(self, handle: int, callback: Callable[[Any, bytearray], None], /) -> None:
        callback(None, bytearray(b"early"))
        self.notify = callback


class ScriptedRadio(Radio):
    """Hands out scripted clients; `prepare` changes each before it is used."""

    def __init__(self, prepare: Callable[[ScriptedClient, int], None] = lambda client, number: None) -> None:
        self.name, self.simulated, self.connecting = "scripted", True, asyncio.Lock()
        self.clients: list[ScriptedClient] = []
        self.prepare = prepare

    @property
    def client_in_use(self) -> ScriptedClient:
        """The one of the last attempt."""
        return self.clients[-1]

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[AsyncIterator[Sighting]]:
        raise NotImplementedError
        yield

    def client(self, sighting: Sighting, on_disconnect: Callable[[], None]) -> ScriptedClient:
        client = ScriptedClient(on_disconnect)
        self.clients.append(client)
        self.prepare(client, len(self.clients))
        return client

    def translate(self, error: Exception) -> MithermError | None:
        if isinstance(error, AttError):
            return AttRefused(str(error), code=error.code)
        return LinkLost(str(error)) if isinstance(error, NoConnection) else None


SEEN = Sighting("A4:C1:38:00:00:01", None, -60, {}, 0.0)


@on_virtual_clock
async def test_error_14_of_a_dead_link_is_a_loss() -> None:
    """BlueZ answers a read with ATT error 14 and reports the loss a moment later: that is LinkLost."""

    async def read(client: ScriptedClient) -> bytes:
        def gone() -> None:
            client.is_connected = False
            client.lose()

        asyncio.get_running_loop().call_later(0.05, gone)
        raise AttError(14)

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        with pytest.raises(LinkLost) as raised:
            await link.read(CHAR)
    assert isinstance(raised.value.__cause__, AttError)


@on_virtual_clock
async def test_error_14_of_a_living_link_is_a_refusal() -> None:
    """If the link stays, error 14 is what the unit said."""

    async def read(client: ScriptedClient) -> bytes:
        raise AttError(14)

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        with pytest.raises(AttRefused) as raised:
            await link.read(CHAR)
    assert raised.value.code == 14


@on_virtual_clock
async def test_a_stack_that_cancels_what_it_owes() -> None:
    """bumble cancels an outstanding request when the link ends: LinkLost, not CancelledError."""

    async def read(client: ScriptedClient) -> bytes:
        client.is_connected = False
        client.lose()
        raise asyncio.CancelledError

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        with pytest.raises(LinkLost):
            await link.read(CHAR)


@on_virtual_clock
async def test_a_client_that_never_answers_anything() -> None:
    """A hanging read ends with the loss even if the client does not notice it."""

    async def read(client: ScriptedClient) -> bytes:
        asyncio.get_running_loop().call_later(1, client.lose)
        await asyncio.sleep(1000)
        return b""

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        with pytest.raises(LinkLost):
            await link.read(CHAR)
        assert asyncio.get_running_loop().time() == pytest.approx(1)


@on_virtual_clock
async def test_each_attempt_gets_a_fresh_client() -> None:
    """Two failing attempts are repeated with new clients; a late farewell of the first does not end the third."""

    def prepare(client: ScriptedClient, number: int) -> None:
        async def fail() -> None:
            raise NoConnection("connection failed")

        if number < 3:
            client.connect = fail

    radio = ScriptedRadio(prepare)
    async with Link(radio, SEEN, attempts=3) as link:
        radio.clients[0].lose()
        assert not link.lost
        assert len(radio.clients) == 3


@on_virtual_clock
async def test_an_unusable_radio_is_not_tried_again() -> None:
    """Without an adapter a second attempt makes no sense."""

    def prepare(client: ScriptedClient, number: int) -> None:
        async def fail() -> None:
            raise RadioUnavailable("no adapter", reason="no-adapter")

        client.connect = fail

    radio = ScriptedRadio(prepare)
    with pytest.raises(RadioUnavailable):
        async with Link(radio, SEEN):
            pass
    assert len(radio.clients) == 1


@on_virtual_clock
async def test_notifications_before_the_subscription_returns_are_kept() -> None:
    """A notification that overtakes the answer of the subscription is not lost."""
    async with Link(ScriptedRadio(), SEEN) as link:
        await link.subscribe(CHAR)
        assert (await link.next_notification(1)).data == b"early"


@on_virtual_clock
async def test_the_inbox_is_bounded() -> None:
    """A flood that nobody reads is an error, not a memory leak or a silent gap."""
    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        await link.subscribe(CHAR)
        for _ in range(INBOX):
            radio.client_in_use.notify(None, bytearray(b"x"))
        with pytest.raises(PeerMisbehaved):
            await link.next_notification(1)


@on_virtual_clock
async def test_requests_take_turns() -> None:
    """ATT allows one request at a time: two reads at once never overlap."""
    open_reads, most = 0, 0

    async def read(client: ScriptedClient) -> bytes:
        nonlocal open_reads, most
        open_reads += 1
        most = max(most, open_reads)
        await asyncio.sleep(0.1)
        open_reads -= 1
        return b""

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        await asyncio.gather(*(link.read(CHAR) for _ in range(5)))
    assert most == 1


@on_virtual_clock
async def test_a_begun_read_that_is_never_finished_is_cleaned_up() -> None:
    """Leaving with an open read leaves no task behind; its time-out is its own."""

    async def read(client: ScriptedClient) -> bytes:
        await asyncio.sleep(1000)
        return b""

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        await link.begin_read(CHAR, timeout_s=2)
        with pytest.raises(LinkTimeout):
            await link.finish_read()
        await link.begin_read(CHAR)
    assert len(asyncio.all_tasks()) == 1


@on_virtual_clock
async def test_bugs_pass_through() -> None:
    """An exception that is no failure of the radio is not renamed."""

    async def read(client: ScriptedClient) -> bytes:
        raise ZeroDivisionError

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.reading = read
        with pytest.raises(ZeroDivisionError):
            await link.read(CHAR)


@on_virtual_clock
async def test_a_disconnect_that_hangs_is_given_up() -> None:
    """Leaving ends even if the stack never answers the disconnect."""

    async def hang() -> None:
        await asyncio.sleep(1000)

    radio = ScriptedRadio()
    async with Link(radio, SEEN) as link:
        radio.client_in_use.disconnect = hang
    assert asyncio.get_running_loop().time() < 10
    assert link.lost
