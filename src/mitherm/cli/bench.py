"""A bench for operations: stores, clock, entropy and the radio, from the settings in force."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from mitherm.cli.context import App
from mitherm.cli.questions import type_token
from mitherm.cli.radios import open_radio, takes_synthetic
from mitherm.ops.bench import Bench, Stores
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.paths import Paths
from mitherm.store.vault import Vault


def stores() -> Stores:
    """The durable places of this user."""
    paths = Paths.from_environment()
    return Stores(Vault(paths.vault), Journal(paths.journal), Inventory(paths.inventory), Library(paths.library))


def present() -> datetime:
    """Now."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_bench(app: App, *, waivers: Collection[str] = ()) -> AsyncIterator[Bench]:
    """Everything an operation needs, for as long as the context is open."""
    async with open_radio(app.radio, app.settings.timeout()) as radio:
        yield Bench(
            radio=radio,
            stores=stores(),
            entropy=os.urandom,
            wall=present,
            clock=asyncio.get_running_loop().time,
            tell=app.terminal.tell,
            ask=app.ask,
            ask_token=type_token if sys.stdin.isatty() else None,
            timeout_s=app.settings.timeout(),
            waivers=frozenset(waivers),
            allow_synthetic=takes_synthetic(app.radio),
            dry_run=app.settings.dry_run,
        )
