"""Send an image and see what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mitherm.device.observation import Observation
from mitherm.errors import DeviceNotFound, KeyProblem, LinkError, MithermError, NotVerified, TransferFailed
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.images import Chosen
from mitherm.ops.login import logged_in
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.protocol.events import Notice, StepDone, StepStarted
from mitherm.protocol.ota_client import Pace, send_image
from mitherm.radio.driver import run
from mitherm.radio.link import Link

PaceChoice: TypeAlias = Literal["auto", "fast", "safe"]
GIVE_UP_S: Final = 18.0
"""Longest inactivity limit (pvvx, 16 s) and a little: after it a broken transfer has left nothing behind."""
REAPPEAR_S: Final = 60.0
"""How long a unit may take to advertise again: it clears the idle bank first, and a signature check takes seconds."""
LOOK_AGAIN: Final = 3


@dataclass(frozen=True, slots=True)
class Transferred:
    """What the unit shows after the transfer."""

    seen: Observation


async def transfer(
    bench: Bench, address: Address, image: Chosen, before: Observation, *, login: bool, pace: PaceChoice = "auto"
) -> Observation:
    """Send `image`, wait for the restart, verify. Returns the unit as it is now; raises TransferFailed, NotVerified.

    `auto` begins fast; when that breaks it waits until the unit has given up and repeats at the safe pace, once.
    """
    paces = {"auto": (Pace.FAST, Pace.SAFE), "fast": (Pace.FAST,), "safe": (Pace.SAFE,)}[pace]
    for number, chosen in enumerate(paces):
        try:
            await _send(bench, address, image, login=login, pace=chosen)
            break
        except LinkError as problem:
            if number == len(paces) - 1:
                raise TransferFailed(
                    f"the transfer broke off: {problem.message}",
                    hint="An interrupted transfer is harmless: the old firmware goes on. Move closer, use a fresh cell, repeat.",
                    device="unchanged",
                ) from problem
            bench.tell(Notice("warning", f"the transfer broke off ({problem.message}); again at the safe pace", None))
            await asyncio.sleep(GIVE_UP_S)
    return await _verify(bench, address, image, before)


async def _send(bench: Bench, address: Address, image: Chosen, *, login: bool, pace: Pace) -> None:
    async with _link(bench, address, login) as link:
        await run(send_image(image.data, pace, stock=login), link, on_event=bench.tell)
    bench.tell(StepDone("transfer", f"{len(image.data)} bytes are across, the unit restarts"))


@asynccontextmanager
async def _link(bench: Bench, address: Address, login: bool) -> AsyncIterator[Link]:
    if login:
        async with logged_in(bench, address) as (link, _):
            yield link
    else:
        async with Link(bench.radio, await find(bench, address)) as link:
            yield link


async def _verify(bench: Bench, address: Address, image: Chosen, before: Observation) -> Observation:
    bench.tell(StepStarted("verify", f"wait until {address} advertises again"))
    after = await _see_again(bench, address, image)
    if after.family == image.family and image.version in (None, after.version):
        bench.tell(StepDone("verify", f"{address} runs {after.label}"))
        return after
    if (after.family, after.version) == (before.family, before.version):
        raise NotVerified(
            f"the old firmware is back: {after.label}",
            hint=_refused_hint(before),
            result={"outcome": "transferred"},
        )
    raise NotVerified(f"the unit runs {after.label}, not {image.label}", result={"outcome": "transferred"})


def _refused_hint(before: Observation) -> str:
    if before.mi_generation == 2:
        return (
            "this stock checks signatures and did not accept the image. The unit is unharmed. Builds of 2.1.1_0159 differ: "
            "flash the genuine signed 2.1.1_0159 first, then repeat"
        )
    return "the unit did not accept the image, or lost its last packet. It is unharmed: repeat, closer and with a fresh cell"


async def _see_again(bench: Bench, address: Address, image: Chosen) -> Observation:
    problem: MithermError | None = None
    for _ in range(LOOK_AGAIN):
        try:
            return (await look(bench, address, timeout_s=REAPPEAR_S)).seen
        except DeviceNotFound as gone:
            raise NotVerified(
                f"transferred, but {address} has not advertised for {REAPPEAR_S:.0f} s",
                hint="take the cell out for a minute and put it in again; if it stays dark, only the wire helps. "
                f"Whether {image.label} fits this board: `mitherm firmware inspect`",
                result={"outcome": "transferred"},
            ) from gone
        except (LinkError, KeyProblem) as trouble:
            problem = trouble
    raise NotVerified(
        f"transferred, and {address} advertises, but it cannot be read: {problem.message if problem else 'no answer'}",
        hint="look again later with `mitherm info`",
        result={"outcome": "transferred"},
    ) from problem
