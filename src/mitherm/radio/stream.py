"""Scan reports on their way from a radio's callback to whoever iterates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from mitherm.model.sighting import Sighting

LIMIT: Final = 4096
"""Reports kept for a slow reader; then the oldest go."""


class SightingStream:
    """An asynchronous iterator fed by `put`; it ends with `close`."""

    def __init__(self) -> None:
        self.dropped = 0
        """Reports that a slow reader lost."""
        self._waiting: deque[Sighting] = deque(maxlen=LIMIT)
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, sighting: Sighting) -> None:
        """Add a report."""
        self.dropped += len(self._waiting) == LIMIT
        self._waiting.append(sighting)
        self._changed.set()

    def close(self) -> None:
        """No more reports."""
        self._closed = True
        self._changed.set()

    def __aiter__(self) -> SightingStream:
        return self

    async def __anext__(self) -> Sighting:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


class Freshness:
    """Tells which service data of a report is news: some systems repeat old keys beside new ones (test-rig.md 4.1)."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], bytes] = {}

    def of(self, address: str, service_data: Mapping[str, bytes]) -> frozenset[str]:
        """The keys whose bytes changed since the previous report of `address`."""
        fresh = {uuid for uuid, data in service_data.items() if self._last.get((address, uuid)) != data}
        self._last.update({(address, uuid): service_data[uuid] for uuid in fresh})
        return frozenset(fresh)
