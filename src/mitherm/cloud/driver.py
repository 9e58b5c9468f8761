"""Runs HTTP procedures. It blocks; from an event loop call it with `asyncio.to_thread`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from mitherm.cloud.effects import Effect, Procedure, Request, SecondFactor, ShowLogin
from mitherm.cloud.web import Web
from mitherm.errors import AnswerNeeded, NetworkUnreachable
from mitherm.protocol.effects import Pause, Report
from mitherm.protocol.events import Event

_R = TypeVar("_R")


class Person(Protocol):
    """Somebody who can be shown things and asked for things."""

    def show_login(self, url: str, timeout_s: float) -> None:
        """Show the address as a QR code and as text; returns at once."""

    def second_factor(self, url: str) -> None:
        """Returns when the person has passed the second factor there. Raises AnswerNeeded where nobody can."""


class AbsentPerson:
    """No person is there."""

    def show_login(self, url: str, timeout_s: float) -> None:
        """Raises AnswerNeeded."""
        raise AnswerNeeded("would have shown a QR code, and nobody is there to scan it")

    def second_factor(self, url: str) -> None:
        """Raises AnswerNeeded."""
        raise AnswerNeeded("would have asked for a second factor, and nobody is there to pass it")


def perform(
    procedure: Procedure[_R],
    web: Web,
    *,
    person: Person,
    tell: Callable[[Event], None],
    sleep: Callable[[float], None] = time.sleep,
) -> _R:
    """Run a procedure to its end; its result, or what it raises."""
    step: Callable[[], Effect] = partial(next, procedure)
    while True:
        try:
            effect = step()
        except StopIteration as end:
            result: _R = end.value
            return result
        answer: object = None
        match effect:
            case Request():
                try:
                    answer = web.exchange(effect)
                except NetworkUnreachable as problem:
                    step = partial(procedure.throw, problem)
                    continue
            case ShowLogin(url, timeout_s):
                person.show_login(url, timeout_s)
            case SecondFactor(url):
                person.second_factor(url)
            case Pause(seconds):
                sleep(seconds)
            case Report(event):
                tell(event)
        step = partial(procedure.send, answer)
