"""Procedures: client conversations as generators that yield effects.

A procedure knows no event loop, clock or radio. It yields what it wants done; a driver does it and sends the answer
back, or throws `LinkTimeout`, `LinkLost`, `AttRefused` or `CharacteristicMissing` into it. Procedures compose with
`yield from` and read from top to bottom like the protocol's description:

    def login(token: Secret, entropy: Entropy) -> Procedure[None]:
        yield from subscribe(AUTH_CONTROL)
        yield from write(AUTH_CONTROL, opcode(LOGIN))
        answer = yield from notified(timeout_s=3)

Drivers: `radio/driver.py` (asyncio, over a Link) and `virtual/pair.py` (synchronous, against a virtual unit).
Characteristics are named by their 128-bit UUID in lower case (`protocol/uuids.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from mitherm.model.keys import MiKeys
from mitherm.protocol.events import Event

Entropy: TypeAlias = Callable[[int], bytes]
"""n -> n random bytes."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write `data`; with `response` an ATT Write Request, else a Write Command. Answer: None."""

    char: str
    data: bytes
    response: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """ATT Read Request. Answer: bytes. Every earlier write has been processed once it arrives."""

    char: str


@dataclass(frozen=True, slots=True)
class BeginRead:
    """Issue a Read Request and go on without waiting. Write Commands may follow at once. Answer: None.

    At most one may be open; `FinishRead` collects it.
    """

    char: str


@dataclass(frozen=True, slots=True)
class FinishRead:
    """Wait for the answer of the open `BeginRead`. Answer: bytes."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Enable notifications; from now on they are queued for `Await`. Answer: None."""

    char: str


@dataclass(frozen=True, slots=True)
class Await:
    """The next queued notification of any subscribed characteristic, in order of arrival. Answer: Notification.

    Throws LinkTimeout after `timeout_s`.
    """

    timeout_s: float


@dataclass(frozen=True, slots=True)
class AwaitDisconnect:
    """Wait until the unit drops the link. Answer: the HCI reason or None where unknown; LinkTimeout after `timeout_s`."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass; ends early with LinkLost. Answer: None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Keep:
    """New keys, which must be durable before the procedure goes on. Answer: None, or the keeper's error is thrown.

    They are handed to the keeper the driver was given; the procedure does not know about files.
    """

    keys: MiKeys


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the people watching. Answer: None."""

    event: Event


@dataclass(frozen=True, slots=True)
class Notification:
    """A value that the unit notified."""

    char: str
    data: bytes


Effect: TypeAlias = Write | Read | BeginRead | FinishRead | Subscribe | Await | AwaitDisconnect | Pause | Keep | Report

_R = TypeVar("_R")
Procedure: TypeAlias = Generator[Effect, Any, _R]


def write(char: str, data: bytes, *, response: bool = False) -> Procedure[None]:
    """Write; see `Write`."""
    yield Write(char, data, response)


def read(char: str) -> Procedure[bytes]:
    """Read; see `Read`."""
    value: bytes = yield Read(char)
    return value


def begin_read(char: str) -> Procedure[None]:
    """See `BeginRead`."""
    yield BeginRead(char)


def finish_read() -> Procedure[bytes]:
    """See `FinishRead`."""
    value: bytes = yield FinishRead()
    return value


def subscribe(char: str) -> Procedure[None]:
    """Enable notifications; see `Subscribe`."""
    yield Subscribe(char)


def notified(timeout_s: float) -> Procedure[Notification]:
    """Next notification; see `Await`."""
    value: Notification = yield Await(timeout_s)
    return value


def disconnected(timeout_s: float) -> Procedure[int | None]:
    """Wait for the unit to drop the link; see `AwaitDisconnect`."""
    value: int | None = yield AwaitDisconnect(timeout_s)
    return value


def pause(seconds: float) -> Procedure[None]:
    """Let time pass."""
    yield Pause(seconds)


def keep(keys: MiKeys) -> Procedure[None]:
    """Make new keys durable; see `Keep`."""
    yield Keep(keys)


def report(event: Event) -> Procedure[None]:
    """Tell the people watching."""
    yield Report(event)
