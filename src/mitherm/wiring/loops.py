"""The event loop that a radio wants: simulated time for units that live in this process, real time for everything else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mitherm.radio.open import RadioName

_R = TypeVar("_R")


def run_program(main: Coroutine[Any, Any, _R], radio: str = "system", *, real_time: bool = False) -> _R:
    """`asyncio.run(main)` for a program that opens its bench on `radio` (as after --radio).

    Where units are simulated, seconds of waiting cost nothing; `real_time` forbids that, for programs that also talk to
    the network or to a person. Raises UsageProblem, and what `main` raises.
    """
    try:
        factory = _loop_factory(RadioName.parse(radio), real_time)
    except BaseException:
        main.close()
        raise
    with asyncio.Runner(loop_factory=factory, debug=bool(os.environ.get("MITHERM_ASYNCIO_DEBUG"))) as runner:
        return runner.run(main)


def _loop_factory(radio: RadioName, real_time: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not radio.simulated or real_time:
        return None
    from mitherm.virtual.clock import VirtualClockLoop

    return VirtualClockLoop
