"""RADIO -> a radio that runs (cli-contract.md, Global). The only place that joins product code and virtual units."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mitherm.errors import UsageProblem
from mitherm.radio.gatt import Radio

ALLOW_SYNTHETIC = "MITHERM_ALLOW_SYNTHETIC"


def takes_synthetic(spec: str) -> bool:
    """Whether synthetic images may go over this radio."""
    return spec.startswith(("virtual:", "air:")) or os.environ.get(ALLOW_SYNTHETIC) == "1"


@asynccontextmanager
async def open_radio(spec: str, wait_s: float) -> AsyncIterator[Radio]:
    """Open RADIO; virtual units are saved when it closes. Raises RadioUnavailable, Busy, FileMissing, UsageProblem."""
    kind, _, rest = spec.partition(":")
    if kind in ("virtual", "air"):
        if not rest:
            raise UsageProblem(f"{kind}: needs a folder", hint=f"for example --radio {kind}:demo")
        async with _world(kind, spec, Path(rest), wait_s) as radio:
            yield radio
    elif kind == "hci":
        from mitherm.virtual.air_hci import open_hci_radio

        async with open_hci_radio(rest) as radio:
            yield radio
    else:
        from mitherm.radio.open import open_radio as open_real

        async with open_real(spec) as radio:
            yield radio


@asynccontextmanager
async def _world(kind: str, spec: str, folder: Path, wait_s: float) -> AsyncIterator[Radio]:
    from mitherm.virtual.world import World

    loop = asyncio.get_running_loop()
    world = World.open(folder, now=loop.time(), wait_s=wait_s)
    try:
        if kind == "virtual":
            from mitherm.virtual.loopback import Loopback

            async with Loopback(world.units, name=spec) as radio:
                yield radio
        else:
            from mitherm.virtual.air import Air

            async with Air(world.units, name=spec) as air:
                yield air
    finally:
        world.close(loop.time())
