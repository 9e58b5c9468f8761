"""RADIO -> a radio that runs (cli-contract.md, Global). The only place that joins product code and virtual units."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mitherm.radio.gatt import Radio
from mitherm.radio.open import RadioName
from mitherm.radio.open import open_radio as open_real
from mitherm.wiring.interrupts import interruptible

ALLOW_SYNTHETIC = "MITHERM_ALLOW_SYNTHETIC"


def takes_synthetic(name: RadioName) -> bool:
    """Whether synthetic images may go over this radio."""
    return name.simulated or os.environ.get(ALLOW_SYNTHETIC) == "1"


@asynccontextmanager
async def open_radio(name: RadioName, wait_s: float) -> AsyncIterator[Radio]:
    """Open a radio; virtual units are saved when it closes. Raises RadioUnavailable, Busy, FileMissing."""
    if name.simulated:
        async with _world(name, wait_s) as radio:
            yield radio
    elif name.kind == "hci":
        from mitherm.virtual.air.hci import open_hci_radio

        async with open_hci_radio(name.argument) as radio:
            yield radio
    else:
        async with open_real(name) as radio:
            yield radio


@asynccontextmanager
async def _world(name: RadioName, wait_s: float) -> AsyncIterator[Radio]:
    from mitherm.virtual.world import World

    loop = asyncio.get_running_loop()
    with interruptible():
        world = World.open(Path(name.argument), now=loop.time(), wait_s=wait_s)
    try:
        if name.kind == "virtual":
            from mitherm.virtual.loopback.radio import Loopback

            async with Loopback(world.units, name=str(name)) as radio:
                yield radio
        else:
            from mitherm.virtual.air.radio import Air

            async with Air(world.units, name=str(name)) as air:
                yield air
    finally:
        world.close(loop.time())
