"""`virtual serve`: units for other processes, in real time, until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from mitherm.cli.context import App
from mitherm.protocol.events import Notice
from mitherm.virtual.air_serve import serve
from mitherm.virtual.world import Home, World


async def serve_folder(app: App, folder: Path, monikers: tuple[str, ...]) -> None:
    """Serve until SIGINT or SIGTERM; units are saved then and after every reboot."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    world = World.open(folder, now=loop.time(), wait_s=app.settings.timeout())
    try:
        for home in world.homes:
            home.unit.on_reboot = _saver(world, home)
        async with serve(world.units, monikers) as opened:
            for moniker in opened:
                client = moniker.replace("tcp-server:", "tcp-client:", 1)
                app.terminal.tell(Notice("info", f"{moniker} is open", f"elsewhere: mitherm --radio hci:{client} scan"))
            await stop.wait()
    finally:
        world.close(loop.time())


def _saver(world: World, home: Home) -> Callable[[], None]:
    return lambda: world.save(home)
