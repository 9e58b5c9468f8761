"""Log in to a stock unit with what the vault has, newest and likeliest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from mitherm.errors import KeysMismatch, KeysMissing, LinkError
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Bench
from mitherm.ops.target import find
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepDone
from mitherm.protocol.mi.client import login
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.retry import retry

LINK_ATTEMPTS: Final = 3
"""Links per token: a lost one says nothing about the token."""


async def login_with_vault(bench: Bench, address: Address) -> KeyGeneration:
    """Prove that one of the vault's tokens opens the unit; that generation is confirmed. Raises KeysMissing, KeysMismatch."""
    async with logged_in(bench, address) as (_, generation):
        return generation


async def login_with_token(bench: Bench, address: Address, token: Secret) -> KeyGeneration:
    """The same with a token the user typed; it goes to the vault once it proved right."""
    sighting = await find(bench, address)
    async with Link(bench.radio, sighting) as link:
        await run(login(token, bench.entropy), link, on_event=bench.tell)
    vault = bench.stores.vault
    return vault.confirm(vault.add(address, MiKeys(token=token), "typed", bench.wall()), bench.wall())


@asynccontextmanager
async def logged_in(bench: Bench, address: Address) -> AsyncIterator[tuple[Link, KeyGeneration]]:
    """A connection on which the unit accepted a login. Each token is tried on a link of its own: after a mismatch the
    unit waits for the end of that conversation and would ignore the next one."""
    candidates = [one for one in bench.stores.vault.ranked(address) if one.keys.token is not None]
    if not candidates:
        raise KeysMissing(
            f"the vault has no token of {address}",
            hint="`mitherm keys fetch` (from your account), `mitherm keys import FILE`, or for a stock 1.x unit `mitherm activate`",
        )
    link, generation = await _first_that_opens(bench, address, candidates)
    try:
        yield link, generation
    finally:
        await link.__aexit__(None, None, None)


async def _first_that_opens(
    bench: Bench, address: Address, candidates: Sequence[KeyGeneration]
) -> tuple[Link, KeyGeneration]:
    last: KeysMismatch | None = None
    for generation in candidates:
        try:
            link = await _open(bench, address, generation)
        except KeysMismatch as mismatch:
            last = mismatch
            continue
        confirmed = bench.stores.vault.confirm(generation, bench.wall())
        bench.tell(StepDone("login", f"logged in with keys {generation.keys.fingerprint}"))
        return link, confirmed
    raise KeysMismatch(
        f"none of the {len(candidates)} tokens in the vault opens {address}",
        hint="the unit was activated or added elsewhere since; fetch its keys anew and import them",
    ) from last


async def _open(bench: Bench, address: Address, generation: KeyGeneration) -> Link:
    token = generation.keys.token
    if token is None:
        raise KeysMissing("this generation has no token")
    return await retry(lambda: _logged_in_link(bench, address, token), LinkError, attempts=LINK_ATTEMPTS)


async def _logged_in_link(bench: Bench, address: Address, token: Secret) -> Link:
    link = await Link(bench.radio, await find(bench, address)).__aenter__()
    try:
        await run(login(token, bench.entropy), link, on_event=bench.tell)
    except BaseException:
        await link.__aexit__(None, None, None)
        raise
    return link
