"""Keeps one unit's time on the running event loop and hands its actions to the air around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeAlias

from mitherm.virtual.board.chip import Action, AttError
from mitherm.virtual.unit import Unit

Deliver: TypeAlias = Callable[[Action], None]


class UnitRunner:
    """Between `start` and `stop` the unit lives: its timers run, and every action goes to `deliver` in order."""

    def __init__(self, unit: Unit, deliver: Deliver) -> None:
        self.unit = unit
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = True

    def start(self) -> None:
        """Let time pass for the unit."""
        self._stopped = False
        self._turn()

    def stop(self) -> None:
        """No more timers; the unit stays as it is."""
        self._stopped = True
        self._cancel()

    # --- what a central does ------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """A central connects; the caller has checked `unit.connectable`."""
        self._hand_over(self.unit.connect(self._loop.time()))

    def disconnect(self) -> None:
        """The link is gone, by the central's doing."""
        self._hand_over(self.unit.disconnect(self._loop.time()))

    def write(self, char: str, data: bytes) -> None:
        """Raises AttError."""
        self._turn()
        try:
            self._hand_over(self.unit.write(self._loop.time(), char, data))
        except AttError:
            self._turn()
            raise

    def read(self, char: str) -> bytes:
        """Raises AttError or NoAnswer."""
        self._turn()
        value, actions = self.unit.read(self._loop.time(), char)
        self._hand_over(actions)
        return value

    def subscribe(self, char: str, value: bytes) -> None:
        """The central writes the CCCD of `char`."""
        self._turn()
        self._hand_over(self.unit.subscribe(self._loop.time(), char, value))

    # --- time ---------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._hand_over(self.unit.advance(self._loop.time()))

    def _hand_over(self, actions: Iterable[Action]) -> None:
        self._schedule()
        for action in actions:
            self._deliver(action)

    def _schedule(self) -> None:
        self._cancel()
        wake = self.unit.wake_at()
        if wake is not None and not self._stopped:
            self._timer = self._loop.call_at(wake, self._turn)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
