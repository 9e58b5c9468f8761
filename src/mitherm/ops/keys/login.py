"""Log in to a stock unit with what the vault has, newest and likeliest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.errors import KeysMismatch, KeysMissing, LinkError
from mitherm.model.access import Access, LoginToken
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.operation import StepKind
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Bench
from mitherm.ops.next_step import KEYS_HINT, NextStep, next_command, next_step
from mitherm.ops.target import find, resolve
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepEnd
from mitherm.protocol.mi.client import login
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.retry import retry

LINK_ATTEMPTS: Final = 3
"""Links per token: a lost one says nothing about the token."""


async def login_with_vault(bench: Bench, unit: Address | str) -> KeyGeneration:
    """Prove that one of the vault's tokens opens the unit; that generation is confirmed. Raises KeysMissing, KeysMismatch."""
    address = await resolve(bench, unit)
    async with logged_in(bench, address) as (_, generation):
        return generation


async def login_with_token(bench: Bench, unit: Address | str, token: Secret) -> KeyGeneration:
    """The same with a token the user typed; it goes to the vault once it proved right."""
    address = await resolve(bench, unit)
    sighting = await find(bench, address)
    async with Link(bench.radio, sighting) as link:
        await run(login(token, bench.entropy), link, on_event=bench.tell)
    vault = bench.stores.vault
    return vault.confirm(vault.add(address, MiKeys(token=token), "typed", bench.wall()), bench.wall())


@asynccontextmanager
async def logged_in(bench: Bench, address: Address) -> AsyncIterator[tuple[Link, KeyGeneration]]:
    """A connection on which the unit accepted a login. Raises KeysMissing, KeysMismatch.

    Each token is tried on a link of its own: after a mismatch the unit waits for the end of that conversation and would
    ignore the next one.
    """
    tokens = bench.stores.vault.access(address).tokens
    if not tokens:
        raise KeysMissing(f"the vault has no token of {address}", hint=_without_token(bench, address))
    async with AsyncExitStack() as stack:
        link, token = await _first_that_opens(bench, address, tokens, stack)
        generation = bench.stores.vault.confirm(token.generation, bench.wall())
        bench.tell(StepEnd(StepKind.LOGIN, f"logged in with keys {generation.keys.fingerprint}"))
        yield link, generation


def _without_token(bench: Bench, address: Address) -> str:
    """What leads on, as far as the unit is known without a look at it."""
    unit = bench.stores.inventory.get(address)
    if unit is None or unit.family is None:
        return f"{KEYS_HINT}; `{next_command(None, address)}` tells what else is possible"
    abilities = Abilities.known(unit.family, unit.model, unit.version)
    step = next_step(abilities, Access(), unit.bound)
    if step is NextStep.KEYS_NEEDED:
        renew = f"; `{NextStep.ACTIVATE.command(address)} --replace-keys` makes new ones, and Mi Home loses the unit"
        return KEYS_HINT + (renew if abilities.generation == 1 else "")
    return f"`{next_command(step, address)}` is possible without"


async def _first_that_opens(
    bench: Bench, address: Address, tokens: Sequence[LoginToken], stack: AsyncExitStack
) -> tuple[Link, LoginToken]:
    """The link that `stack` closes, and the token that opened it."""
    mismatch: KeysMismatch | None = None
    for token in tokens:
        try:
            return await _open(bench, address, token.secret, stack), token
        except KeysMismatch as problem:
            mismatch = problem
    raise KeysMismatch(
        f"none of the {len(tokens)} tokens in the vault opens {address}",
        hint="the unit was activated or added elsewhere since; fetch its keys anew and import them",
    ) from mismatch


async def _open(bench: Bench, address: Address, token: Secret, stack: AsyncExitStack) -> Link:
    """A logged-in link that `stack` closes; one that is lost is made anew, `LINK_ATTEMPTS` in all."""

    async def log_in() -> Link:
        async with AsyncExitStack() as opening:
            link = await opening.enter_async_context(Link(bench.radio, await find(bench, address)))
            await run(login(token, bench.entropy), link, on_event=bench.tell)
            stack.push_async_exit(opening.pop_all())
            return link

    return await retry(log_in, LinkError, attempts=LINK_ATTEMPTS)
