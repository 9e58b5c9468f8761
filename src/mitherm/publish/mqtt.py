"""The MQTT client: one connection that comes back by itself, a queue on disk while it is away. The only user of aiomqtt."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mitherm.errors import BrokerUnreachable, DiskProblem, Unavailable, UsageProblem
from mitherm.publish.broker import Broker
from mitherm.publish.queue import LIMIT, MessageQueue
from mitherm.publish.sink import Gateway, Sink
from mitherm.publish.topics import OFFLINE, ONLINE, Layout, Message, bridge_topic
from mitherm.retry import Backoff

if TYPE_CHECKING:
    import aiomqtt

QOS: Final = 1
WINDOW: Final = 64
"""Messages under way without an answer of the broker: enough to hide a round trip, few enough to send again."""
KEEPALIVE_S: Final = 30
"""After one and a half of it without a word the broker publishes the last will (MQTT 3.1.1, 3.1.2.10)."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
STEADY_S: Final = 10.0
"""A connection that lasted this long was a good one: the next pause is short again."""
_NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""Small packets would wait for the answer to the one before: 40 ms and more."""
_REFUSED: Final = (4, 5, 134, 135)
"""CONNACK: bad user name or password, not authorised (MQTT 3.1.1, 5)."""


Post: TypeAlias = Callable[[Iterable[Message]], None]


@dataclass(frozen=True, slots=True)
class InstallRequests:
    """Where Home Assistant asks for updates, and who obeys: called with the unit's object id, a way to publish progress,
    and what to call after an update, since names and keys may have changed.
    """

    topic: str
    obey: Callable[[str, Post, Callable[[], None]], None]


class MqttSink(Sink):
    """Publishes with QoS 1 and takes a message off the queue when the broker has answered for it.

    `birth_topic`: where Home Assistant says `online`.
    """

    def __init__(
        self,
        broker: Broker,
        layouts: Sequence[Layout],
        *,
        birth_topic: str | None = None,
        requests: InstallRequests | None = None,
        queue_file: Path | None = None,
        queue_limit: int = LIMIT,
    ) -> None:
        super().__init__("mqtt")
        self.connected = False
        self._broker = broker
        self._layouts = layouts
        self._birth_topic = birth_topic
        self._requests = requests
        self._gateway: Gateway | None = None
        self._queue_file = queue_file
        self._queue_limit = queue_limit
        self._bridge = bridge_topic(broker.base)
        self._queue: MessageQueue | None = None
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._was_connected = False

    @property
    def waiting(self) -> int:
        """Messages in the queue."""
        return len(self._queue) if self._queue is not None else 0

    @property
    def dropped(self) -> int:
        """See Sink.dropped."""
        return super().dropped + (self._queue.dropped if self._queue is not None else 0)

    @property
    def failure(self) -> BrokerUnreachable | None:
        """See Sink.failure."""
        if self._was_connected:
            return None
        return BrokerUnreachable(
            f"the broker {self._broker} was never reached: {self.problem or 'no answer yet'}",
            hint=f"{self.waiting} messages wait on disk for the next run",
        )

    async def open(self, gateway: Gateway) -> None:
        """Take the queue. Raises UsageProblem without aiomqtt, Busy, DiskProblem."""
        _library()
        self._gateway = gateway
        self._queue = MessageQueue(self._queue_file, self._queue_limit)

    async def run(self) -> None:
        """See Sink.run. While the broker is away this goes on; only a refused first login ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_connected())
            while batch := await self.feed.batch():
                for layout in self._layouts:
                    self.post(message for report in batch for message in layout.messages(report))
            self._ended.set()
            self._changed.set()

    async def close(self) -> None:
        """See Sink.close."""
        if self._queue is not None:
            self._queue.close()

    # --- the queue ----------------------------------------------------------------------------------------------------

    def post(self, messages: Iterable[Message]) -> None:
        """Queue messages; what the disk does not take is counted as lost."""
        queue = self._open_queue()
        for message in messages:
            try:
                queue.put(message)
            except DiskProblem as problem:
                self.lost += 1
                self.problem = problem.message
        self._changed.set()

    def _open_queue(self) -> MessageQueue:
        if self._queue is None:
            raise RuntimeError("open() comes before run()")
        return self._queue

    # --- the connection -----------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        import aiomqtt

        backoff, clock = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S), asyncio.get_running_loop().time
        while not self._ended.is_set():
            begun = clock()
            try:
                await self._session()
            except* aiomqtt.MqttError as group:
                self._note(_leaf(group))
            except* OSError as group:
                self._note(_leaf(group))
            finally:
                self.connected = False
            if clock() - begun > STEADY_S:
                backoff.reset()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), backoff.pause_s())

    def _note(self, problem: BaseException) -> None:
        """Raises Unavailable where trying again is useless."""
        code = getattr(problem, "rc", None)
        number = getattr(code, "value", code)
        if number in _REFUSED and not self._was_connected:
            raise Unavailable(
                f"the broker {self._broker} refused the login",
                hint="check the user name; the password comes from MITHERM_MQTT_PASSWORD, a file or the URL",
            )
        self.problem = f"{self._broker}: {problem}"

    async def _session(self) -> None:
        import aiomqtt

        will = aiomqtt.Will(self._bridge, OFFLINE, QOS, retain=True)
        async with _client(self._broker, will) as client:
            client.pending_calls_threshold = 2 * WINDOW
            await client.publish(self._bridge, ONLINE, QOS, retain=True)
            for topic in filter(None, (self._birth_topic, self._requests and self._requests.topic, self._bridge)):
                await client.subscribe(topic, QOS)
            self.connected, self.problem, self._was_connected = True, None, True
            self._refresh()
            async with asyncio.TaskGroup() as group:
                receiver = group.create_task(self._receive(client))
                await self._send(client)
                receiver.cancel()
            with suppress(aiomqtt.MqttError):
                await client.publish(self._bridge, OFFLINE, QOS, retain=True)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Empty the queue in order, until the feed has ended and nothing is left."""
        queue = self._open_queue()
        while True:
            self._changed.clear()
            batch = _until_pause(queue.head(WINDOW))
            if batch:
                await asyncio.gather(
                    *(client.publish(message.topic, message.payload, QOS, message.retain) for _, message in batch)
                )
                queue.done(batch[-1][0])
                self.sent += len(batch)
                await asyncio.sleep(batch[-1][1].pause_s)
            elif self._ended.is_set():
                return
            else:
                await self._changed.wait()

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload.decode(errors="replace") if isinstance(message.payload, bytes) else ""
            topic = message.topic.value
            if topic == self._bridge:
                if payload == OFFLINE:  # the last will of another gateway with the same topics; we are still here
                    await client.publish(self._bridge, ONLINE, QOS, retain=True)
            elif topic == self._birth_topic:
                if payload == ONLINE:
                    self._refresh()
            elif not message.retain:  # a retained request would be obeyed anew at every connection
                self._install(topic.split("/")[-3])

    def _install(self, unit: str) -> None:
        if self._requests is not None and self._gateway is not None:
            self._requests.obey(unit, self.post, self._gateway.reload)

    def _refresh(self) -> None:
        for layout in self._layouts:
            self.post(layout.refresh())


async def publish_once(broker: Broker, messages: Iterable[Message]) -> None:
    """Connect, publish, leave. Raises BrokerUnreachable, UsageProblem without aiomqtt."""
    aiomqtt = _library()
    try:
        async with _client(broker) as client:
            for message in messages:
                await client.publish(message.topic, message.payload, QOS, message.retain)
    except (aiomqtt.MqttError, OSError) as problem:
        raise BrokerUnreachable(f"{broker}: {problem}") from None


def _library() -> Any:
    try:
        import aiomqtt
    except ImportError:
        raise UsageProblem(
            "MQTT needs the package aiomqtt", hint="install mitherm with its extra: mitherm[mqtt]"
        ) from None
    return aiomqtt


def _client(broker: Broker, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
    import aiomqtt

    files = {"ca_certs": broker.ca_file, "certfile": broker.cert_file, "keyfile": broker.key_file}
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password.reveal().decode() if broker.password is not None else None,
        identifier=f"mitherm-{os.urandom(4).hex()}",
        will=will,
        keepalive=KEEPALIVE_S,
        socket_options=[_NO_DELAY],
        tls_params=aiomqtt.TLSParameters(**{name: str(path) for name, path in files.items() if path is not None})
        if broker.tls
        else None,
    )


def _until_pause(batch: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
    """The messages up to and including the first that wants a pause after it."""
    stop = next((index for index, (_, message) in enumerate(batch) if message.pause_s), len(batch))
    return batch[: stop + 1]


def _leaf(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first
