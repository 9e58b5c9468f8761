"""Reach a goal: observe, plan, guard, show, do one step, observe again, until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.errors import AnswerNeeded, GuardRefused, KeysMissing, NotVerified, TransferResult
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepState
from mitherm.ops.bench import Bench, Rehearsal
from mitherm.ops.guards import RULES, Judgement, enforce
from mitherm.ops.keys.activate import register_unit
from mitherm.ops.keys.login import login_with_token
from mitherm.ops.keys.records import erase_records, save_records
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.ops.updating.knowledge import Expectation, Knowledge
from mitherm.ops.updating.steps import Activate, Assets, EraseRecords, Flash, Plan, SaveRecords, Step, record_of
from mitherm.ops.updating.transfer import Job, PaceChoice, transfer
from mitherm.ops.upkeep.settings import setting_commands
from mitherm.protocol.events import Notice, StepStart
from mitherm.store.journal import Entry

Planner = Callable[[Observation, Assets], Plan]
MOST_STEPS: Final = 12
"""More than twice the longest plan: a planner that never comes to an end must not wear out a flash."""


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
        knowledge = Knowledge(bench, address, find_image, bench.stores.inventory.get(address))
        execution = _Execution(bench, address, planner, knowledge, pace, entry)
        result = await execution.run()
        entry.outcome(result.outcome)
        result.seconds = round(bench.clock() - start, 3)
        return result


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
    knowledge: Knowledge
    pace: PaceChoice
    entry: Entry
    detoured: bool = False
    """Whether the way over the genuine image was taken: it is taken once."""

    async def run(self) -> UpdateResult:
        """Everything from the first look on."""
        observation = (await look(self.bench, self.address, weigh=True)).observation
        self._notice_update(observation)
        plan = await self._first_plan(observation)
        result = UpdateResult(plan, observation, observation)
        self._show(plan)
        if plan.steps:
            result.rules = self._guard_all(observation, plan)
            if self.bench.dry_run:
                result.outcome = Outcome.DRY_RUN
                return result
            self._agree(plan)
            result.after = await self._work(observation, plan)
            result.outcome = Outcome.VERIFIED
        return result

    def _notice_update(self, observation: Observation) -> None:
        """Hazard H8: the vendor's app changes stock firmware unasked."""
        before = self.knowledge.stock_version
        if before is not None and observation.family is Family.STOCK and observation.version != before:
            self.bench.warn(
                f"stock {before} ran here before, now it is {observation.version}",
                "decline firmware updates in the Mi Home app",
            )

    # --- planning -----------------------------------------------------------------------------------------------------

    def _plan(self, observation: Observation) -> Plan:
        return self.planner(observation, self.knowledge.assets(observation))

    async def _first_plan(self, observation: Observation) -> Plan:
        """The plan; where only the owner's token is missing and somebody can be asked, it is asked for, once."""
        try:
            return self._plan(observation)
        except KeysMissing as missing:
            if (
                observation.family is not Family.STOCK
                or observation.registered is False
                or self.bench.ask_token is None
            ):
                raise
            self.bench.note(missing.message)
            token = self.bench.ask_token(f"token of {self.address} (24 hex digits)")
            if token is None:
                raise
            await login_with_token(self.bench, self.address, token)
            return self._plan(replace(observation, registered=True))

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

    def _guard_all(self, observation: Observation, plan: Plan) -> list[Judgement]:
        """Judge every step before the first one is done, each against the unit as that step will meet it."""
        self.bench.stores.vault.check_writable(self.address)
        judgements: list[Judgement] = []
        expectation = self.knowledge.expectation(observation)
        for step in plan.steps:
            judgements += self._guard(expectation, step, plan)
            expectation = expectation.after(step)
        for judgement in judgements:
            if judgement.waived and judgement.verdict.message:
                self.bench.warn(f"waived: {judgement.verdict.message} ({judgement.rule.id})")
        return judgements

    def _guard(self, expectation: Expectation, step: Step, plan: Plan) -> list[Judgement]:
        """Saving records is always right: nothing on the unit changes by it."""
        if isinstance(step, SaveRecords):
            return []
        return enforce(RULES, self.knowledge.case(expectation, step, plan), self.bench.waivers)

    # --- doing --------------------------------------------------------------------------------------------------------

    async def _work(self, observation: Observation, plan: Plan) -> Observation:
        """Step by step. Each is judged again by what the unit is now, for it may not be what the plan expected."""
        begun = False
        for _ in range(MOST_STEPS):
            if not plan.steps:
                return observation
            step = plan.steps[0]
            try:
                self._guard(self.knowledge.expectation(observation), step, plan)
            except GuardRefused as refusal:
                refusal.device = "changed" if begun else "unchanged"
                raise
            self.entry.step(record_of(step))
            begun = True
            try:
                observation = await self._do(step, observation, plan.goal)
            except NotVerified as problem:
                plan = self._plan_after_refusal(problem, observation, step)
                continue
            self.entry.step(record_of(step).but(StepState.VERIFIED))
            plan = self._plan(observation)
            if _just_done(step, plan):
                return observation
        raise NotVerified(f"{self.address} does not get nearer to the goal", hint="look at it with `mitherm info`")

    async def _do(self, step: Step, observation: Observation, goal: str) -> Observation:
        """One step; returns the unit as it is then, looked at only where the step changed what is not known."""
        bench, address = self.bench, self.address
        bench.tell(StepStart(step.kind, step.reason, record_of(step).label))
        match step:
            case Activate():
                sighting = await find(bench, address)
                generation = await register_unit(bench, address, sighting, observation, goal=goal)
                return replace(observation, registered=True, did=generation.keys.did)
            case SaveRecords():
                await save_records(bench, address, observation=observation)
                return observation
            case EraseRecords():
                return await erase_records(bench, address, observation)
            case Flash():
                return await transfer(bench, Job(address, step, observation), self.pace)

    def _plan_after_refusal(self, problem: NotVerified, observation: Observation, step: Step) -> Plan:
        """Where a signature check refused the image: by way of the genuine one, once, if that is at hand."""
        if problem.transfer is not TransferResult.OLD_FIRMWARE:
            raise problem
        self.entry.step(record_of(step).but(StepState.NOT_ACCEPTED))
        plan = self._plan(observation)
        if (
            self.detoured
            or not Abilities.of(observation).needs_signature
            or not plan.steps
            or record_of(plan.steps[0]) == record_of(step)
        ):
            raise problem
        self.detoured = True
        self.bench.warn(problem.message)
        self._show(plan)
        self._guard_all(observation, plan)
        self._agree(plan)
        return plan
