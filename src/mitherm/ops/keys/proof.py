"""Do these keys belong to that unit? Tokens by a login, bind keys by a live beacon, pairs by what pvvx firmware shows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from mitherm.errors import KeysMismatch, LinkTimeout, MiAuthRefused
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.model.operation import Outcome
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Bench
from mitherm.ops.hearing.listen import adverts, key_ring
from mitherm.ops.hearing.receiver import Receiver
from mitherm.ops.keys.import_export import everything
from mitherm.ops.look import look
from mitherm.ops.target import find, resolve
from mitherm.primitives.secret import Secret
from mitherm.protocol.mi.client import login
from mitherm.radio.driver import run
from mitherm.radio.link import Link

Answer: TypeAlias = Literal["right", "wrong", "not-tested"]

DURATION_S: Final = 660.0
"""Stock firmware sends an encrypted object every ten minutes (beacons.md 6.6)."""


@dataclass(frozen=True, slots=True)
class GenerationTest:
    """One generation and what its parts turned out to be; None where it has no such part."""

    generation: KeyGeneration
    token: Answer | None = None
    bind_key: Answer | None = None

    @property
    def proven(self) -> bool:
        """Whether the unit proved to hold any of it."""
        return "right" in (self.token, self.bind_key)


Rows: TypeAlias = tuple[GenerationTest, ...]


@dataclass(frozen=True, slots=True)
class KeyTest:
    """All generations of a unit, and how they were tested."""

    rows: Rows
    methods: tuple[str, ...] = ()
    """`login`, `records`, `beacon`: in the order of their use."""

    @property
    def answers(self) -> set[Answer | None]:
        """Every answer given."""
        return {answer for row in self.rows for answer in (row.token, row.bind_key)}


async def check_keys(bench: Bench, unit: Address | str, duration_s: float) -> KeyTest:
    """Test every generation of the vault; what the unit proved is confirmed there. Raises KeysMissing, DeviceNotFound."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("keys test", address, bench.wall) as entry:
        rows = tuple(_untested(generation) for generation in everything(bench.stores.vault, address))
        test = await _test(bench, address, rows, duration_s)
        entry.outcome(Outcome.RIGHT if any(row.proven for row in test.rows) else Outcome.NOT_PROVEN)
        return replace(test, rows=_confirm(bench, test.rows))


async def _test(bench: Bench, address: Address, rows: Rows, duration_s: float) -> KeyTest:
    observation = (await look(bench, address, ask_bound=False)).observation
    methods: list[str] = []
    if observation.family is Family.STOCK and any(row.token for row in rows):
        methods.append("login")
        rows = await _test_tokens(bench, address, rows)
    if observation.records is not None:
        methods.append("records")
        rows = tuple(_compare(observation.records.current, row) for row in rows)
    if any(row.bind_key == "not-tested" for row in rows):
        methods.append("beacon")
        rows = await _listen(bench, address, rows, duration_s)
    return KeyTest(rows, tuple(methods))


def _untested(generation: KeyGeneration) -> GenerationTest:
    keys = generation.keys
    return GenerationTest(
        generation,
        "not-tested" if keys.login_token is not None else None,
        "not-tested" if keys.bind_key is not None else None,
    )


async def _test_tokens(bench: Bench, address: Address, rows: Rows) -> Rows:
    """Each token on a connection of its own: after a mismatch the unit ignores the next login on the same one."""
    answers: dict[Secret | None, Answer] = {None: "not-tested"}
    for row in rows:
        token = row.generation.keys.login_token
        if token is not None and token not in answers:
            answers[token] = "wrong" if "right" in answers.values() else await _login(bench, address, token)
    return tuple(
        replace(row, token=answers[row.generation.keys.login_token]) if row.token is not None else row for row in rows
    )


async def _login(bench: Bench, address: Address, token: Secret) -> Answer:
    async with Link(bench.radio, await find(bench, address)) as link:
        try:
            await run(login(token, bench.entropy), link, on_event=bench.tell)
        except KeysMismatch:
            return "wrong"
        except MiAuthRefused as refusal:
            bench.warn(f"the unit refused the login: {refusal.message}", refusal.hint)
            return "wrong"
    return "right"


def _compare(current: MiKeys | None, row: GenerationTest) -> GenerationTest:
    """pvvx shows the pair itself. Its beacons need not use it, so a bind key of another pair stays open."""
    keys = row.generation.keys
    if row.token is not None:
        row = replace(row, token="right" if current is not None and keys.token == current.token else "wrong")
    if row.bind_key is not None and current is not None and keys.bind_key == current.bind_key:
        row = replace(row, bind_key="right")
    return row


async def _listen(bench: Bench, address: Address, rows: Rows, duration_s: float) -> Rows:
    secrets = (row.generation.keys.bind_key for row in rows if row.bind_key == "not-tested")
    keys = [key for key in dict.fromkeys(secrets) if key is not None]
    bench.note(
        f"waiting up to {duration_s:.0f} s for an encrypted beacon of {address}",
        "stock firmware sends one about every ten minutes; --duration S limits the wait",
    )
    verdict = await _beacon_verdict(bench, address, keys, duration_s)
    return tuple(
        replace(row, bind_key=verdict.get(row.generation.keys.bind_key, "not-tested"))
        if row.bind_key == "not-tested"
        else row
        for row in rows
    )


async def _beacon_verdict(
    bench: Bench, address: Address, keys: Sequence[Secret], duration_s: float
) -> dict[Secret | None, Answer]:
    """The answer for each key; none where no encrypted beacon came. One that fits a key refutes the others.

    Systems repeat old service data, so a frame may be older than the key (product-needs.md F10): only the second
    different one that no key opens refutes them all.
    """
    receiver = Receiver(key_ring({address: keys}), keep=lambda sender, name: sender == address)
    async with aclosing(adverts(bench, duration_s)) as sightings:
        async for sighting in sightings:
            receiver.take(sighting)
            unit = receiver.units.get(address)
            if unit is not None and unit.state.key is not None:
                right = unit.state.key.key.secret
                return {key: "right" if key == right else "wrong" for key in keys}
            if unit is not None and unit.state.locked > 1:
                return dict.fromkeys(keys, "wrong")
    return {}


def _confirm(bench: Bench, rows: Rows) -> Rows:
    """The likeliest generation is confirmed last, so that it counts as the current one."""
    confirmed = [
        replace(row, generation=bench.stores.vault.confirm(row.generation, bench.wall()))
        if row.proven and "wrong" not in (row.token, row.bind_key)
        else row
        for row in reversed(rows)
    ]
    return tuple(reversed(confirmed))


def raise_unless_proven(test: KeyTest) -> None:
    """Raises KeysMismatch when all that could be tested is wrong, LinkTimeout when nothing could be tested."""
    if "right" in test.answers:
        return
    if "wrong" in test.answers:
        raise KeysMismatch(
            "the unit holds none of the keys in the vault",
            hint="it was activated or added elsewhere since; fetch its keys anew and import them",
            result=test,
        )
    raise LinkTimeout(
        "nothing could be tested: no encrypted beacon came in time, and this firmware takes no login",
        hint="an unbound unit, and custom firmware without encryption, never send one; else try a longer --duration",
        result=test,
    )
