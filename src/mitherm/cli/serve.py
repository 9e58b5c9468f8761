"""`virtual serve`: units for other processes, in real time, until a signal."""

from __future__ import annotations

import asyncio

from mitherm.cli.context import App
from mitherm.cli.signals import stopped_by_signals
from mitherm.protocol.events import Notice
from mitherm.wiring.virtual_units import VirtualUnits


async def serve_units(app: App, units: VirtualUnits, monikers: tuple[str, ...]) -> None:
    """Serve until SIGINT or SIGTERM; units are saved then and after every reboot."""
    stop = asyncio.Event()
    # Said first, which also loads the terminal: the kernel gives a new dongle two seconds for its first answer.
    app.terminal.tell(Notice("info", f"the units of {units.folder} come on the air", "Ctrl-C ends and saves them"))
    async with units.serve(monikers) as endpoints:
        for moniker in endpoints:
            client = moniker.replace("tcp-server:", "tcp-client:", 1)
            app.terminal.tell(Notice("info", f"{moniker} is open", f"elsewhere: mitherm --radio hci:{client} scan"))
        with stopped_by_signals(stop):
            await stop.wait()
