"""Long commands end cleanly: the first SIGINT or SIGTERM asks, the second has its usual effect."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at the first signal."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        give_back()

    def give_back() -> None:
        for number in _SIGNALS:
            with suppress(NotImplementedError, ValueError):
                loop.remove_signal_handler(number)

    for number in _SIGNALS:
        with suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; loops outside the main thread
            loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        give_back()
