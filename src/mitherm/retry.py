"""Trying again: a few times where a person waits, without end and ever more slowly where a service does.

Sleeps on the clock of the running loop, so that virtual time works. Why no library: docs/explanation/architecture.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


async def retry(
    work: Callable[[], Awaitable[_T]],
    on: type[Exception] | tuple[type[Exception], ...],
    *,
    attempts: int,
    pause_s: float = 0.0,
) -> _T:
    """What `work` returns. Raises its error of the last attempt, and at once every error that is none of `on`.

    The pause grows with the attempts: `pause_s`, twice that, three times ...
    """
    for attempt in range(1, attempts):
        try:
            return await work()
        except on as problem:
            _log.info("attempt %d of %d: %s", attempt, attempts, problem)
            await asyncio.sleep(pause_s * attempt)
    return await work()


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts that never end: each twice the one before, up to the longest."""

    first_s: float
    longest_s: float
    _next_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The last attempt did well: begin with the short pause again."""
        self._next_s = self.first_s

    def pause_s(self) -> float:
        """Seconds to wait now."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self.longest_s)
        return pause_s
