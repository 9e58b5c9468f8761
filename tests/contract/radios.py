"""The radios under test, each with the same small units behind it, all on a virtual clock."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from mitherm.radio.gatt import Radio
from mitherm.virtual.clock import run_virtual
from mitherm.virtual.loopback.radio import Loopback
from unit.fakes.tiny_unit import TinyUnit

OpenRadio = Callable[[Sequence[TinyUnit]], AbstractAsyncContextManager[Radio]]


def _loopback(units: Sequence[TinyUnit]) -> AbstractAsyncContextManager[Radio]:
    return Loopback(units)  # type: ignore[arg-type]


def _air(units: Sequence[TinyUnit]) -> AbstractAsyncContextManager[Radio]:
    from mitherm.virtual.air.radio import Air

    return Air(units)  # type: ignore[arg-type]


EVERY_RADIO = pytest.mark.parametrize(
    "radio_of", [pytest.param(_loopback, id="loopback"), pytest.param(_air, id="air", marks=pytest.mark.air)]
)


def on_virtual_clock(test: Callable[..., Any]) -> Callable[..., None]:
    """Run an asynchronous test on the virtual clock."""

    @functools.wraps(test)
    def wrapper(*args: object, **kwargs: object) -> None:
        run_virtual(test(*args, **kwargs))

    wrapper.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    del wrapper.__wrapped__  # type: ignore[attr-defined]  # or pytest-asyncio takes it for asynchronous
    return wrapper
