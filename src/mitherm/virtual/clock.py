"""An event loop whose clock jumps to the next timer: simulated seconds cost nothing.

Time stands still while a job runs in an executor, and jumps only after a short look at the network while sockets are
open, so that a local server can answer before its time-out is reached.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

IDLE_S: Final = 0.05
"""Real seconds per look when nothing is scheduled or a thread is at work."""
NETWORK_GRACE_S: Final = 0.005
"""Real seconds that open sockets get before each jump."""
_OWN_DESCRIPTORS: Final = 1
"""The loop's own pipe, which threads wake it with."""

_R = TypeVar("_R")
_Ts = TypeVarTuple("_Ts")


class _JumpingSelector(selectors.DefaultSelector):
    """Polls the real selector; where that would have slept, moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.jobs = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(self._patience(timeout))
        if not ready and timeout is not None and not self.jobs:
            self.now += max(timeout, 0.0)
        return ready

    def _patience(self, timeout: float | None) -> float:
        if timeout is None or self.jobs:
            return IDLE_S if timeout is None else min(max(timeout, 0.0), IDLE_S)
        return min(max(timeout, 0.0), NETWORK_GRACE_S) if len(self.get_map()) > _OWN_DESCRIPTORS else 0.0


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` starts at 0 and passes only where the loop would have slept."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Simulated seconds."""
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _R], *args: *_Ts
    ) -> asyncio.Future[_R]:
        """As usual; the clock waits for the job."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As usual; the clock waits for the threads."""
        self._jumping.jobs += 1
        await super().shutdown_default_executor(*args)
        self._jumping.jobs -= 1

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.jobs -= 1


def run_virtual(main: Coroutine[Any, Any, _R]) -> _R:
    """`asyncio.run` on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)
