"""`virtual serve`: units for other processes, in real time, until a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from mitherm.cli.context import App
from mitherm.cli.signals import stopped_by_signals
from mitherm.protocol.events import Notice
from mitherm.virtual.air.serve import serve
from mitherm.virtual.world import Home, World
from mitherm.wiring.interrupts import interruptible


async def serve_folder(app: App, folder: Path, monikers: tuple[str, ...]) -> None:
    """Serve until SIGINT or SIGTERM; units are saved then and after every reboot."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    with interruptible():
        world = World.open(folder, now=loop.time(), wait_s=app.settings.timeout())
    try:
        for home in world.homes:
            home.unit.on_reboot = _saver(world, home)
        # Said first, which also loads the terminal: the kernel gives a new dongle two seconds for its first answer.
        app.terminal.tell(Notice("info", f"{len(world.units)} units come on the air", "Ctrl-C ends and saves them"))
        async with serve(world.units, monikers) as opened:
            for moniker in opened:
                client = moniker.replace("tcp-server:", "tcp-client:", 1)
                app.terminal.tell(Notice("info", f"{moniker} is open", f"elsewhere: mitherm --radio hci:{client} scan"))
            with stopped_by_signals(stop):
                await stop.wait()
    finally:
        world.close(loop.time())


def _saver(world: World, home: Home) -> Callable[[], None]:
    return lambda: world.save(home)
