"""UNIT for commands that need no connection: the radio is opened only for a name that nobody noted."""

from __future__ import annotations

from mitherm.cli.bench import open_bench, stores
from mitherm.cli.context import App
from mitherm.errors import DeviceNotFound, RadioUnavailable
from mitherm.model.address import Address
from mitherm.ops.target import named, resolve


def unit_address(app: App, text: str) -> Address:
    """The address meant by `text`. Raises DeviceNotFound, UsageProblem."""
    return named(stores().inventory, text) or app.run(lambda: _listen(app, text))


async def _listen(app: App, text: str) -> Address:
    try:
        async with open_bench(app) as bench:
            return await resolve(bench, text)
    except RadioUnavailable as problem:
        raise DeviceNotFound(
            f"the inventory has no unit called {text!r}, and no radio is there to look for it",
            hint="name the address; `mitherm inventory list` shows what is known",
        ) from problem
