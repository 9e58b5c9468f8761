"""Dry run: the real procedure against a virtual twin of the unit that was looked at.

An operation looks at the unit and judges its plan, as always, and writes nothing. Then the twin is built from what was
read, and the same operation works on it: in simulated time, on copies of the stores in a temporary folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from mitherm.device.abilities import Abilities
from mitherm.device.boards import possible_boards, remembered_board
from mitherm.device.observation import Observation
from mitherm.errors import MithermError
from mitherm.model.family import Family
from mitherm.model.keys import BIND_KEY_LENGTH, TOKEN_LENGTH, did_record
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.bench import Bench, Rehearsal, Stores, Work
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import Event, Notice, Progress, StepEnd, StepStart
from mitherm.radio.gatt import Radio
from mitherm.virtual.clock import run_virtual
from mitherm.virtual.loopback.radio import Loopback
from mitherm.virtual.twin import TwinFacts, display_on, make_twin
from mitherm.virtual.unit import Unit
from mitherm.virtual.view import state_of

BLOCKS_PER_EVENT: Final = 6
EVENT_S: Final = 0.015
"""What an ordinary adapter carries: the estimate of the transfer time (telink-ota.md 9.3)."""

_R = TypeVar("_R")


async def rehearse(
    bench: Bench, unit: Observation, settings: tuple[bytes, ...], work: Callable[[Bench], Awaitable[Work]]
) -> Rehearsal:
    """See ops.bench.Rehearse. What goes wrong on the twin is raised as it would be, with the unit unchanged."""
    board = Abilities.of(unit).board or remembered_board(bench.stores.inventory.get(unit.address))
    twin = make_twin(facts_of(bench, unit, board, settings), bench.entropy, bench.catalogue)
    notes = _Notes(bench.tell, asyncio.get_running_loop())
    bench.note(f"rehearsal on a virtual twin of {unit.address} ({unit.label}); nothing is sent to the unit")
    with TemporaryDirectory(prefix="mitherm-twin-") as folder:
        stores = _copies(bench.stores, Path(folder))
        try:
            done = await _in_simulated_time(_on_twin(bench, twin, stores, notes, work))
        except MithermError as problem:
            problem.device = "unchanged"
            raise
    return Rehearsal(
        outcome=done.outcome,
        seconds=round(done.seconds + notes.air_time_s, 1),
        writes=twin.traffic["write"],
        reads=twin.traffic["read"],
        notifications=twin.traffic["notify"],
        final=replace(
            state_of(twin), display=display_on(twin, possible_boards(unit.identity.hardware, board), bench.catalogue)
        ),
    )


async def _on_twin(
    bench: Bench, twin: Unit, stores: Stores, notes: _Notes, work: Callable[[Bench], Awaitable[Work]]
) -> Work:
    async with Loopback([twin], name="twin") as radio:
        return await work(_twin_bench(bench, radio, stores, notes.tell))


def _twin_bench(bench: Bench, radio: Radio, stores: Stores, tell: Callable[[Event], None]) -> Bench:
    """The same bench, but that everything happens to the twin, and nobody is asked."""
    return replace(
        bench,
        radio=radio,
        stores=stores,
        clock=asyncio.get_running_loop().time,
        tell=tell,
        ask=lambda question: True,
        ask_token=None,
        allow_synthetic=True,
        dry_run=False,
        rehearse=None,
    )


async def _in_simulated_time(main: Coroutine[Any, Any, _R]) -> _R:
    """Run `main` on a clock that jumps. That needs a loop of its own, and a second loop a thread of its own; to cancel
    this cancels `main`.
    """
    there: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def inside() -> _R:
        if (task := asyncio.current_task()) is not None:
            there.append((asyncio.get_running_loop(), task))
        return await main

    job = asyncio.get_running_loop().run_in_executor(None, lambda: run_virtual(inside()))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        for loop, task in there:
            loop.call_soon_threadsafe(task.cancel)
        with suppress(asyncio.CancelledError):
            await job
        raise


# --- what the twin says -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Notes:
    """Passes events on to the loop of the unit's bench, and adds up what transfers would take on the air."""

    listener: Callable[[Event], None]
    loop: asyncio.AbstractEventLoop
    blocks: int = field(default=0)

    def tell(self, event: Event) -> None:
        """Called in the thread of the twin."""
        if isinstance(event, Progress) and event.done == event.total:
            self.blocks += event.total
        self.loop.call_soon_threadsafe(self.listener, _of_the_twin(event))

    @property
    def air_time_s(self) -> float:
        """Of all blocks so far: the loopback radio carries them in no time."""
        return self.blocks / BLOCKS_PER_EVENT * EVENT_S


def _of_the_twin(event: Event) -> Event:
    """The same event, in words that nobody takes for the unit's."""
    match event:
        case StepStart(step, reason, label):
            return StepStart(step, reason, f"twin: {label or step}")
        case StepEnd(step, detail):
            return StepEnd(step, f"twin: {detail or step}")
        case Notice(level, text, hint):
            return Notice(level, f"twin: {text}", hint)
    return event


# --- what the twin is made of -----------------------------------------------------------------------------------------


def facts_of(bench: Bench, unit: Observation, board: str | None, settings: tuple[bytes, ...]) -> TwinFacts:
    """What was read of the unit. Keys come from its own records, else from the vault."""
    records = unit.records
    return TwinFacts(
        address=unit.address,
        firmware=f"{unit.family}-{unit.version}" if unit.version else unit.family,
        model=Abilities.of(unit).model_key or LYWSD03MMC,
        hardware=board or unit.identity.hardware,
        battery_mv=unit.battery_mv,
        did=records.did if records is not None else _did(unit),
        keys=records.keys if records is not None else _key_record(bench, unit),
        deleted=records.deleted if records is not None else (),
        settings=settings,
    )


def _key_record(bench: Bench, unit: Observation) -> Secret | None:
    """What a bound stock unit holds, as far as the vault knows; unknown parts are drawn, so that the twin is bound too."""
    if unit.family is not Family.STOCK or unit.registered is False:
        return None
    current = bench.stores.vault.access(unit.address).current_token
    if current is None:
        return Secret(bench.entropy(TOKEN_LENGTH + BIND_KEY_LENGTH)) if unit.registered else None
    bind_key = current.generation.keys.bind_key
    return Secret(current.secret.reveal() + (bind_key.reveal() if bind_key else bench.entropy(BIND_KEY_LENGTH)))


def _did(unit: Observation) -> bytes | None:
    return did_record(unit.did) if unit.did is not None else None


def _copies(stores: Stores, folder: Path) -> Stores:
    """What the twin may change. Images are only read."""
    return Stores(
        stores.vault.copy(folder / "vault"),
        stores.journal.copy(folder / "journal.jsonl"),
        stores.inventory.copy(folder / "inventory.json"),
        stores.library,
    )
