"""Plans: the steps from what was observed to a goal. Pure: the same observation gives the same plan.

Nothing is remembered between two runs. A plan is made from what the unit shows, one step is done, the unit is looked at
again and the rest is planned anew, so work that was interrupted anywhere is continued by saying the same thing again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from mitherm.device.observation import Observation
from mitherm.errors import KeysMissing, MithermError, NotSupported
from mitherm.ops.images import Chosen, Wish

Goal: TypeAlias = Literal["pvvx", "atc1441", "stock", "mi-home-ready"]
GOALS: Final[tuple[Goal, ...]] = ("pvvx", "atc1441", "stock", "mi-home-ready")

STOCK_FOR_MI_HOME: Final = "1.0.0_0130"
"""Its first boot erases both homes of the record store when 0x78000 is blank (flash-layout.md 3.5, trap 2)."""
STOCK_NEW_BOARD: Final = "2.1.1_0159_B1.6"
NEW_BOARD_ID: Final = 14

GENERATION_2: Final = (
    "stock 2.1.1_0159 accepts no keys made here: add the unit in Mi Home, fetch token and bind key from your account, "
    "and put them into the vault"
)
GENERATION_2_HINT: Final = "mitherm keys import FILE   (the output of a key extractor), then repeat this command"


@dataclass(frozen=True, slots=True)
class Activate:
    """Register the unit (generation 1): it gets new keys, which are in the vault before it commits them."""

    reason: str
    name: str = "activate"


@dataclass(frozen=True, slots=True)
class SaveRecords:
    """Copy the Mi records of a pvvx unit into the vault and read them back from disk."""

    reason: str
    name: str = "save-keys"


@dataclass(frozen=True, slots=True)
class EraseRecords:
    """Erase DID and keys on a pvvx unit (command 17)."""

    reason: str
    name: str = "erase-mi-records"


@dataclass(frozen=True, slots=True)
class Flash:
    """Transfer an image and verify that the unit runs it."""

    image: Chosen
    reason: str
    login: bool = False

    @property
    def name(self) -> str:
        """flash pvvx 5.8"""
        return f"flash {self.image.label}"


Step: TypeAlias = Activate | SaveRecords | EraseRecords | Flash


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order; `notes` are for people."""

    goal: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[dict[str, str]]:
        """The plan as scripts and people read it: one entry per visible step, verification included."""
        lines: list[dict[str, str]] = []
        for step in self.steps:
            if isinstance(step, Flash) and step.login:
                lines.append(
                    {"step": "login", "reason": "stock firmware takes an update only from a logged-in central"}
                )
            lines.append({"step": step.name, "reason": step.reason})
            if isinstance(step, Flash):
                lines.append({"step": "verify", "reason": f"see it advertise again and run {step.image.label}"})
        return lines


@dataclass(frozen=True, slots=True)
class Assets:
    """What is at hand besides the unit."""

    has_token: bool = False
    records_saved: bool = False
    """Whether the vault holds the records that the unit shows now."""
    may_replace_keys: bool = False
    """H9 was waived: a bound unit may be registered anew."""
    find_image: Callable[[Wish], Chosen] = field(default=lambda wish: _no_image(wish))


def _no_image(wish: Wish) -> Chosen:
    raise NotImplementedError(f"no images at hand for {wish}")


def make_plan(goal: Goal, seen: Observation, assets: Assets, *, fresh: bool = False) -> Plan:
    """The road from `seen` to `goal`.

    Raises KeysMissing, ImageMissing, NotSupported when there is none, with what would open it. `fresh`: with
    mi-home-ready, erase a DID that looks genuine too.
    """
    if seen.family not in ("stock", "pvvx", "atc1441"):
        raise NotSupported(
            f"no road from {seen.label} over the air",
            hint="`mitherm info` shows what was recognised; else use the wire",
        )
    if goal == "mi-home-ready":
        return _to_mi_home(seen, assets, fresh)
    if seen.family == goal:
        return _update(goal, seen, assets)
    return Plan(
        goal, _enter(seen, assets, Wish(goal, seen.identity.model, version=_stock_version(goal, seen)), _why(goal))
    )


def plan_image(seen: Observation, assets: Assets, image: Chosen) -> Plan:
    """The road to one given image: nothing where it runs already. Raises as `make_plan`."""
    if seen.family == image.family and image.version is not None and seen.version == image.version:
        return Plan(image.label, notes=(f"{seen.label} runs already",))
    wish = Wish(image.family, seen.identity.model, version=image.version)
    return Plan(image.label, _enter(seen, assets, wish, f"you asked for {image.name}"))


def _why(goal: str) -> str:
    return f"the goal is {goal}"


def _stock_version(goal: str, seen: Observation) -> str | None:
    if goal != "stock":
        return None
    return STOCK_NEW_BOARD if seen.hardware_id == NEW_BOARD_ID else STOCK_FOR_MI_HOME


def _update(goal: str, seen: Observation, assets: Assets) -> Plan:
    """The family is right already: work only where an image was named and differs."""
    wish = Wish(goal, seen.identity.model, named_only=True)
    try:
        image = assets.find_image(wish)
    except MithermError:
        return Plan(goal)
    if image.version == seen.version or image.version is None:
        return Plan(goal)
    return Plan(goal, _enter(seen, assets, wish, f"{seen.label} runs, {image.label} was asked for"))


def _enter(seen: Observation, assets: Assets, wish: Wish, reason: str) -> tuple[Step, ...]:
    """The steps that put an image of `wish` on the unit as it is now."""
    signed = seen.family == "stock" and needs_signature(seen)
    image = assets.find_image(wish.with_signature(seen) if signed and wish.family != "stock" else wish)
    if seen.family == "stock":
        return (*_access(seen, assets), Flash(image, reason, login=True))
    return (*_save(seen, assets), Flash(image, reason))


def needs_signature(seen: Observation) -> bool:
    """Whether the running stock checks signatures (2.1.1_0159 and later)."""
    return seen.mi_generation == 2 or needs_signature_version(seen.version or "")


def needs_signature_version(version: str) -> bool:
    """Whether stock of this version checks signatures."""
    return version.startswith("2.")


def _access(seen: Observation, assets: Assets) -> tuple[Step, ...]:
    """What opens the OTA gate of stock firmware: nothing where the vault has keys, else an activation."""
    if assets.has_token and seen.registered is not False:
        return ()
    if needs_signature(seen):
        if seen.registered is False:
            raise KeysMissing(f"the unit is not bound, and {GENERATION_2}", hint=GENERATION_2_HINT)
        raise KeysMissing(GENERATION_2, hint=GENERATION_2_HINT)
    if seen.registered is False or assets.may_replace_keys:
        return (Activate("stock firmware takes an update only after a login, and a login needs keys"),)
    raise KeysMissing(
        "the unit holds keys that the vault does not have",
        hint="import them with `mitherm keys import`, or let new ones replace them with --replace-keys "
        "(whoever uses the old ones, such as Mi Home, then loses the unit)",
    )


def _save(seen: Observation, assets: Assets) -> tuple[Step, ...]:
    if seen.records is not None and not seen.records.empty and not assets.records_saved:
        return (SaveRecords("nothing may be lost: the Mi records go to the vault before anything changes"),)
    return ()


def _to_mi_home(seen: Observation, assets: Assets, fresh: bool) -> Plan:
    goal = "mi-home-ready"
    if seen.family == "stock":
        if not (seen.invented_did or (fresh and seen.did is not None)):
            return Plan(goal, notes=(_ready_note(seen),))
        cause = (
            f"the DID {seen.did} was made up by a flasher and the cloud refuses it: that is error -29"
            if seen.invented_did
            else "you asked for a fresh identity"
        )
        steps = _enter(
            seen,
            replace(assets, may_replace_keys=True),
            Wish("pvvx", seen.identity.model),
            f"{cause}; only custom firmware can erase it",
        )
        return Plan(
            goal,
            (
                *(_knowingly(step) for step in steps),
                SaveRecords("the Mi records go to the vault first"),
                EraseRecords("without a DID record the cloud issues a new one"),
                _back(seen, assets),
            ),
        )
    steps = _save(seen, assets)
    if seen.records is not None and not seen.records.empty:
        steps = (*steps, EraseRecords("without a DID record the cloud issues a new one"))
    return Plan(goal, (*steps, _back(seen, assets)))


def _knowingly(step: Step) -> Step:
    if not isinstance(step, Activate):
        return step
    return Activate(f"{step.reason}; those it holds now are erased by this plan anyway")


def _back(seen: Observation, assets: Assets) -> Flash:
    version = STOCK_NEW_BOARD if seen.hardware_id == NEW_BOARD_ID else STOCK_FOR_MI_HOME
    image = assets.find_image(Wish("stock", seen.identity.model, version=version))
    return Flash(image, "Mi Home speaks only to stock firmware")


def _ready_note(seen: Observation) -> str:
    if seen.did is None:
        return "no DID is stored: Mi Home will give the unit a new one"
    return (
        f"the DID {seen.did} looks genuine. If Mi Home still says -29, another account holds the unit: delete it there, "
        "or repeat with --fresh"
    )
