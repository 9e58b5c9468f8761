"""One connection to one unit: the only place that waits for a unit.

Every operation ends when the link ends, every wait has a limit, notifications are queued from before the subscription
returns, and every failure is one of `mitherm.errors` with its cause chained.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from mitherm.errors import (
    AttRefused,
    CharacteristicMissing,
    LinkError,
    LinkLost,
    LinkTimeout,
    MithermError,
    PeerMisbehaved,
)
from mitherm.model.gatt import Characteristic, Descriptor, GattTable, Service
from mitherm.model.sighting import Sighting
from mitherm.protocol.effects import Notification
from mitherm.radio.gatt import GattCharacteristic, GattClient, GattService, Radio
from mitherm.radio.trace import trace
from mitherm.retry import retry

CONNECT_TIMEOUT_S: Final = 20.0
"""Twice what adverts every 2.5 to 10 s need on a weak adapter (product-needs.md 4.1)."""
CONNECT_ATTEMPTS: Final = 3
"""Connecting fails at random on crowded adapters; three failures in a row are rarely chance (a rule of thumb)."""
RETRY_PAUSE_S: Final = 0.5
"""Between attempts, growing: what is left of a failed connection shall be gone before the next."""
REQUEST_TIMEOUT_S: Final = 15.0
"""Half of what ATT allows (30 s), after which the bearer is dead anyway: asked sooner, a unit that sleeps with a latency
of 49 and loses an event would be given up."""
DISCONNECT_TIMEOUT_S: Final = 5.0
"""BlueZ may never answer a disconnect on a link that is already gone; the program must end all the same."""
INBOX: Final = 4096
"""Notifications kept for a slow reader. More means that the reader is stuck."""
LOSS_GRACE_S: Final = 0.5
"""BlueZ reports a lost link as ATT error 14 a moment before it reports the loss (test-rig.md 4.1)."""
_UNLIKELY: Final = 0x0E
_INVALID_LENGTH: Final = 0x0D

_log = logging.getLogger(__name__)


class Link:
    """`async with Link(radio, sighting) as link:` connects with retries, and disconnects whatever happens.

    Raises RadioUnavailable, DeviceNotFound, LinkTimeout or LinkLost on entry. Characteristics are named by UUID.
    """

    def __init__(
        self,
        radio: Radio,
        sighting: Sighting,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        attempts: int = CONNECT_ATTEMPTS,
    ) -> None:
        self.sighting = sighting
        self.gatt = GattTable(())
        self._radio = radio
        self._connect_timeout_s = connect_timeout_s
        self._attempts = attempts
        self._client: GattClient
        self._handles: dict[str, GattCharacteristic] = {}
        self._inbox: asyncio.Queue[Notification] = asyncio.Queue(INBOX)
        self._overflowed = False
        self._subscribed: set[str] = set()
        self._request = asyncio.Lock()
        self._begun: asyncio.Task[bytes] | None = None
        self._gone = asyncio.Event()
        self._waits: set[asyncio.Timeout] = set()

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await retry(self._connect, LinkError, attempts=self._attempts, pause_s=RETRY_PAUSE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun is not None:
            self._begun.cancel()
            await asyncio.gather(self._begun, return_exceptions=True)
        await self._release()

    async def _connect(self) -> None:
        self._gone = asyncio.Event()
        self._client = self._radio.client(self.sighting, partial(self._lose, self._gone))
        try:
            async with self._radio.connecting:
                await self._attempt()
            self._discovered(self._client.services)
        except BaseException as error:
            await self._release()
            if isinstance(error, Exception) and (translation := self._radio.translate(error)) is not None:
                raise translation from error
            raise

    async def _attempt(self) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout_s) as limit:
                await self._client.connect()
        except TimeoutError as error:
            seconds = f" within {self._connect_timeout_s:g} s" if limit.expired() else ""
            raise LinkTimeout(f"{self.sighting.address} did not answer{seconds}") from error
        except asyncio.CancelledError as error:
            if _cancelled_by_caller():
                raise
            raise LinkLost("the connection was lost while it was being made") from error

    async def _release(self) -> None:
        """Disconnect, also while being cancelled; a client that fails to do so is given up."""
        closing = asyncio.ensure_future(self._close_client())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing], timeout=DISCONNECT_TIMEOUT_S)
            raise
        finally:
            self._lose(self._gone)

    async def _close_client(self) -> None:
        try:
            async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                await self._client.disconnect()
        except Exception as error:
            _log.info("disconnecting from %s: %s", self.sighting.address, error)

    def _lose(self, lost: asyncio.Event) -> None:
        """The client that belongs to `gone` is disconnected; it may be one of an earlier attempt."""
        lost.set()
        for wait in self._waits if lost is self._gone else ():
            with suppress(RuntimeError):  # it may be ending already
                wait.reschedule(asyncio.get_running_loop().time())

    def _discovered(self, services: Iterable[GattService]) -> None:
        """Read the table anew at every connection: another firmware offers another one."""
        services = list(services)
        self.gatt = GattTable(tuple(_service(service) for service in services))
        self._handles = {}
        for service in services:
            for characteristic in service.characteristics:
                self._handles.setdefault(characteristic.uuid.lower(), characteristic)

    @property
    def lost(self) -> bool:
        """Whether the link has ended."""
        return self._gone.is_set() or not self._client.is_connected

    @property
    def mtu(self) -> int:
        """ATT MTU as far as the system tells (BlueZ says 23)."""
        return self._client.mtu_size

    @property
    def reason(self) -> int | None:
        """HCI reason of the loss, where the radio knows it."""
        reason: int | None = getattr(self._client, "disconnect_reason", None)
        return reason

    # --- operations ---------------------------------------------------------------------------------------------------

    async def write(
        self, char: str, data: bytes, *, response: bool = False, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        """Write. A command goes out even while a begun read is open; a request waits for its turn."""
        if response:
            async with self._request:
                await self._write(char, data, True, timeout_s)
        else:
            await self._write(char, data, False, timeout_s)

    async def _write(self, char: str, data: bytes, response: bool, timeout_s: float) -> None:
        target = self._need(char)
        if not response and len(data) > target.max_write_without_response_size:
            raise AttRefused(f"{len(data)} bytes do not fit into one write command", code=_INVALID_LENGTH)
        trace("write", char, data)
        async with self._waiting(timeout_s, f"no answer to a write of {char}"):
            await self._client.write_gatt_char(target.handle, data, response=response)

    async def read(self, char: str, timeout_s: float = REQUEST_TIMEOUT_S) -> bytes:
        """Read; raises AttRefused, LinkLost, LinkTimeout, CharacteristicMissing."""
        target = self._need(char)
        async with self._request, self._waiting(timeout_s, f"no answer to a read of {char}"):
            value = bytes(await self._client.read_gatt_char(target.handle))
        trace("read", char, value)
        return value

    async def begin_read(self, char: str, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """Send a read request and return; `finish_read` collects the answer."""
        if self._begun is not None:
            raise RuntimeError("a read is open already")
        self._need(char)
        self._begun = asyncio.create_task(self.read(char, timeout_s))
        await asyncio.sleep(0)  # let the request go out before whatever is written next

    async def finish_read(self) -> bytes:
        """The answer of the begun read."""
        if self._begun is None:
            raise RuntimeError("no read is open")
        begun, self._begun = self._begun, None
        return await begun

    async def subscribe(self, char: str, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """Switch notifications on; a second time does nothing."""
        target = self._need(char)
        if char in self._subscribed:
            return
        if not {"notify", "indicate"} & set(target.properties):
            raise CharacteristicMissing(f"{char} of the unit does not notify")

        def arrived(_: Any, data: bytearray) -> None:
            self._deliver(Notification(char, bytes(data)))

        async with self._request, self._waiting(timeout_s, f"no answer to a subscription to {char}"):
            await self._client.start_notify(target.handle, arrived)
        self._subscribed.add(char)

    def _deliver(self, notification: Notification) -> None:
        trace("notified", notification.char, notification.data)
        try:
            self._inbox.put_nowait(notification)
        except asyncio.QueueFull:
            self._overflowed = True

    async def next_notification(self, timeout_s: float) -> Notification:
        """The oldest one not yet taken, of any characteristic; those that came before a loss are still given."""
        if self._overflowed:
            raise PeerMisbehaved(f"more than {INBOX} notifications came unread")
        with suppress(asyncio.QueueEmpty):
            return self._inbox.get_nowait()
        try:
            async with self._waiting(timeout_s, f"no answer within {timeout_s:g} s"):
                notification = await self._inbox.get()
        except LinkLost:
            with suppress(asyncio.QueueEmpty):
                return self._inbox.get_nowait()
            raise
        return notification

    async def wait_disconnect(self, timeout_s: float) -> int | None:
        """Until the link ends: the HCI reason where known. Raises LinkTimeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._gone.wait()
        except TimeoutError as error:
            raise LinkTimeout(f"the unit kept the connection for {timeout_s:g} s") from error
        return self.reason

    async def pause(self, seconds: float) -> None:
        """Let time pass; raises LinkLost as soon as the link ends."""
        async with self._waiting(None, ""):
            await asyncio.sleep(seconds)

    def _need(self, char: str) -> GattCharacteristic:
        target = self._handles.get(char)
        if target is None:
            raise CharacteristicMissing(f"the unit has no characteristic {char}")
        return target

    # --- the race -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _waiting(self, timeout_s: float | None, message: str) -> AsyncIterator[None]:
        """The body ends with its work, with the link (LinkLost), or after `timeout_s` (LinkTimeout)."""
        if self.lost:
            raise LinkLost(reason=self.reason)
        try:
            async with asyncio.timeout(timeout_s) as limit:
                self._waits.add(limit)
                try:
                    yield
                finally:
                    self._waits.discard(limit)
        except asyncio.CancelledError as error:
            # bumble cancels what is outstanding when a link ends (test-rig.md 1.3)
            if not self.lost or _cancelled_by_caller():
                raise
            raise LinkLost(reason=self.reason) from error
        except TimeoutError as error:
            raise (LinkLost(reason=self.reason) if self.lost else LinkTimeout(message)) from error
        except Exception as error:
            translation = self._radio.translate(error)
            if translation is None:
                raise
            raise await self._meaning(translation) from error

    async def _meaning(self, problem: MithermError) -> MithermError:
        """A refusal is one; any other failure is a lost link, if the link proves to be lost."""
        if isinstance(problem, AttRefused) and problem.code != _UNLIKELY:
            return problem
        with suppress(TimeoutError):
            async with asyncio.timeout(LOSS_GRACE_S):
                await self._gone.wait()
        return LinkLost(reason=self.reason) if self.lost else problem


def _cancelled_by_caller() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _service(service: GattService) -> Service:
    characteristics = tuple(_characteristic(each) for each in service.characteristics)
    return Service(service.uuid.lower(), characteristics, start=service.handle)


def _characteristic(characteristic: GattCharacteristic) -> Characteristic:
    return Characteristic(
        characteristic.uuid.lower(),
        frozenset(characteristic.properties),
        descriptors=tuple(Descriptor(each.uuid.lower(), each.handle) for each in characteristic.descriptors),
        handle=characteristic.handle,
        max_length=characteristic.max_write_without_response_size,
    )
