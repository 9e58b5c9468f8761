"""Listening without end: one scan, one merger, several sinks that cannot hold each other up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

from mitherm.errors import BrokerUnreachable, DiskProblem, MithermError, RadioUnavailable, StoreError
from mitherm.model.address import Address
from mitherm.model.report import Report
from mitherm.ops.bench import Bench
from mitherm.ops.gateway.service import Notifier
from mitherm.ops.hearing.listen import all_keys, key_ring, wall_clock
from mitherm.ops.hearing.receiver import Receiver
from mitherm.primitives.secret import Secret
from mitherm.publish.sink import Counters, Sink
from mitherm.retry import Backoff
from mitherm.store.inventory import KnownUnit

TICK_S: Final = 1.0
RELOAD_S: Final = 60.0
"""New keys and names are found within this time."""
DEAF_S: Final = 300.0
"""A scan that hears nothing at all for so long is begun anew: adapters fall asleep."""
GRACE_S: Final = 5.0
"""What sinks get to deliver the last reports."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


class Monitor:
    """`run` listens until `stop` is set or the time is over. Raises MithermError where nothing can be heard at all.

    `names` go before the inventory's.
    """

    def __init__(
        self,
        bench: Bench,
        receiver: Receiver,
        sinks: Sequence[Sink],
        *,
        names: Mapping[Address, str] | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.stop = asyncio.Event()
        self._bench = bench
        self._receiver = receiver
        self._sinks = sinks
        self._names = names or {}
        self._notifier = notifier or Notifier({})
        self._problems: dict[str, str | None] = {}
        """Of each sink, as last told."""
        self._keys: Mapping[Address, Sequence[Secret]] = {}
        self._heard = 0
        self._reports: object = None
        self._wall = wall_clock(bench)

    async def run(self, duration_s: float | None = None) -> None:
        """Listen, merge, deliver; then let the sinks finish."""
        self.reload()
        async with self._open_sinks(), _first_error(), asyncio.TaskGroup() as group:
            deliveries = [group.create_task(self._deliver(sink)) for sink in self._sinks]
            work = [group.create_task(self._listen()), group.create_task(self._watch())]
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), duration_s)
            self._notifier.stopping()
            for task in work:
                task.cancel()
            await self._finish(deliveries)

    def raise_if_unreached(self) -> None:
        """Raises BrokerUnreachable where a broker was never reached."""
        for sink in self._sinks:
            if (problem := sink.failure) is not None:
                raise problem

    def ages(self) -> Mapping[str, float]:
        """See Gateway.ages."""
        return self._receiver.ages(self._bench.clock())

    def counters(self) -> Counters:
        """See Gateway.counters: for metrics and the last words."""
        present = self._wall(self._bench.clock()).timestamp()
        return {
            "mitherm_last_seen_timestamp_seconds/address": {
                unit: round(present - age_s, 3) for unit, age_s in self.ages().items()
            },
            "mitherm_frames_total/result": dict(self._receiver.counts),
            "mitherm_adverts_dropped_total": {"": int(getattr(self._reports, "dropped", 0))},
            "mitherm_units": {"": len(self._receiver.units)},
            "mitherm_sink_sent_total/sink": {sink.name: sink.sent for sink in self._sinks},
            "mitherm_sink_dropped_total/sink": {sink.name: sink.dropped for sink in self._sinks},
            "mitherm_sink_waiting/sink": {
                sink.name: len(sink.feed) + int(getattr(sink, "waiting", 0)) for sink in self._sinks
            },
        }

    def reload(self) -> None:
        """See Gateway.reload."""
        try:
            units = {unit.address: unit for unit in self._bench.stores.inventory.units()}
            keys = all_keys(self._bench.stores.vault)
        except StoreError as problem:
            self._bench.warn(problem.message, problem.hint)
            return
        units |= {
            address: replace(units.get(address, KnownUnit(address)), name=name) for address, name in self._names.items()
        }
        self._receiver.known = units.get
        if keys != self._keys:
            self._keys = keys
            self._receiver.use_keys(key_ring(keys))

    # --- tasks --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """The scan, begun anew when the adapter fails or goes deaf."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            heard_before = self._heard
            try:
                return await self._scan()
            except TimeoutError:
                if self._heard > heard_before:
                    self._bench.warn(f"nothing was heard for {DEAF_S:.0f} s; the scan begins anew")
            except RadioUnavailable as problem:
                if not self._heard:
                    raise
                self._bench.warn(problem.message, problem.hint)
                if self._heard > heard_before:
                    backoff.reset()
                await asyncio.sleep(backoff.pause_s())

    async def _scan(self) -> None:
        """One scan; raises TimeoutError when it is deaf."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEAF_S) as limit, self._bench.radio.sightings() as sightings:
            self._notifier.ready("listening")
            self._reports = sightings
            async for sighting in sightings:
                self._heard += 1
                limit.reschedule(loop.time() + DEAF_S)
                self._publish(self._receiver.hear(sighting, self._wall(sighting.at_s)))

    async def _watch(self) -> None:
        """Once a second: silence, troubles of sinks, the service manager; now and then new keys and names."""
        reloaded_s = self._bench.clock()
        while True:
            await asyncio.sleep(TICK_S)
            now = self._bench.clock()
            for report in self._receiver.tick(now, self._wall(now)):
                self._publish(report)
            for sink in self._sinks:
                self._tell_problem(sink)
            self._notifier.alive(f"{len(self._receiver.units)} units")
            if now - reloaded_s >= RELOAD_S:
                reloaded_s = now
                self.reload()

    async def _deliver(self, sink: Sink) -> None:
        """Run a sink; what time can heal is tried again, everything else ends the program."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            try:
                return await sink.run()
            except* (BrokerUnreachable, DiskProblem) as group:
                sink.problem = str(group.exceptions[0])
            await asyncio.sleep(backoff.pause_s())

    async def _finish(self, deliveries: Sequence[asyncio.Task[None]]) -> None:
        for sink in self._sinks:
            sink.feed.close()
        if deliveries:
            _, late = await asyncio.wait(deliveries, timeout=GRACE_S)
            for task in late:
                task.cancel()

    @asynccontextmanager
    async def _open_sinks(self) -> AsyncIterator[None]:
        """All are closed again, also where one of them cannot be opened."""
        begun: list[Sink] = []
        try:
            for sink in self._sinks:
                begun.append(sink)
                await sink.open(self)
            yield
        finally:
            for sink in begun:
                await sink.close()

    # ------------------------------------------------------------------------------------------------------------------

    def _publish(self, report: Report | None) -> None:
        if report is not None:
            for sink in self._sinks:
                sink.feed.put(report)

    def _tell_problem(self, sink: Sink) -> None:
        if sink.problem != self._problems.get(sink.name):
            self._problems[sink.name] = sink.problem
            if sink.problem is None:
                self._bench.note(f"{sink.name}: works again")
            else:
                self._bench.warn(f"{sink.name}: {sink.problem}")


@asynccontextmanager
async def _first_error() -> AsyncIterator[None]:
    """One error instead of a group: the first of ours, else the first."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours = group.subgroup(MithermError) or group
        raise _leaf(ours) from None


def _leaf(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first
