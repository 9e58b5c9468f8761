"""Dry run: the real procedure against a virtual twin of the unit that was looked at (`--dry-run`).

Phase one looks at the unit and judges the plan, as always, and writes nothing. Phase two builds the twin from what was
read and lets the same operation work on it, in simulated time, with a vault of its own in a temporary folder.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mitherm.cli.bench import open_bench, present, stores
from mitherm.cli.context import App
from mitherm.device.abilities import Abilities
from mitherm.device.boards import remembered_board
from mitherm.device.observation import Observation
from mitherm.model.family import Family
from mitherm.model.keys import BIND_KEY_LENGTH, TOKEN_LENGTH, did_record
from mitherm.model.models import LYWSD03MMC
from mitherm.model.operation import Outcome
from mitherm.ops.bench import Bench, Stores
from mitherm.ops.updating.execute import UpdateResult
from mitherm.ops.updating.flash import report
from mitherm.ops.upkeep.settings import setting_commands
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import Event, Notice, Progress, StepDone, StepStarted
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.virtual.clock import run_virtual
from mitherm.virtual.loopback.radio import Loopback
from mitherm.virtual.twin import TwinFacts, make_twin
from mitherm.virtual.view import describe

BLOCKS_PER_EVENT = 6
EVENT_S = 0.015
"""What an ordinary adapter carries: the estimate of the transfer time (telink-ota.md 9.3)."""


def dry_run(app: App, waivers: frozenset[str], act: Callable[[Bench], Awaitable[UpdateResult]]) -> dict[str, object]:
    """Look, plan and judge on the radio in force, then rehearse. Where nothing is to do, nothing is rehearsed."""
    looked, settings = app.run(lambda: _look(app, waivers, act))
    if looked.outcome is not Outcome.DRY_RUN:
        return report(looked)
    return rehearse(app, looked, settings, waivers, act)


async def _look(
    app: App, waivers: frozenset[str], act: Callable[[Bench], Awaitable[UpdateResult]]
) -> tuple[UpdateResult, tuple[bytes, ...]]:
    async with open_bench(app, waivers=waivers) as bench:
        looked = await act(bench)
        return looked, await setting_commands(bench, looked.before)


def rehearse(
    app: App,
    looked: UpdateResult,
    settings: tuple[bytes, ...],
    waivers: frozenset[str],
    act: Callable[[Bench], Awaitable[UpdateResult]],
) -> dict[str, object]:
    """Run `act` against a twin of `looked.before`; the report of the plan with what the twin did."""
    facts = facts_of(looked.before, settings)
    unit = make_twin(facts, os.urandom)
    transfers: list[int] = []

    def tell(event: Event) -> None:
        if isinstance(event, Progress) and event.done == event.total:
            transfers.append(event.total)
        app.terminal.tell(_of_the_twin(event))

    app.terminal.tell(
        Notice(
            "info",
            f"rehearsal on a virtual twin of {facts.address} ({looked.before.label}); nothing is sent to the unit",
        )
    )

    async def inside(folder: Path) -> UpdateResult:
        async with Loopback([unit], name="twin") as radio:
            return await act(_bench(radio, folder, tell, waivers))

    with TemporaryDirectory(prefix="mitherm-twin-") as name:
        done = run_virtual(inside(Path(name)))
    estimate = sum(blocks / BLOCKS_PER_EVENT * EVENT_S for blocks in transfers)
    return {
        **report(replace(looked, outcome=Outcome.DRY_RUN)),
        "rehearsal": {
            "outcome": done.outcome,
            "seconds": round(done.seconds + estimate, 1),
            "writes": unit.traffic["write"],
            "reads": unit.traffic["read"],
            "notifications": unit.traffic["notify"],
            "final": describe(unit),
        },
    }


def _of_the_twin(event: Event) -> Event:
    """The same event, so told that nobody takes it for the unit's."""
    match event:
        case StepStarted(step, reason, label):
            return StepStarted(step, reason, f"twin: {label or step}")
        case StepDone(step, detail):
            return StepDone(step, f"twin: {detail or step}")
        case Notice(level, text, hint):
            return Notice(level, f"twin: {text}", hint)
    return event


def facts_of(seen: Observation, settings: tuple[bytes, ...]) -> TwinFacts:
    """What the twin is made of. Keys come from the unit's own records, else from the vault."""
    records, abilities = seen.records, Abilities.of(seen)
    return TwinFacts(
        address=seen.address,
        firmware=f"{seen.family}-{seen.version}" if seen.version else seen.family,
        model=abilities.model_key or LYWSD03MMC,
        hardware=abilities.board or remembered_board(stores().inventory.get(seen.address)) or seen.identity.hardware,
        battery_mv=seen.battery_mv,
        did=records.did if records is not None else _did(seen),
        keys=records.keys if records is not None else _key_record(seen),
        deleted=records.deleted if records is not None else (),
        settings=settings,
    )


def _key_record(seen: Observation) -> Secret | None:
    """What a bound stock unit holds, as far as the vault knows; unknown parts are drawn, so that the twin is bound too."""
    if seen.family is not Family.STOCK or seen.registered is False:
        return None
    current = stores().vault.access(seen.address).current_token
    if current is None:
        return Secret(os.urandom(TOKEN_LENGTH + BIND_KEY_LENGTH)) if seen.registered else None
    bind_key = current.generation.keys.bind_key
    return Secret(current.secret.reveal() + (bind_key.reveal() if bind_key else os.urandom(BIND_KEY_LENGTH)))


def _did(seen: Observation) -> bytes | None:
    return did_record(seen.did) if seen.did is not None else None


def _bench(radio: Any, folder: Path, tell: Callable[[Event], None], waivers: frozenset[str]) -> Bench:
    import asyncio

    real = stores()
    return Bench(
        radio=radio,
        stores=Stores(
            real.vault.copy(folder / "vault"),
            Journal(folder / "journal.jsonl"),
            Inventory(folder / "inventory.json"),
            real.library,
        ),
        entropy=os.urandom,
        wall=present,
        clock=asyncio.get_running_loop().time,
        tell=tell,
        ask=lambda question: True,
        waivers=waivers,
        allow_synthetic=True,
    )
