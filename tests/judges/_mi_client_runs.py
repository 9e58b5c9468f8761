"""The client's direction of the authentication transcripts.

Three things are checked. What the recorded client sent before a success is what we would send. Our client, run against
our unit in the recorded initial state with the same keys and the same lost frames, comes to the recorded ends. Where
the recorded client behaves like ours, it writes our frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mitherm.errors import KeysMismatch, KeysMissing, LinkTimeout, MiAuthRefused, MithermError
from mitherm.model.keys import TOKEN_LENGTH, MiKeys, did_text
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Procedure
from mitherm.protocol.mi import client as mi_client
from mitherm.virtual.reactors.mi_device import COUNTER_RECORD, DID_RECORD, KEY_RECORD

from ._cases import Case, need, unhex
from ._mi_pump import UnitRunner
from ._mi_recorded import LOSS, canonical, check_successes, generation, our_did, starts, tokens
from ._mi_replay import CHARACTERISTICS, REGISTRATION_CODES, build, entries, io_mask

ATTEMPTS = 3


def check(case: Case) -> None:
    """Raises Wrong."""
    check_successes(case)
    if generation(case) == 2 and starts(case, "15"):
        _check_second_generation(case)
        if case.get("result") == "11000000":  # what only the servers' certificate brings about
            return
    _Imitation(case).run()


def _losses(case: Case) -> Callable[[str, str, bytes], bool]:
    """Drops each recorded lost frame once."""
    lost = [
        (kind[0], CHARACTERISTICS[char], bytes.fromhex(value)) for kind, char, value in entries(case) if kind in LOSS
    ]

    def lossy(way: str, char: str, data: bytes) -> bool:
        if (way, char, data) not in lost:
            return False
        lost.remove((way, char, data))
        return True

    return lossy


def _entropy(case: Case) -> Callable[[int], bytes]:
    client = case["client"]
    given = {32: unhex(client.get("private_key")), 16: unhex(client.get("random"))}
    return lambda length: given.get(length) or bytes(range(length))


def _outcome(pump: UnitRunner, procedure: Callable[[], Procedure[Any]]) -> MithermError | MiKeys | None:
    """Result or error; a timeout is met by connecting anew, as our product does."""
    for _ in range(ATTEMPTS):
        try:
            result: MiKeys | None = pump.run(procedure())
            return result
        except LinkTimeout:
            pump.reconnect()
        except MithermError as problem:
            if not isinstance(problem, MiAuthRefused):
                pump.reconnect()
            return problem
    return LinkTimeout("three times")


class _Imitation:
    """Our client does what the recorded one did, verdict by verdict and link by link."""

    def __init__(self, case: Case) -> None:
        device, self.records = build(case["device"], again=True)
        self.runner = UnitRunner(device, _losses(case))
        self._case = case

    def run(self) -> None:
        """Raises Wrong."""
        for kind, char, value in entries(self._case):
            if kind == "disconnect":
                self.runner.reconnect()
            elif kind[0] == "n" and char == "0010":
                self._reach(value)
        lossless = not any(kind in LOSS for kind, _, _ in entries(self._case))
        authorised = self.runner.device.authorised
        need(
            not lossless or authorised == self._case["after"]["authorized"],
            f"after our client authorised is {authorised}",
        )
        if canonical(self._case):
            _compare_writes(self._case, self.runner.writes)

    def _reach(self, code: str) -> None:
        number = int(code[:2], 16)
        if code[:2] not in REGISTRATION_CODES:
            self._login(number)
        elif generation(self._case) == 1:
            self._register(number)

    def _register(self, code: int) -> None:
        """12 is the fault of the recorded client: ours succeeds in the same place."""
        if code == 0x12:
            fresh, _ = build(self._case["device"], again=True)
            if not io_mask(self._case["device"]):
                self._registered(UnitRunner(fresh))
            return
        if code == 0x11:
            self._registered(self.runner)
            self._check_records()
            return
        outcome = _outcome(self.runner, self._registration)
        need(
            isinstance(outcome, MiAuthRefused) and outcome.code == code, f"register: {outcome!r} instead of {code:02x}"
        )

    def _registration(self) -> Procedure[MiKeys]:
        did = our_did(self._case)
        return mi_client.register(_entropy(self._case), did_if_none=None if did is None else did_text(did))

    def _registered(self, pump: UnitRunner) -> None:
        outcome = _outcome(pump, self._registration)
        need(isinstance(outcome, MiKeys) and pump.codes[-1] == 0x11, f"register: {outcome!r}")
        need(pump.kept[-1] == outcome, "the keys were not kept")

    def _check_records(self) -> None:
        """As recorded, but for a DID that the recorded client lays out in another way than Mi Home."""
        after = self._case["after"]
        wanted = {KEY_RECORD: unhex(after["key_record"]), COUNTER_RECORD: bytes(4), DID_RECORD: our_did(self._case)}
        if "private_key" in self._case["client"]:
            need(self.records == wanted, f"our client leaves other records: {self.records}")

    def _login(self, code: int) -> None:
        record = self.records.find(KEY_RECORD) or bytes(TOKEN_LENGTH)
        right = record[:TOKEN_LENGTH]
        if code == 0x23:
            wrong = next((token for token in tokens(self._case) if token != right), bytes(byte ^ 1 for byte in right))
            outcome = self._logged_in(wrong)
            need(isinstance(outcome, KeysMismatch), f"login with a wrong token: {outcome!r}")
        elif code in (0x21, 0xE2):
            need(right in tokens(self._case), "the unit holds a token that the case does not name")
            outcome = self._logged_in(right)
            need(outcome is None and self.runner.codes[-1] in (0x21, 0xE2), f"login: {outcome!r} instead of {code:02x}")
        else:
            outcome = self._logged_in(right)
            need(
                isinstance(outcome, MiAuthRefused) and outcome.code == code, f"login: {outcome!r} instead of {code:02x}"
            )

    def _logged_in(self, token: bytes) -> MithermError | MiKeys | None:
        return _outcome(self.runner, lambda: mi_client.login(Secret(token), _entropy(self._case)))


def _check_second_generation(case: Case) -> None:
    """Our client never starts a registration that cannot work."""
    device, records = build(case["device"], again=True)
    pump = UnitRunner(device)
    outcome = _outcome(pump, lambda: mi_client.register(_entropy(case)))
    need(isinstance(outcome, KeysMissing), f"register on generation 2: {outcome!r}")
    need(not records.written and not pump.kept, "keys were made up for generation 2")


def _compare_writes(case: Case, wrote: Iterable[tuple[str, bytes]]) -> None:
    """Ours in the same order among theirs: they may say more, and go on where we stop (wrong proof)."""
    theirs = iter(
        (CHARACTERISTICS[char], bytes.fromhex(value).ljust(4 if char == "0010" else 0, b"\0"))
        for kind, char, value in entries(case)
        if kind == "w"
    )
    missing = [data.hex() for char, data in wrote if (char, data) not in theirs]
    need(not missing, f"our client writes {missing}, which the recorded one does not")
