"""Pursue a goal: observe, plan, guard, show, do one step, observe again - until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mitherm.device.identify import Identity, known_family
from mitherm.device.observation import Observation
from mitherm.errors import AnswerNeeded, MithermError, NotVerified
from mitherm.model.address import Address
from mitherm.ops.activate import register_unit
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, Judgement, enforce
from mitherm.ops.look import look
from mitherm.ops.plan import Activate, Assets, EraseRecords, Flash, Plan, SaveRecords, Step
from mitherm.ops.records import erase_records, records_saved, save_records
from mitherm.ops.transfer import PaceChoice, transfer
from mitherm.protocol.events import Notice, StepStarted
from mitherm.store.journal import Entry

Planner = Callable[[Observation, Assets], Plan]
MOST_STEPS = 12


@dataclass(slots=True)
class Pursuit:
    """What `flash` and `bring` report."""

    plan: Plan
    before: Observation
    after: Observation
    outcome: str = "nothing-to-do"
    seconds: float = 0.0
    rules: list[Judgement] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was done to the unit."""
        return self.outcome == "verified"


async def pursue(
    bench: Bench,
    address: Address,
    name: str,
    planner: Planner,
    find_image: Callable[..., Any],
    pace: PaceChoice = "auto",
) -> Pursuit:
    """Do what `planner` says until it says nothing more. Raises whatever a step raises; the journal knows how far it got."""
    start = bench.clock()
    with bench.stores.journal.operation(name, address, bench.wall, waivers=sorted(bench.waivers)) as entry:
        seen = (await look(bench, address)).seen
        plan = planner(seen, _assets(bench, address, seen, find_image))
        pursuit = Pursuit(plan, seen, seen)
        _show(bench, plan)
        if plan.steps:
            pursuit.rules = _guard_all(bench, address, seen, plan)
            if bench.dry_run:
                pursuit.outcome = "dry-run"
                return pursuit
            _agree(bench, address, plan)
            pursuit.after = await _work(bench, address, planner, find_image, seen, plan, pace, entry)
            pursuit.outcome = "verified"
        entry.outcome(pursuit.outcome)
        pursuit.seconds = round(bench.clock() - start, 3)
        return pursuit


def _assets(bench: Bench, address: Address, seen: Observation, find_image: Callable[..., Any]) -> Assets:
    return Assets(
        has_token=any(one.keys.token is not None for one in bench.stores.vault.generations(address)),
        records_saved=records_saved(bench, address, seen),
        may_replace_keys="H9" in bench.waivers,
        find_image=find_image,
    )


def _show(bench: Bench, plan: Plan) -> None:
    for note in plan.notes:
        bench.tell(Notice("info", note))
    for number, line in enumerate(plan.lines(), 1):
        bench.tell(Notice("info", f"{number}. {line['step']}: {line['reason']}"))


def _agree(bench: Bench, address: Address, plan: Plan) -> None:
    steps = ", ".join(line["step"] for line in plan.lines())
    if not bench.ask(f"{address}: do this now? ({steps})"):
        raise AnswerNeeded("nothing was done", hint="answer yes, or give --yes")


def _guard_all(bench: Bench, address: Address, seen: Observation, plan: Plan) -> list[Judgement]:
    """Judge every step of the plan before the first one is done, each against the unit as that step will meet it."""
    bench.stores.vault.check_writable(address)
    judgements: list[Judgement] = []
    expected = seen
    for step in plan.steps:
        judgements += enforce(RULES, _case(bench, address, expected, step, plan.goal, foreseen=True), bench.waivers)
        expected = _foresee(expected, step)
    return judgements


def _case(bench: Bench, address: Address, seen: Observation, step: Step, goal: str, *, foreseen: bool) -> Case:
    action = {Activate: "activate", EraseRecords: "erase"}.get(type(step), "flash")
    return Case(
        action=action,  # type: ignore[arg-type]
        chosen=address,
        seen=seen,
        image=step.image if isinstance(step, Flash) else None,
        records_saved=foreseen or records_saved(bench, address, seen),
        has_keys=bench.stores.vault.current(address) is not None,
        synthetic_allowed=bench.allow_synthetic,
        goal=goal,
    )


def _foresee(seen: Observation, step: Step) -> Observation:
    """The unit as it should be after `step`: what later guards are judged against in advance."""
    if isinstance(step, Activate):
        return replace(seen, registered=True)
    if isinstance(step, Flash):
        identity = Identity(
            known_family(step.image.family), step.image.version, seen.identity.model, seen.identity.hardware
        )
        return replace(seen, identity=identity, mi_generation=None)
    return seen


async def _work(
    bench: Bench,
    address: Address,
    planner: Planner,
    find_image: Callable[..., Any],
    seen: Observation,
    plan: Plan,
    pace: PaceChoice,
    entry: Entry,
) -> Observation:
    for _ in range(MOST_STEPS):
        if not plan.steps:
            return seen
        step = plan.steps[0]
        entry.step(step.name)
        enforce(RULES, _case(bench, address, seen, step, plan.goal, foreseen=False), bench.waivers) if isinstance(
            step, Flash
        ) else None
        await _do(bench, address, seen, step, plan.goal, pace)
        seen = (await look(bench, address)).seen
        plan = planner(seen, _assets(bench, address, seen, find_image))
    raise NotVerified(f"{address} does not get nearer to the goal", hint="look at it with `mitherm info`")


async def _do(bench: Bench, address: Address, seen: Observation, step: Step, goal: str, pace: PaceChoice) -> None:
    bench.tell(StepStarted(step.name, step.reason))
    match step:
        case Activate():
            found = await look(bench, address)
            await register_unit(bench, address, found.sighting, found.seen, goal=goal)
        case SaveRecords():
            await save_records(bench, address)
        case EraseRecords():
            await erase_records(bench, address)
        case Flash(image, _, login):
            await transfer(bench, address, image, seen, login=login, pace=pace)


def with_plan(error: MithermError, plan: Plan) -> MithermError:
    """The same error with the plan in its result."""
    error.result = {**(error.result or {}), "plan": plan.lines()}
    return error
