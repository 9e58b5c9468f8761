"""A central in the same process: runs a procedure against a virtual unit, synchronously, on simulated time.

No event loop and no radio: what the protocol tests, the sweeps and the virtual Mi Home run on. It gives a procedure
the same answers and errors as the asyncio driver does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar, assert_never

from mitherm.errors import AttRefused, CharacteristicMissing, DeviceNotFound, LinkLost, LinkTimeout
from mitherm.model.keys import MiKeys
from mitherm.protocol.effects import (
    Await,
    AwaitDisconnect,
    BeginRead,
    Effect,
    FinishRead,
    Keep,
    Notification,
    Pause,
    Procedure,
    Read,
    Report,
    Subscribe,
    Write,
)
from mitherm.protocol.events import Event
from mitherm.virtual.board.chip import Action, AttError, Notify, Terminate, Vanish
from mitherm.virtual.unit import NoAnswer, Unit

REMOTE_TERMINATED: Final = 0x13
SUPERVISION: Final = 0x08
ATT_TIMEOUT_S: Final = 30.0

_R = TypeVar("_R")


class CentralLink:
    """One connection to `unit`. Time starts at `now` and moves only here."""

    def __init__(
        self,
        unit: Unit,
        now: float = 0.0,
        *,
        round_trip_s: float = 0.02,
        on_event: Callable[[Event], None] = lambda event: None,
        keeper: Callable[[MiKeys], None] = lambda keys: None,
    ) -> None:
        self.unit = unit
        self.now = now
        self.round_trip_s = round_trip_s
        self.lost: int | None = None
        self._on_event = on_event
        self._keeper = keeper
        self._subscribed: set[str] = set()
        self._inbox: deque[Notification] = deque()
        self._silent_from: float | None = None
        self._open_read: bytes | None = None

    def connect(self, timeout_s: float = 30.0) -> CentralLink:
        """Wait until the unit advertises connectably, then connect; raises DeviceNotFound."""
        deadline = self.now + timeout_s
        self._take(self.unit.advance(self.now))
        while not self.unit.connectable:
            wake = self.unit.wake_at()
            if wake is None or wake > deadline:
                self.now = deadline
                raise DeviceNotFound(f"{self.unit.address} does not advertise")
            self.now = max(self.now, wake)
            self._take(self.unit.advance(self.now))
        self._take(self.unit.connect(self.now))
        return self

    def close(self) -> None:
        """The central drops the link."""
        if self.lost is None:
            self.lost = 0x16
            self.unit.disconnect(self.now)

    def run(self, procedure: Procedure[_R]) -> _R:
        """Run to the end; errors of the link are thrown into the procedure."""
        answer: Any = None
        problem: Exception | None = None
        try:
            while True:
                effect = procedure.throw(problem) if problem is not None else procedure.send(answer)
                answer, problem = None, None
                try:
                    answer = self._do(effect)
                except Exception as raised:
                    problem = raised
        except StopIteration as end:
            result: _R = end.value
            return result

    # --- effects ------------------------------------------------------------------------------------------------------

    def _do(self, effect: Effect) -> Any:
        match effect:
            case Report(event):
                return self._on_event(event)
            case Keep(keys):
                return self._keeper(keys)
            case AwaitDisconnect(timeout_s):
                return self._await_disconnect(timeout_s)
            case Pause(seconds):
                return self._pass_time(self.now + seconds, lambda: False)
            case _:
                return self._on_the_air(effect)

    def _on_the_air(self, effect: Effect) -> Any:
        self._check()
        match effect:
            case Write(char, data, response):
                return self._write(char, data, response)
            case Read(char):
                return self._read(char)
            case BeginRead(char):
                self._open_read = self._read(char)
                return None
            case FinishRead():
                return self._open_read
            case Subscribe(char):
                return self._subscribe(char)
            case Await(timeout_s):
                return self._await(timeout_s)
            case Report() | Keep() | AwaitDisconnect() | Pause():
                raise TypeError("handled above")
            case _:
                assert_never(effect)

    def _write(self, char: str, data: bytes, response: bool) -> None:
        self._need(char)
        try:
            self._take(self.unit.write(self.now, char, data))
        except AttError as error:
            if response:
                raise AttRefused(str(error), code=error.code) from None
        if response:
            self._pass_time(self.now + self.round_trip_s, lambda: False)

    def _read(self, char: str) -> bytes:
        self._need(char)
        self._pass_time(self.now + self.round_trip_s, lambda: False)
        try:
            value, actions = self.unit.read(self.now, char)
        except AttError as error:
            raise AttRefused(str(error), code=error.code) from None
        except NoAnswer:
            self._pass_time(self.now + ATT_TIMEOUT_S, lambda: False)
            raise LinkTimeout(f"no answer to a read of {char}") from None
        self._take(actions)
        return value

    def _subscribe(self, char: str) -> None:
        self._need(char)
        try:
            self._take(self.unit.subscribe(self.now, char, b"\x01\x00"))
        except NoAnswer:
            self._pass_time(self.now + ATT_TIMEOUT_S, lambda: False)
            raise LinkTimeout(f"notifications of {char} could not be enabled") from None
        self._subscribed.add(char)

    def _await(self, timeout_s: float) -> Notification:
        self._pass_time(self.now + timeout_s, lambda: bool(self._inbox))
        if not self._inbox:
            raise LinkTimeout(f"no answer within {timeout_s:g} s")
        return self._inbox.popleft()

    def _await_disconnect(self, timeout_s: float) -> int:
        deadline = self.now + timeout_s
        while self.lost is None:
            if self.now >= deadline:
                raise LinkTimeout(f"the unit kept the link for {timeout_s:g} s")
            self._step(deadline)
        return self.lost

    # --- time ---------------------------------------------------------------------------------------------------------

    def _pass_time(self, until: float, enough: Callable[[], bool]) -> None:
        while not enough() and self.now < until:
            self._step(until)
            self._check()

    def _step(self, until: float) -> None:
        """Jump to the next thing that happens, at the latest `until`."""
        wake = self.unit.wake_at()
        candidates = [until] if wake is None else [until, max(wake, self.now)]
        if self._silent_from is not None:
            candidates.append(self._silent_from + self.unit.supervision_s)
        self.now = min(candidates)
        self._take(self.unit.advance(self.now))
        if self._silent_from is not None and self.now >= self._silent_from + self.unit.supervision_s:
            self.lost = SUPERVISION if self.lost is None else self.lost

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Notify) and self.lost is None and self._silent_from is None:
                if action.char in self._subscribed:
                    self._inbox.append(Notification(action.char, action.data))
            elif isinstance(action, Terminate) and self.lost is None:
                self.lost = action.reason
            elif isinstance(action, Vanish) and self._silent_from is None:
                self._silent_from = self.now

    def _check(self) -> None:
        if self.lost is not None:
            raise LinkLost(reason=self.lost)
        if self._silent_from is not None:
            # A stack goes on accepting writes until the supervision timeout; a request just waits for it.
            return

    def _need(self, char: str) -> None:
        if self._silent_from is None and self.unit.gatt.find(char) is None:
            raise CharacteristicMissing(f"the unit has no characteristic {char}")
