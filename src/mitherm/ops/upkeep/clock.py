"""The clock of a unit: what it says, and setting it. pvvx (command 23) and stock (ccb7) count seconds of whatever they are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from mitherm.device.observation import Observation
from mitherm.errors import LinkError, NotSupported, NotVerified
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.ops.bench import Bench
from mitherm.ops.look import meet
from mitherm.ops.target import resolve
from mitherm.protocol import stock
from mitherm.protocol.events import StepEnd
from mitherm.protocol.pvvx import client as pvvx_client
from mitherm.radio.driver import run
from mitherm.radio.link import Link

Basis: TypeAlias = Literal["local", "utc"]
"""What the clock of a unit counts: the time of this computer's zone, as other tools set it, or UTC."""
SET_SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""A clock before this was never set: it counts from its start (custom-firmware.md 8)."""
CLOSE_S: Final = 2.0
"""Right enough: connecting takes longer than the last second."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A look at the clock."""

    unit_s: int
    """What it counts."""
    basis: Basis
    seen: datetime
    """When that was."""

    @property
    def time(self) -> datetime | None:
        """The moment the unit believes it is; None where its clock was never set."""
        return moment(self.unit_s, self.basis)

    @property
    def error_s(self) -> float | None:
        """How far it is ahead."""
        return (self.time - self.seen).total_seconds() if self.time is not None else None


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Before and after."""

    before: Clock
    after: Clock
    outcome: Outcome
    """VERIFIED, NOTHING_TO_DO or DRY_RUN."""


def moment(unit_s: int, basis: Basis) -> datetime | None:
    """A count of the unit's clock as a moment; None before 2020: then the clock was not set."""
    counted = datetime.fromtimestamp(unit_s, UTC)
    if counted < SET_SINCE:
        return None
    return counted if basis == "utc" else counted.replace(tzinfo=None).astimezone(UTC)


def count(at: datetime, basis: Basis) -> int:
    """What a right clock counts at a moment."""
    ahead = at.astimezone().utcoffset() if basis == "local" else None
    return round((at + (ahead or timedelta())).timestamp())


async def read_clock(bench: Bench, unit: Address | str, basis: Basis = "local") -> Clock:
    """Ask the unit. Raises NotSupported where it has no clock that can be read."""
    address = await resolve(bench, unit)
    async with meet(bench, address) as (link, observation):
        return await _read(bench, link, observation, basis)


async def set_clock(bench: Bench, unit: Address | str, basis: Basis = "local") -> ClockChange:
    """Set the clock to now, unless it is right, and read it back. Raises NotSupported, NotVerified."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("clock set", address, bench.wall) as entry:
        async with meet(bench, address) as (link, observation):
            before = await _read(bench, link, observation, basis)
            if before.error_s is not None and abs(before.error_s) < CLOSE_S:
                done = ClockChange(before, before, Outcome.NOTHING_TO_DO)
            elif bench.dry_run:
                done = ClockChange(before, before, Outcome.DRY_RUN)
            else:
                entry.step(StepRecord(StepKind.SET_CLOCK))
                done = ClockChange(before, await _set(bench, link, observation, basis), Outcome.VERIFIED)
        entry.outcome(done.outcome)
    return done


async def _set(bench: Bench, link: Link, observation: Observation, basis: Basis) -> Clock:
    procedure = stock.set_clock if observation.family is Family.STOCK else pvvx_client.set_clock
    try:
        await run(procedure(count(bench.wall(), basis)), link)
        after = await _read(bench, link, observation, basis)
    except LinkError as problem:
        problem.device = "unknown"
        raise
    if after.error_s is None or abs(after.error_s) > CLOSE_S:
        raise NotVerified("the unit's clock does not say what it was set to", hint="repeat the command")
    bench.tell(StepEnd(StepKind.SET_CLOCK, f"the clock of {observation.address} is set and read back"))
    return after


async def _read(bench: Bench, link: Link, observation: Observation, basis: Basis) -> Clock:
    match observation.family:
        case Family.STOCK:
            seconds = await run(stock.read_clock(), link)
        case Family.PVVX:
            seconds = await run(pvvx_client.read_clock(), link)
        case _:
            raise NotSupported(f"{observation.label} runs: it has no clock that could be read")
    return Clock(seconds, basis, bench.wall())
