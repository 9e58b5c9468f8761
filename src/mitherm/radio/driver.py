"""Runs procedures over a link: executes their effects, throws failures back into them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, assert_never

from mitherm.errors import VaultProblem
from mitherm.model.keys import MiKeys
from mitherm.protocol.effects import (
    Await,
    AwaitDisconnect,
    BeginRead,
    Effect,
    FinishRead,
    Keep,
    Pause,
    Procedure,
    Read,
    Report,
    Subscribe,
    Write,
)
from mitherm.protocol.events import Event
from mitherm.radio.link import Link

Keeper: TypeAlias = Callable[[MiKeys], Awaitable[None] | None]
"""Makes what it is given durable before it returns; its error is thrown into the procedure."""
Watcher: TypeAlias = Callable[[Event], None]

_R = TypeVar("_R")


async def run(
    procedure: Procedure[_R], link: Link, *, on_event: Watcher | None = None, keeper: Keeper | None = None
) -> _R:
    """Run to the end. What the procedure does not catch, the caller gets; a cancelled run closes the procedure."""
    answer: Any = None
    problem: Exception | None = None
    try:
        while True:
            effect = procedure.throw(problem) if problem is not None else procedure.send(answer)
            answer, problem = None, None
            try:
                answer = await _perform(effect, link, on_event, keeper)
            except Exception as raised:
                problem = raised
    except StopIteration as end:
        result: _R = end.value
        return result
    finally:
        procedure.close()


async def _perform(effect: Effect, link: Link, on_event: Watcher | None, keeper: Keeper | None) -> object:
    match effect:
        case Report(event):
            if on_event is not None:
                on_event(event)
        case Keep(keys):
            await _keep(keys, keeper)
        case Pause(seconds):
            await link.pause(seconds)
        case Await(timeout_s):
            return await link.next_notification(timeout_s)
        case AwaitDisconnect(timeout_s):
            return await link.wait_disconnect(timeout_s)
        case _:
            return await _exchange(effect, link)
    return None


async def _exchange(effect: Write | Read | BeginRead | FinishRead | Subscribe, link: Link) -> bytes | None:
    match effect:
        case Write(char, data, response):
            await link.write(char, data, response=response)
        case Read(char):
            return await link.read(char)
        case BeginRead(char):
            await link.begin_read(char)
        case FinishRead():
            return await link.finish_read()
        case Subscribe(char):
            await link.subscribe(char)
        case _:
            assert_never(effect)
    return None


async def _keep(keys: MiKeys, keeper: Keeper | None) -> None:
    if keeper is None:
        raise VaultProblem(
            "nothing is there to keep the new keys; the conversation was stopped before they took effect"
        )
    pending = keeper(keys)
    if inspect.isawaitable(pending):
        await pending
