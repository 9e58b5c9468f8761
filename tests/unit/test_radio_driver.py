"""Procedures over a link: answers go in, failures are thrown in, results come out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from contract.radios import on_virtual_clock
from mitherm.errors import AttRefused, CharacteristicMissing, LinkLost, LinkTimeout, VaultProblem
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret
from mitherm.protocol import effects
from mitherm.protocol.effects import Procedure
from mitherm.protocol.events import Event, Progress
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.virtual.loopback.radio import Loopback
from unit.fakes.tiny_unit import ECHO, NEW, SEALED, TERMINATE, TinyUnit

PRECIOUS = MiKeys(Secret(bytes(12)), Secret(bytes(16)))


async def converse(procedure: Procedure[Any], **options: Any) -> Any:
    async with Loopback([TinyUnit()]) as radio:  # type: ignore[list-item]
        seen = await radio.find(Address.parse("A4:C1:38:00:00:01"), 10)
        async with Link(radio, seen) as link:
            return await run(procedure, link, **options)


@on_virtual_clock
async def test_every_effect_has_its_answer() -> None:
    """A procedure that uses all effects gets what the unit says."""

    def procedure() -> Procedure[list[object]]:
        got: list[object] = []
        yield from effects.subscribe(ECHO)
        yield from effects.write(ECHO, b"\x01hello")
        got.append((yield from effects.notified(2)))
        got.append((yield from effects.read(ECHO)))
        yield from effects.begin_read(ECHO)
        yield from effects.write(ECHO, b"\x20", response=False)
        got.append((yield from effects.finish_read()))
        yield from effects.pause(1)
        yield from effects.report(Progress("test", 1, 1, "s"))
        yield from effects.keep(PRECIOUS)
        yield from effects.write(ECHO, TERMINATE, response=False)
        got.append((yield from effects.disconnected(5)))
        return got

    events: list[Event] = []
    kept: list[MiKeys] = []
    answers = await converse(procedure(), on_event=events.append, keeper=kept.append)
    assert answers == [effects.Notification(ECHO, b"hello"), b"echo!", b"echo!", 0x13]
    assert (events, kept) == ([Progress("test", 1, 1, "s")], [PRECIOUS])


@on_virtual_clock
async def test_failures_are_thrown_into_the_procedure() -> None:
    """A procedure catches refusals, time-outs and a missing characteristic with plain try, and goes on."""

    def attempt(what: Procedure[Any], kind: type[Exception]) -> Procedure[bool]:
        try:
            yield from what
        except kind:
            return True
        return False

    def procedure() -> Procedure[list[bool]]:
        yield from effects.subscribe(ECHO)
        results = [(yield from attempt(effects.read(SEALED), AttRefused))]
        results.append((yield from attempt(effects.notified(1), LinkTimeout)))
        results.append((yield from attempt(effects.read(NEW), CharacteristicMissing)))
        yield from effects.write(ECHO, TERMINATE)
        results.append((yield from attempt(effects.pause(1), LinkLost)))
        return results

    assert await converse(procedure()) == [True] * 4


@on_virtual_clock
async def test_what_is_not_caught_reaches_the_caller() -> None:
    """An uncaught failure ends the run."""
    with pytest.raises(AttRefused):
        await converse(effects.read(SEALED))


def failing_keeper(keys: MiKeys) -> None:
    raise VaultProblem("disk full")


async def failing_async_keeper(keys: MiKeys) -> None:
    await asyncio.sleep(0)
    raise VaultProblem("disk full")


@pytest.mark.parametrize("keeper", [None, failing_keeper, failing_async_keeper], ids=["none", "plain", "async"])
def test_nothing_goes_on_without_keeping(keeper: Callable[[MiKeys], Any] | None) -> None:
    """When keys cannot be kept, the write that follows never happens."""
    went_on = []

    def procedure() -> Procedure[None]:
        yield from effects.keep(PRECIOUS)
        went_on.append(True)

    @on_virtual_clock
    async def attempt() -> None:
        with pytest.raises(VaultProblem):
            await converse(procedure(), keeper=keeper)

    attempt()
    assert went_on == []


@on_virtual_clock
async def test_cancelling_closes_the_procedure() -> None:
    """A cancelled run lets the procedure clean up."""
    cleaned = []

    def procedure() -> Procedure[None]:
        try:
            yield from effects.pause(100)
        finally:
            cleaned.append(True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await converse(procedure())
    assert cleaned == [True]
