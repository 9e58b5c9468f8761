"""What SIGINT and SIGTERM do while a loop runs: long commands end cleanly."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at the first signal; the second one has its usual effect."""
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


async def until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run endless work until the first signal, or its own end; raises what it raises."""
    stop = asyncio.Event()
    with stopped_by_signals(stop):
        working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working
