"""UNIT in commands: the bench opened for an operation on it, or, where no connection is needed, its address alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from mitherm.cli.context import App
from mitherm.errors import DeviceNotFound, RadioUnavailable
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.target import named, resolve
from mitherm.wiring.bench import open_stores

_R = TypeVar("_R")


def on_bench(app: App, act: Callable[[Bench], Awaitable[_R]], waivers: Collection[str] = ()) -> _R:
    """Open everything an operation needs, act. Operations find out by themselves which unit is meant."""

    async def work() -> _R:
        async with app.open_bench(waivers) as bench:
            return await act(bench)

    return app.run(work)


def unit_address(app: App, text: str) -> Address:
    """The address meant by `text`; the radio is opened only for a name that nobody noted. Raises DeviceNotFound, UsageProblem."""
    return named(open_stores().inventory, text) or _listen(app, text)


def _listen(app: App, text: str) -> Address:
    try:
        return on_bench(app, lambda bench: resolve(bench, text))
    except RadioUnavailable as problem:
        raise DeviceNotFound(
            f"the inventory has no unit called {text!r}, and no radio is there to look for it",
            hint="name the address; `mitherm inventory list` shows what is known",
        ) from problem
