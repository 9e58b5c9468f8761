"""Send an image and see what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mitherm.device.abilities import Abilities
from mitherm.device.boards import NEW_BOARD
from mitherm.device.observation import Observation
from mitherm.errors import (
    DeviceNotFound,
    KeyProblem,
    LinkError,
    MithermError,
    NotSupported,
    NotVerified,
    PeerMisbehaved,
    TransferFailed,
    TransferResult,
)
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import StepKind
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.guards.unit import FOUR_STEPS
from mitherm.ops.keys.login import logged_in
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.ops.updating.steps import Flash
from mitherm.protocol.events import Notice, StepEnd, StepStart
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.protocol.ota.extended import clear_area
from mitherm.protocol.ota.packets import BANK_SIZE
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.retry import retry

PaceChoice: TypeAlias = Literal["auto", "fast", "safe"]
PACES: Final = {"auto": (Pace.FAST, Pace.SAFE), "fast": (Pace.FAST,), "safe": (Pace.SAFE,)}
GIVE_UP_S: Final = {Family.STOCK: 7.5, Family.ATC1441: 7.0}
"""The inactivity limit of the running firmware and a little: after it a broken transfer has left nothing behind."""
GIVE_UP_LONGEST_S: Final = 18.0
"""The same for pvvx, and for what is not known."""
REAPPEAR_S: Final = 60.0
"""How long a unit may take to advertise again: it clears the idle bank first, and a signature check takes seconds."""
LOOK_AGAIN: Final = 3
"""The first look may catch the dying link of the old firmware, the second its stale attribute table."""


@dataclass(frozen=True, slots=True)
class Job:
    """One transfer: what, to which unit, and how that was before."""

    address: Address
    step: Flash
    before: Observation

    @property
    def image(self) -> SelectedImage:
        """What is sent."""
        return self.step.image

    @property
    def distinguishable(self) -> bool:
        """Whether old and new firmware can be told apart afterwards."""
        return not self.runs_on(self.before)

    def runs_on(self, observation: Observation) -> bool:
        """Whether the unit runs the image, as far as can be told."""
        image = self.image
        return Abilities.of(observation).runs(image.family, image.version, image.inspection.build)

    def unchanged(self, observation: Observation) -> bool:
        """Whether the old firmware runs."""
        return _shown(observation) == _shown(self.before)


def _shown(observation: Observation) -> tuple[str | None, str | None, bool]:
    """What tells firmware apart. A serial number that could not be read for once is no other build."""
    return (observation.family, observation.version, Abilities.of(observation).build == "B1.6")


async def transfer(bench: Bench, job: Job, pace: PaceChoice = "auto") -> Observation:
    """Send the image, wait for the restart, verify. Returns the unit as it is now; raises TransferFailed, NotVerified.

    `auto` begins fast. When that breaks, or its end is lost, it waits until the unit has given up, looks, and repeats at
    the safe pace, once, with a login of its own. A refused signature is not repeated.
    """
    first, *others = PACES[pace]
    problem = await _attempt(bench, job, first)
    if problem is None:
        after = await _look_again(bench, job)
        if job.runs_on(after):
            return _verified(bench, job, after)
        if not others or not job.unchanged(after) or Abilities.of(job.before).needs_signature:
            raise _not_verified(job, after)
        problem = TransferFailed("the old firmware is back: the end of the transfer was lost")
    for slower in others:
        bench.tell(Notice("warning", f"{problem.message}; again at the safe pace"))
        return await _again(bench, job, slower)
    raise _broken(problem)


async def _again(bench: Bench, job: Job, pace: Pace) -> Observation:
    """Once more. Perhaps the last packet arrived and only its echo was lost: then nothing is left to do."""
    await asyncio.sleep(GIVE_UP_S.get(job.before.family, GIVE_UP_LONGEST_S))
    now = await _look_again(bench, job)
    if job.distinguishable and job.runs_on(now):
        return _verified(bench, job, now)
    if not job.unchanged(now):
        raise _not_verified(job, now)
    problem = await _attempt(bench, job, pace)
    if problem is not None:
        raise _broken(problem)
    after = await _look_again(bench, job)
    if not job.runs_on(after):
        raise _not_verified(job, after)
    return _verified(bench, job, after)


async def _attempt(bench: Bench, job: Job, pace: Pace) -> MithermError | None:
    """None once everything is across and the unit restarts; else why not. What is neither a lost link nor a refused
    transfer would end the same way at any pace, and is raised.
    """
    try:
        async with _link(bench, job) as link:
            limit = await _clear(bench, job, link)
            sending = send_image(job.image.data, pace, stock=job.step.login, limit=limit)
            await run(sending, link, on_event=bench.tell)
    except (LinkError, TransferFailed) as problem:
        return problem
    bench.tell(StepEnd(StepKind.TRANSFER, f"{len(job.image.data)} bytes are across, the unit restarts"))
    return None


async def _clear(bench: Bench, job: Job, link: Link) -> int:
    """Bytes there is room for."""
    if job.step.area_kib is None:
        return max(BANK_SIZE, job.image.inspection.padded_length)
    try:
        return await run(clear_area(job.step.area_kib), link, on_event=bench.tell)
    except PeerMisbehaved as refusal:
        raise NotSupported(
            refusal.message, hint="nothing was written; update pvvx to the newest version first"
        ) from refusal


def _broken(problem: MithermError) -> TransferFailed:
    return TransferFailed(
        f"the transfer broke off: {problem.message}",
        hint="An interrupted transfer is harmless: the old firmware goes on. Move closer, use a fresh cell, repeat.",
        device=problem.device,
    )


@asynccontextmanager
async def _link(bench: Bench, job: Job) -> AsyncIterator[Link]:
    if job.step.login:
        async with logged_in(bench, job.address) as (link, _):
            yield link
    else:
        async with Link(bench.radio, await find(bench, job.address)) as link:
            yield link


# --- afterwards -------------------------------------------------------------------------------------------------------


async def _look_again(bench: Bench, job: Job) -> Observation:
    """The unit after its restart. A link that still belongs to the time before, or a stale table, is tried again."""
    bench.tell(StepStart(StepKind.VERIFY, f"wait until {job.address} advertises again"))

    async def once() -> Observation:
        return (await look(bench, job.address, timeout_s=REAPPEAR_S, ask_bound=not job.step.login)).observation

    try:
        return await retry(once, (LinkError, KeyProblem), attempts=LOOK_AGAIN)
    except DeviceNotFound as gone:
        raise _gone(job) from gone
    except (LinkError, KeyProblem) as problem:
        raise _failed(
            f"transferred, and {job.address} advertises, but it cannot be read: {problem.message}",
            "look again later with `mitherm info`",
            TransferResult.UNREADABLE,
        ) from problem


def _verified(bench: Bench, job: Job, after: Observation) -> Observation:
    if not job.distinguishable and Abilities.of(job.before).needs_signature and not job.image.inspection.genuine:
        raise _failed(
            f"transferred; {after.label} ran before and runs now, and nothing tells whether it is the new one",
            f"probably it is not: {Abilities.of(after).refusal(job.image.inspection)}",
            TransferResult.SAME_VERSION,
        )
    bench.tell(StepEnd(StepKind.VERIFY, f"{job.address} runs {after.label}"))
    if Abilities.of(after).board in (None, NEW_BOARD):
        bench.note(
            "if the display is dark or garbled, the unit is not dead: another version fits its board, flash that"
        )
    return after


def _not_verified(job: Job, after: Observation) -> NotVerified:
    if not job.unchanged(after):
        return _failed(
            f"the unit runs {after.label}, not {job.image.label}", "say the same again", TransferResult.OTHER_FIRMWARE
        )
    if Abilities.of(job.before).needs_signature:
        return _failed(
            f"the signature check of {after.label} refused the image: {Abilities.of(after).refusal(job.image.inspection)}. "
            "The old firmware is back, unharmed",
            FOUR_STEPS,
            TransferResult.OLD_FIRMWARE,
        )
    return _failed(
        f"the old firmware is back: {after.label}",
        "the unit did not accept the image, or lost its last packet. It is unharmed: repeat, closer and with a fresh cell",
        TransferResult.OLD_FIRMWARE,
    )


def _gone(job: Job) -> NotVerified:
    """Everything was sent and the unit is silent: the likeliest causes first (product-needs.md F5)."""
    if job.image.family is Family.ZIGBEE:
        return _failed(
            f"transferred; {job.image.label} does not speak Bluetooth, so it cannot be seen from here",
            "let your Zigbee coordinator search for new devices",
            TransferResult.DARK,
        )
    cell = (
        f"{job.before.battery_mv} mV before the transfer" if job.before.battery_mv else "not known before the transfer"
    )
    return _failed(
        f"transferred to the last byte, but {job.address} has not advertised for {REAPPEAR_S:.0f} s: it may be dark",
        f"take the cell out for a minute and put in a fresh one (battery: {cell}), then `mitherm info`. If it stays dark, "
        f"{job.image.label} does not start on board {Abilities.of(job.before).board or 'of unknown revision'}, and only the wire helps "
        "(a USB-serial adapter on the debug pin)",
        TransferResult.DARK,
    )


def _failed(message: str, hint: str, transfer: TransferResult) -> NotVerified:
    return NotVerified(message, hint=hint, transfer=transfer)
