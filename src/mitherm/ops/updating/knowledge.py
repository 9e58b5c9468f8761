"""What is known of a unit besides what it shows: by the vault, the journal and the inventory. Plans and guards ask here.

The journal tells one thing that no unit tells: which build of 2.1.1_0159 seems to run. It is a hint. Wrong, it costs a
needless detour over the genuine image, or one try whose image the unit does not accept; no guard opens by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mitherm.device.boards import remembered_board
from mitherm.device.observation import SERIAL_LENGTH, Observation
from mitherm.image.recognise import SIGNED_VERSION
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import RARE_BUILD, StepKind, StepRecord, StepState
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import ImageRequest, SelectedImage
from mitherm.ops.guards import Case
from mitherm.ops.guards.rule import Action
from mitherm.ops.keys.records import records_saved
from mitherm.ops.updating.steps import Activate, Assets, Build, EraseRecords, Flash, Plan, SaveRecords, Step
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Expectation:
    """The unit as a later step of the plan will meet it."""

    observation: Observation
    records_saved: bool
    can_log_in: bool

    def after(self, step: Step) -> Expectation:
        """The unit as it should be after `step`."""
        match step:
            case Activate():
                return replace(self, observation=replace(self.observation, registered=True), can_log_in=True)
            case SaveRecords():
                return replace(self, records_saved=True)
            case EraseRecords():
                return self
            case Flash():
                return replace(self, observation=_flashed(self.observation, step), records_saved=False)


def _flashed(observation: Observation, step: Flash) -> Observation:
    image = step.image
    identity = replace(observation.identity, family=image.family, version=image.version)
    serial = observation.serial[:SERIAL_LENGTH] if observation.serial else None
    return replace(observation, identity=identity, mi_generation=None, records=None, serial=serial)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one operation on one unit knows. `unit`: what the inventory knew before it."""

    bench: Bench
    address: Address
    find_image: Callable[[ImageRequest], SelectedImage]
    unit: KnownUnit | None

    @property
    def stock_version(self) -> str | None:
        """Stock version it ran when it was last seen; None where something else ran."""
        return self.unit.version if self.unit is not None and self.unit.family is Family.STOCK else None

    def assets(self, observation: Observation) -> Assets:
        """For the planner."""
        return Assets(
            can_log_in=self._can_log_in,
            records_saved=records_saved(self.bench, self.address, observation),
            may_replace_keys="H9" in self.bench.waivers,
            build=self._build,
            known_board=remembered_board(self.unit),
            find_image=self.find_image,
        )

    def expectation(self, observation: Observation) -> Expectation:
        """The unit as it is now. `can_log_in` also by keys that it shows: they are saved before it is written to (H10)."""
        pair = observation.records.current if observation.records is not None else None
        can_log_in = self._can_log_in or (pair is not None and pair.login_token is not None)
        return Expectation(observation, records_saved(self.bench, self.address, observation), can_log_in)

    def case(self, expectation: Expectation, step: Step, plan: Plan) -> Case:
        """What the guards judge before `step` of `plan`."""
        later = [other for other in plan.steps[plan.steps.index(step) :] if isinstance(other, Flash)]
        genuine = any(isinstance(other, Flash) and other.image.inspection.genuine for other in plan.steps)
        return Case(
            action=_action(step),
            address=self.address,
            unit=expectation.observation,
            image=step.image if isinstance(step, Flash) else None,
            extended=isinstance(step, Flash) and step.area_kib is not None,
            passing=len(later) > 1,
            goal=plan.goal,
            records_saved=expectation.records_saved,
            can_log_in=expectation.can_log_in,
            refused_before=self._build == "other" and not genuine,
            known_board=remembered_board(self.unit),
            known_version=self.stock_version,
            synthetic_allowed=self.bench.allow_synthetic,
            catalogue=self.bench.catalogue,
        )

    @property
    def _can_log_in(self) -> bool:
        return self.bench.stores.vault.access(self.address).can_log_in

    @property
    def _build(self) -> Build | None:
        return remembered_build(self.bench.stores.journal, self.address)


def _action(step: Step) -> Action:
    match step:
        case Activate():
            return "activate"
        case EraseRecords():
            return "erase"
        case _:
            return "flash"


def remembered_build(journal: Journal, address: Address) -> Build | None:
    """What the steps of all earlier operations on this unit say; the last one that says anything decides."""
    build: Build | None = None
    for run in journal.runs(address=address):
        for step in run.steps:
            if step.state is StepState.NOT_ACCEPTED:
                build = "other"
            elif step.state is StepState.VERIFIED and step.kind is StepKind.FLASH:
                build = _build_of(step)
    return build


def _build_of(step: StepRecord) -> Build | None:
    if (step.family, step.version) != (Family.STOCK, SIGNED_VERSION):
        return None
    return "other" if step.build == RARE_BUILD else "c"
