"""Pursue a goal: observe, plan, guard, show, do one step, observe again - until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mitherm.device.abilities import Abilities
from mitherm.device.boards import remembered_board
from mitherm.device.observation import SERIAL_LENGTH, Observation
from mitherm.errors import AnswerNeeded, GuardRefused, KeysMissing, NotVerified, TransferResult
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepState
from mitherm.ops.bench import Bench, Rehearsal
from mitherm.ops.guards import RULES, Case, Judgement, enforce
from mitherm.ops.keys.activate import register_unit
from mitherm.ops.keys.login import login_with_token
from mitherm.ops.keys.records import erase_records, records_saved, save_records
from mitherm.ops.look import Look, look
from mitherm.ops.target import find
from mitherm.ops.updating.memory import remembered_build
from mitherm.ops.updating.steps import Activate, Assets, EraseRecords, Flash, Plan, SaveRecords, Step, record_of
from mitherm.ops.updating.transfer import Job, PaceChoice, transfer
from mitherm.ops.upkeep.settings import setting_commands
from mitherm.protocol.events import Notice, StepStarted
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Entry

Planner = Callable[[Observation, Assets], Plan]
MOST_STEPS = 12


@dataclass(slots=True)
class UpdateResult:
    """What `flash` and `bring` report."""

    plan: Plan
    before: Observation
    after: Observation
    outcome: Outcome = Outcome.NOTHING_TO_DO
    seconds: float = 0.0
    rules: list[Judgement] = field(default_factory=list)
    rehearsal: Rehearsal | None = None
    """Dry run: what a virtual twin of the unit made of it."""

    @property
    def changed(self) -> bool:
        """Whether anything was done to the unit."""
        return self.outcome.changed


async def execute(
    bench: Bench,
    address: Address,
    name: str,
    planner: Planner,
    find_image: Callable[..., Any],
    pace: PaceChoice = "auto",
) -> UpdateResult:
    """Do what `planner` says until it says nothing more; in a dry run, on a twin. Raises whatever a step raises; the
    journal knows how far it got.
    """
    result = await _execute(bench, address, name, planner, find_image, pace)
    if result.outcome is Outcome.DRY_RUN and bench.rehearse is not None:
        settings = await setting_commands(bench, result.before)
        result.rehearsal = await bench.rehearse(
            bench, result.before, settings, lambda twin: _execute(twin, address, name, planner, find_image, pace)
        )
    return result


async def _execute(
    bench: Bench,
    address: Address,
    name: str,
    planner: Planner,
    find_image: Callable[..., Any],
    pace: PaceChoice,
) -> UpdateResult:
    start = bench.clock()
    with bench.stores.journal.operation(name, address, bench.wall, waivers=sorted(bench.waivers)) as entry:
        known = bench.stores.inventory.get(address)
        execution = _Execution(bench, address, planner, find_image, pace, entry, known)
        result = await execution.run()
        entry.outcome(result.outcome)
        result.seconds = round(bench.clock() - start, 3)
        return result


@dataclass(slots=True)
class _Expected:
    """The unit as a later step of the plan will meet it."""

    seen: Observation
    records_saved: bool
    can_log_in: bool

    def after(self, step: Step) -> _Expected:
        """The unit as it should be after `step`."""
        match step:
            case Activate():
                return _Expected(replace(self.seen, registered=True), self.records_saved, can_log_in=True)
            case SaveRecords():
                return _Expected(self.seen, records_saved=True, can_log_in=self.can_log_in)
            case EraseRecords():
                return self
            case Flash():
                return _Expected(_flashed(self.seen, step), records_saved=False, can_log_in=self.can_log_in)


def _flashed(seen: Observation, step: Flash) -> Observation:
    image = step.image
    identity = replace(seen.identity, family=image.family, version=image.version)
    serial = seen.serial[:SERIAL_LENGTH] if seen.serial else None
    return replace(seen, identity=identity, mi_generation=None, records=None, serial=serial)


def _just_done(step: Step, plan: Plan) -> bool:
    """Whether all that is left is the image that was verified a moment ago: firmware without a version looks so."""
    left = plan.steps[-1] if len(plan.steps) == 1 else None
    return isinstance(step, Flash) and isinstance(left, Flash) and left.image.data == step.image.data


@dataclass(slots=True)
class _Execution:
    """One operation on one unit."""

    bench: Bench
    address: Address
    planner: Planner
    find_image: Callable[..., Any]
    pace: PaceChoice
    entry: Entry
    known: KnownUnit | None
    """What the inventory knew before this operation."""
    detoured: bool = False

    async def run(self) -> UpdateResult:
        """Everything from the first look on."""
        found = await look(self.bench, self.address, weigh=True)
        seen = found.seen
        self._notice_update(seen)
        plan = await self._first_plan(seen)
        result = UpdateResult(plan, seen, seen)
        self._show(plan)
        if plan.steps:
            result.rules = self._guard_all(seen, plan)
            if self.bench.dry_run:
                result.outcome = Outcome.DRY_RUN
                return result
            self._agree(plan)
            result.after = await self._work(found, plan)
            result.outcome = Outcome.VERIFIED
        return result

    def _notice_update(self, seen: Observation) -> None:
        """Hazard H8: the vendor's app changes stock firmware unasked."""
        known = self.known
        if known is None or {known.family, seen.family} != {Family.STOCK} or known.version in (None, seen.version):
            return
        self.bench.warn(
            f"stock {known.version} ran here before, now it is {seen.version}",
            "decline firmware updates in the Mi Home app",
        )

    # --- planning -----------------------------------------------------------------------------------------------------

    def _plan(self, seen: Observation) -> Plan:
        return self.planner(seen, self._assets(seen))

    async def _first_plan(self, seen: Observation) -> Plan:
        """The plan; where only the owner's token is missing and somebody can be asked, it is asked for, once."""
        try:
            return self._plan(seen)
        except KeysMissing as missing:
            if seen.family is not Family.STOCK or seen.registered is False or self.bench.ask_token is None:
                raise
            self.bench.note(missing.message)
            token = self.bench.ask_token(f"token of {self.address} (24 hex digits)")
            if token is None:
                raise
            await login_with_token(self.bench, self.address, token)
            return self._plan(replace(seen, registered=True))

    def _assets(self, seen: Observation) -> Assets:
        return Assets(
            can_log_in=self.bench.stores.vault.access(self.address).can_log_in,
            records_saved=records_saved(self.bench, self.address, seen),
            may_replace_keys="H9" in self.bench.waivers,
            build=remembered_build(self.bench.stores.journal, self.address),
            known_board=remembered_board(self.known),
            find_image=self.find_image,
        )

    def _show(self, plan: Plan) -> None:
        for note in plan.notes:
            self.bench.tell(Notice("info", note))
        for number, stage in enumerate(plan.stages, 1):
            self.bench.tell(Notice("info", f"{number}. {stage.record.label}: {stage.reason}"))

    def _agree(self, plan: Plan) -> None:
        steps = ", ".join(stage.record.label for stage in plan.stages)
        if not self.bench.ask(f"{self.address}: do this now? ({steps})"):
            raise AnswerNeeded("nothing was done", hint="answer yes, or give --yes")

    # --- guarding -----------------------------------------------------------------------------------------------------

    def _guard_all(self, seen: Observation, plan: Plan) -> list[Judgement]:
        """Judge every step before the first one is done, each against the unit as that step will meet it."""
        self.bench.stores.vault.check_writable(self.address)
        judgements: list[Judgement] = []
        expected = self._now(seen)
        for step in plan.steps:
            judgements += self._guard(expected, step, plan)
            expected = expected.after(step)
        for judgement in judgements:
            if judgement.waived and judgement.verdict.message:
                self.bench.warn(f"waived: {judgement.verdict.message} ({judgement.rule.id})")
        return judgements

    def _now(self, seen: Observation) -> _Expected:
        """`can_log_in` also by the keys that the unit itself shows: they are saved before it is written to (H10)."""
        shown = seen.records.current if seen.records is not None else None
        can_log_in = self.bench.stores.vault.access(self.address).can_log_in
        can_log_in |= shown is not None and shown.login_token is not None
        return _Expected(seen, records_saved(self.bench, self.address, seen), can_log_in)

    def _guard(self, expected: _Expected, step: Step, plan: Plan) -> list[Judgement]:
        if isinstance(step, SaveRecords):
            return []
        image = step.image if isinstance(step, Flash) else None
        case = Case(
            action="activate" if isinstance(step, Activate) else "erase" if isinstance(step, EraseRecords) else "flash",
            address=self.address,
            unit=expected.seen,
            image=image,
            extended=isinstance(step, Flash) and step.area_kib is not None,
            passing=sum(isinstance(other, Flash) for other in plan.steps[plan.steps.index(step) :]) > 1,
            goal=plan.goal,
            records_saved=expected.records_saved,
            can_log_in=expected.can_log_in,
            refused_before=remembered_build(self.bench.stores.journal, self.address) == "other"
            and not any(isinstance(other, Flash) and other.image.inspection.genuine for other in plan.steps),
            known_board=remembered_board(self.known),
            known_version=self.known.version if self.known and self.known.family is Family.STOCK else None,
            synthetic_allowed=self.bench.allow_synthetic,
            catalogue=self.bench.catalogue,
        )
        return enforce(RULES, case, self.bench.waivers)

    # --- doing --------------------------------------------------------------------------------------------------------

    async def _work(self, found: Look, plan: Plan) -> Observation:
        seen, begun = found.seen, False
        for _ in range(MOST_STEPS):
            if not plan.steps:
                return seen
            step = plan.steps[0]
            try:
                self._guard(self._now(seen), step, plan)
            except GuardRefused as refusal:
                refusal.device = "changed" if begun else "unchanged"
                raise
            self.entry.step(record_of(step))
            begun = True
            try:
                seen = await self._do(step, seen, plan.goal)
            except NotVerified as problem:
                plan = self._plan_after_refusal(problem, seen, step)
                continue
            self.entry.step(record_of(step).but(StepState.VERIFIED))
            plan = self._plan(seen)
            if _just_done(step, plan):
                return seen
        raise NotVerified(f"{self.address} does not get nearer to the goal", hint="look at it with `mitherm info`")

    async def _do(self, step: Step, seen: Observation, goal: str) -> Observation:
        """One step; returns the unit as it is then, looked at only where the step changed what is not known."""
        bench, address = self.bench, self.address
        bench.tell(StepStarted(step.kind, step.reason, record_of(step).label))
        match step:
            case Activate():
                sighting = await find(bench, address)
                generation = await register_unit(bench, address, sighting, seen, goal=goal)
                return replace(seen, registered=True, did=generation.keys.did)
            case SaveRecords():
                await save_records(bench, address, seen=seen)
                return seen
            case EraseRecords():
                return await erase_records(bench, address, seen)
            case Flash():
                return await transfer(bench, Job(address, step, seen), self.pace)

    def _plan_after_refusal(self, problem: NotVerified, seen: Observation, step: Step) -> Plan:
        """Where a signature check refused the image: by way of the genuine one, once, if that is at hand."""
        if problem.transfer is not TransferResult.OLD_FIRMWARE:
            raise problem
        self.entry.step(record_of(step).but(StepState.NOT_ACCEPTED))
        plan = self._plan(seen)
        if (
            self.detoured
            or not Abilities.of(seen).needs_signature
            or not plan.steps
            or record_of(plan.steps[0]) == record_of(step)
        ):
            raise problem
        self.detoured = True
        self.bench.warn(problem.message)
        self._show(plan)
        self._guard_all(seen, plan)
        self._agree(plan)
        return plan
