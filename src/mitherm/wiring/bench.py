"""Everything an operation needs, put together in one call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mitherm.device.observation import Observation
from mitherm.image.catalogue import Catalogue
from mitherm.image.shipped import shipped_catalogue
from mitherm.ops.bench import Bench, Rehearsal, Stores, Work
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import Event
from mitherm.radio.open import RadioName
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.paths import Paths
from mitherm.store.vault import Vault
from mitherm.wiring.radios import open_radio, takes_synthetic

if TYPE_CHECKING:
    from mitherm.ops.files.library import ImageSource


@asynccontextmanager
async def open_bench(
    radio: str = "system",
    *,
    home: Path | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    ask: Callable[[str], bool] = lambda question: False,
    ask_token: Callable[[str], Secret | None] | None = None,
    timeout_s: float = 30.0,
    waivers: Collection[str] = (),
    catalogue: Catalogue | None = None,
    dry_run: bool = False,
) -> AsyncIterator[Bench]:
    """A bench as long as the context is open.

    `radio` as after --radio; `home`: folder instead of the user's own (MITHERM_HOME); `tell` hears what happens, `ask`
    agrees to plans (nothing is done without), `ask_token` gives the token of a unit that nobody has yet; `timeout_s`: how
    long to look for a unit; `waivers` are ids of rules; `catalogue`: what is known of firmware files, the shipped one by
    default; `dry_run`: write nothing to units. Raises UsageProblem and what
    opening the radio raises.
    """
    name = RadioName.parse(radio)
    async with open_radio(name, timeout_s) as opened:
        yield Bench(
            radio=opened,
            stores=open_stores(home),
            entropy=os.urandom,
            wall=present,
            clock=asyncio.get_running_loop().time,
            tell=tell,
            ask=ask,
            ask_token=ask_token,
            timeout_s=timeout_s,
            waivers=frozenset(waivers),
            allow_synthetic=takes_synthetic(name),
            catalogue=catalogue or shipped_catalogue(),
            dry_run=dry_run,
            rehearse=_rehearse,
        )


async def _rehearse(
    bench: Bench, unit: Observation, settings: tuple[bytes, ...], work: Callable[[Bench], Awaitable[Work]]
) -> Rehearsal:
    from mitherm.wiring.rehearsal import rehearse  # virtual units are a lot to load for those who rehearse nothing

    return await rehearse(bench, unit, settings, work)


def open_stores(home: Path | None = None) -> Stores:
    """The durable places of this user, or those in a folder."""
    paths = Paths.from_environment({"MITHERM_HOME": str(home)} if home is not None else os.environ)
    return Stores(Vault(paths.vault), Journal(paths.journal), Inventory(paths.inventory), Library(paths.library))


def open_images(home: Path | None = None, *, catalogue: Catalogue | None = None) -> ImageSource:
    """The image library of this user, or that in a folder: what work on firmware files needs, without a radio."""
    from mitherm.ops.files.library import ImageSource  # most commands look at no image

    return ImageSource(open_stores(home).library, catalogue or shipped_catalogue())


def present() -> datetime:
    """Now."""
    return datetime.now(UTC)
