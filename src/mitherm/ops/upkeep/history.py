"""The records that a unit stored: fetched whole, also over links that break; and cleared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from mitherm.errors import AnswerNeeded, LinkLost, LinkTimeout, NotSupported, NotVerified
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.history import HourRecord, MeanRecord, StoredRecord
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.ops.bench import Bench
from mitherm.ops.look import meet
from mitherm.ops.target import resolve
from mitherm.ops.upkeep.clock import Basis, moment
from mitherm.protocol import stock
from mitherm.protocol.effects import write
from mitherm.protocol.events import StepEnd
from mitherm.protocol.pvvx import client as pvvx_client
from mitherm.protocol.pvvx.client import HISTORY_SINCE, SAFE_CLEAR_SINCE, START_INDEX_SINCE
from mitherm.protocol.pvvx.config import version_text
from mitherm.protocol.pvvx.structs import HistoryRecord as Mean
from mitherm.protocol.uuids import STOCK_CLEAR
from mitherm.radio.driver import run
from mitherm.radio.link import Link

FRUITLESS: Final = 4
"""Connections in a row that bring nothing new before fetching ends."""
_LATE: Final = 1.5


@dataclass(frozen=True, slots=True)
class History:
    """The records of a unit, oldest first."""

    address: Address
    family: Family
    records: tuple[StoredRecord, ...]
    links: int
    """How many connections it took."""
    missing: int = 0
    """Stock: records that the unit counts but did not send."""

    @property
    def undated(self) -> int:
        """Records from before the clock was set."""
        return sum(record.time is None for record in self.records)

    @property
    def gaps(self) -> int:
        """Places where at least one period has no record, or the clock was changed."""
        steps = [after.clock_s - before.clock_s for before, after in pairwise(self.records)]
        usual = median(steps) if steps else 0
        return sum(not 0 < step <= _LATE * usual for step in steps)


# --- fetching ---------------------------------------------------------------------------------------------------------


async def fetch(bench: Bench, unit: Address | str, basis: Basis = "local") -> History:
    """Every record that the unit stored; goes on where a broken link ended. Warns about records without a date.

    Raises NotSupported where there is no history, LinkLost or LinkTimeout when several links in a row bring nothing.
    """
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("history fetch", address, bench.wall) as entry:
        async with meet(bench, address) as (_, observation):
            family = observation.family
        match family:
            case Family.PVVX:
                history = await _pvvx(bench, address, basis)
            case Family.STOCK:
                history = await _stock(bench, address, basis)
            case _:
                raise NotSupported(f"{observation.label} runs: it stores no records")
        if history.undated:
            bench.warn(
                f"{history.undated} of {len(history.records)} records have no date: the unit's clock was not set then, it "
                "counted from 1970",
                "`mitherm clock set UNIT` dates the records to come",
            )
        entry.outcome(Outcome.FETCHED)
        return history


async def _again(
    bench: Bench, address: Address, attempt: Callable[[Link], Awaitable[bool]], size: Callable[[], int]
) -> int:
    """Connect and attempt until it says that it is done; the number of links. Raises what ended the last fruitless one."""
    links = fruitless = 0
    while True:
        links, before = links + 1, size()
        problem: LinkLost | LinkTimeout | None = None
        try:
            async with meet(bench, address) as (link, _):
                if await attempt(link):
                    return links
        except (LinkLost, LinkTimeout) as error:
            problem = error
        fruitless = 0 if size() > before else fruitless + 1
        if fruitless == FRUITLESS:
            if problem is None:
                return links
            problem.hint = f"{size()} records had come; try again nearer to the unit"
            raise problem


async def _pvvx(bench: Bench, address: Address, basis: Basis) -> History:
    """Newest first under numbers that shift when the unit stores another one: an overlap is met by comparing records.

    How many there are is not told, and the last frame may be the one that got lost: asked until nothing new comes.
    """
    merged: dict[Mean, None] = {}

    async def attempt(link: Link) -> bool:
        nonlocal merged
        version = (await run(pvvx_client.read_config(), link)).version
        if version < HISTORY_SINCE:
            raise NotSupported(f"pvvx {version_text(version)} stores no records")
        while True:
            count, start = len(merged), len(merged) if version >= START_INDEX_SINCE else 0
            means: dict[int, Mean] = {}
            try:
                await run(pvvx_client.read_history(start=start, records=means), link, on_event=bench.tell)
            finally:
                whole = _until_gap(means, start + 1)
                merged = dict.fromkeys([*merged, *whole] if start else [*whole, *merged])
            if len(merged) == count:
                return len(whole) == len(means)

    links = await _again(bench, address, attempt, lambda: len(merged))
    records = [_mean(record, basis) for record in reversed(merged)]
    return History(address, Family.PVVX, tuple(records), links)


def _until_gap(means: dict[int, Mean], first: int) -> list[Mean]:
    """The records from number `first` on, up to the first one that got lost."""
    whole: list[Mean] = []
    while (record := means.get(first + len(whole))) is not None:
        whole.append(record)
    return whole


def _mean(record: Mean, basis: Basis) -> MeanRecord:
    return MeanRecord(
        moment(record.time, basis), record.time, record.temp_x100 / 100, record.humi_x100 / 100, record.battery_mv
    )


async def _stock(bench: Bench, address: Address, basis: Basis) -> History:
    """Numbered for good: what is missing can be asked for by its number."""
    merged: dict[int, stock.HistoryRecord] = {}
    newest = 0

    async def attempt(link: Link) -> bool:
        nonlocal newest
        count = await run(stock.read_count(), link)
        newest = count.newest
        indices = range(count.newest - count.stored + 1, count.newest + 1) if count.stored else range(0)
        first = next((index for index in indices if index not in merged), None)
        if first is None:
            return True
        records: list[stock.HistoryRecord] = []
        try:
            await run(stock.fetch_history(first, records=records), link)
        finally:
            merged.update((record.index, record) for record in records)
        return all(index in merged for index in indices)

    links = await _again(bench, address, attempt, lambda: len(merged))
    records = [merged[index] for index in sorted(merged)]
    span = newest - records[0].index + 1 if records else 0
    return History(address, Family.STOCK, tuple(_hour(entry, basis) for entry in records), links, span - len(records))


def _hour(record: stock.HistoryRecord, basis: Basis) -> HourRecord:
    return HourRecord(
        moment(record.time_s, basis),
        record.time_s,
        record.index,
        record.temperature_min_c,
        record.temperature_max_c,
        record.humidity_min_pct,
        record.humidity_max_pct,
    )


# --- clearing ---------------------------------------------------------------------------------------------------------


async def clear(bench: Bench, unit: Address | str) -> Outcome:
    """Erase the stored records and see that they are gone; returns the outcome.

    Raises NotSupported on pvvx up to 3.7, whose command destroys the hardware string (custom-firmware.md 8).
    """
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("history clear", address, bench.wall) as entry:
        async with meet(bench, address) as (link, observation):
            stored = await _stored(link, observation.family, observation.label)
        if not stored:
            outcome = Outcome.NOTHING_TO_DO
        elif bench.dry_run:
            outcome = Outcome.DRY_RUN
        else:
            if not bench.ask(f"{address}: erase its stored records? Those not fetched are lost"):
                raise AnswerNeeded("nothing was erased", hint="answer yes, or give --yes")
            entry.step(StepRecord(StepKind.CLEAR_HISTORY))
            await _clear(bench, address)
            outcome = Outcome.VERIFIED
        entry.outcome(outcome)
        return outcome


async def _stored(link: Link, family: Family, label: str) -> bool:
    """Whether there is a record. Raises NotSupported where they cannot be cleared."""
    match family:
        case Family.PVVX:
            version = (await run(pvvx_client.read_config(), link)).version
            if version < SAFE_CLEAR_SINCE:
                raise NotSupported(
                    f"pvvx {version_text(version)} runs: its clear command destroys the hardware string, without which "
                    "Mi Home refuses the unit",
                    hint="`mitherm bring UNIT --to pvvx` updates it first",
                )
            return bool(await run(pvvx_client.read_history(1), link))
        case Family.STOCK:
            return (await run(stock.read_count(), link)).stored > 0
        case _:
            raise NotSupported(f"{label} runs: it stores no records")


async def _clear(bench: Bench, address: Address) -> None:
    async with meet(bench, address) as (link, observation):
        try:
            if observation.family is Family.PVVX:
                await run(pvvx_client.clear_history(), link)
            else:
                await run(write(STOCK_CLEAR, stock.CLEAR_HISTORY, response=True), link)
            left = await _stored(link, observation.family, observation.label)
        except (LinkLost, LinkTimeout) as problem:
            problem.device = "unknown"
            raise
    if left:
        raise NotVerified("the records are still there after the clear command", hint="repeat the command")
    bench.tell(StepEnd(StepKind.CLEAR_HISTORY, f"the records of {address} are gone"))
