"""A bench for operations, from the settings in force."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mitherm.cli.context import App
from mitherm.cli.questions import type_token
from mitherm.ops.bench import Bench
from mitherm.wiring import bench as wiring
from mitherm.wiring.bench import open_stores as stores
from mitherm.wiring.bench import present

if TYPE_CHECKING:
    from mitherm.ops.files.library import ImageSource

__all__ = ["image_source", "open_bench", "present", "stores"]


def image_source(app: App) -> ImageSource:
    """The library of this user, with the catalogue in force."""
    return wiring.open_images(catalogue=app.settings.catalogue)


@asynccontextmanager
async def open_bench(app: App, *, waivers: Collection[str] = ()) -> AsyncIterator[Bench]:
    """Everything an operation needs, for as long as the context is open."""
    async with wiring.open_bench(
        str(app.radio),
        tell=app.terminal.tell,
        ask=app.ask,
        ask_token=type_token if sys.stdin.isatty() else None,
        timeout_s=app.settings.timeout(),
        waivers=waivers,
        catalogue=app.settings.catalogue,
        dry_run=app.settings.dry_run,
    ) as bench:
        yield bench
