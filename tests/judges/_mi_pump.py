"""A client procedure against a `MiDevice`, synchronously, on simulated time; frames can be dropped on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from mitherm.errors import LinkTimeout
from mitherm.protocol.effects import Await, Effect, Keep, Notification, Procedure, Subscribe, Write
from mitherm.protocol.uuids import MI_CONTROL
from mitherm.virtual.reactors.mi_device import MiDevice

Lossy = Callable[[str, str, bytes], bool]
"""(w or n, characteristic, frame) -> whether this frame is lost on the air."""

_R = TypeVar("_R")


class Records(dict[int, bytes]):
    """The key store of a unit, with the order of writes."""

    def __init__(self, content: dict[int, bytes | None]) -> None:
        super().__init__({number: data for number, data in content.items() if data is not None})
        self.written: list[tuple[int, bytes]] = []

    def find(self, record_id: int) -> bytes | None:
        """See KeyRecords."""
        return self.get(record_id)

    def write(self, record_id: int, data: bytes) -> None:
        """See KeyRecords."""
        self[record_id] = data
        self.written.append((record_id, data))


class UnitRunner:
    """One central and one unit."""

    def __init__(self, device: MiDevice, lossy: Lossy = lambda way, char, data: False) -> None:
        self.device = device
        self.now = 0.0
        self.writes: list[tuple[str, bytes]] = []
        self.heard: list[Notification] = []
        self.kept: list[object] = []
        self._lossy = lossy
        self._subscribed: set[str] = set()
        self._inbox: deque[Notification] = deque()

    @property
    def codes(self) -> list[int]:
        """Control-point values the unit notified."""
        return [notification.data[0] for notification in self.heard if notification.char == MI_CONTROL]

    def reconnect(self) -> None:
        """Drop the link and open it again."""
        self.device.disconnected()
        self._inbox.clear()
        self._subscribed.clear()

    def run(self, procedure: Procedure[_R]) -> _R:
        """To the end."""
        step = procedure.send
        argument: Any = None
        try:
            while True:
                effect = step(argument)
                try:
                    step, argument = procedure.send, self._do(effect)
                except LinkTimeout as problem:
                    step, argument = procedure.throw, problem
        except StopIteration as end:
            result: _R = end.value
            return result

    def _do(self, effect: Effect) -> Notification | None:
        match effect:
            case Subscribe(char):
                self._subscribed.add(char)
            case Write(char, data):
                self.writes.append((char, data))
                if not self._lossy("w", char, data):
                    self._take(self.device.write(char, data, self.now))
            case Keep(keys):
                self.kept.append(keys)
            case Await(timeout_s):
                return self._await(timeout_s)
            case _:
                raise TypeError(effect)
        return None

    def _await(self, timeout_s: float) -> Notification:
        deadline = self.now + timeout_s
        while not self._inbox:
            wake = self.device.wake_at()
            self.now = deadline if wake is None else min(max(wake, self.now), deadline)
            self._take(self.device.tick(self.now))
            if self.now >= deadline and not self._inbox:
                raise LinkTimeout("silence")
        return self._inbox.popleft()

    def _take(self, notifications: list[Notification]) -> None:
        for notification in notifications:
            self.heard.append(notification)
            if notification.char in self._subscribed and not self._lossy("n", notification.char, notification.data):
                self._inbox.append(notification)
