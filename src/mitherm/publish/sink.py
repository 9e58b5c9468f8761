"""Where reports go: a bounded feed that never makes the sender wait, and the base of everything that empties one."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from mitherm.errors import MithermError
from mitherm.model.report import Report

FEED_LIMIT: Final = 4096
"""Reports of a large home for about ten minutes; what a sink cannot catch up with then is old news."""
BATCH: Final = 256
"""As many as fit one request or transaction well."""

Counters: TypeAlias = Mapping[str, Mapping[str, float]]
"""Metric to {label value: number}; the label's name follows the metric's after a slash, a metric without label has ''."""


class Gateway(Protocol):
    """What the program that runs the sinks offers them."""

    def counters(self) -> Counters:
        """Frames by fate, and what each sink delivered and dropped."""

    def ages(self) -> Mapping[str, float]:
        """Seconds since each unit's last advert."""

    def reload(self) -> None:
        """Take names and keys from the stores anew: something has changed there."""


class Feed:
    """A queue for one reader; when it is full the oldest report goes, and is counted."""

    def __init__(self, limit: int = FEED_LIMIT) -> None:
        self.dropped = 0
        self._waiting: deque[Report] = deque()
        self._limit = limit
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, report: Report) -> None:
        """Add a report; never waits."""
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(report)
        self._changed.set()

    def close(self) -> None:
        """No more reports; the reader gets what is waiting, then nothing."""
        self._closed = True
        self._changed.set()

    async def batch(self, limit: int = BATCH) -> list[Report]:
        """Up to `limit` reports, at least one; an empty list when the feed is closed and empty."""
        while not self._waiting and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]


class Sink(ABC):
    """Takes reports out of its feed. A slow or failing sink loses reports of its own feed and delays nobody."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.feed = Feed()
        self.sent = 0
        """Reports (or messages) delivered."""
        self.lost = 0
        """Lost behind the feed, for instance in a full queue."""
        self.problem: str | None = None
        """Why nothing gets through right now."""

    async def open(self, gateway: Gateway) -> None:
        """Get ready; what fails here ends the program. Raises MithermError."""

    @abstractmethod
    async def run(self) -> None:
        """Deliver until the feed ends. MithermErrors of kind Unavailable or StoreError are retried later."""

    async def close(self) -> None:
        """Give everything back; called once, also after failures."""

    @property
    def dropped(self) -> int:
        """Reports that will never be delivered."""
        return self.feed.dropped + self.lost

    @property
    def failure(self) -> MithermError | None:
        """What to say at the end where nothing ever got through."""
        return None
