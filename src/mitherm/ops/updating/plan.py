"""Plans: the steps from what was observed to a goal. Pure: the same observation gives the same plan.

A plan is made from what the unit shows, one step is done, the unit is looked at again and the rest is planned anew, so work
that was interrupted anywhere is continued by saying the same thing again. The one thing that is remembered between two runs
is which build of 2.1.1_0159 a unit seems to run (`knowledge.py`), because no unit tells it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.device.boards import NEW_BOARD
from mitherm.device.observation import Observation
from mitherm.errors import ImageMissing, KeysMissing, NotSupported, UsageProblem
from mitherm.image.inspection import FileKind
from mitherm.image.recognise import SIGNED_VERSION, Kind
from mitherm.model.family import Family
from mitherm.model.models import EXTENDED_BY, same_version
from mitherm.ops.files.images import ImageRequest, SelectedImage
from mitherm.ops.keys.activate import GENERATION_2, GENERATION_2_HINT
from mitherm.ops.next_step import KEYS_HINT
from mitherm.ops.updating.steps import Activate, Assets, EraseRecords, Flash, Plan, SaveRecords, Step

GOALS: Final = ("pvvx", "atc1441", "stock", "mi-home-ready")
"""What `bring` can reach; families may be followed by a version: pvvx-5.8, stock-2.1.1_0159."""

STOCK_FOR_MI_HOME: Final = "1.0.0_0130"
"""Its first boot erases both homes of the record store when 0x78000 is blank (flash-layout.md 3.5, trap 2)."""
STOCK_NEW_BOARD: Final = SIGNED_VERSION + "_B1.6"

_NO_PATH: Final = {
    Family.ZBDEVICE: "Zigbee firmware is changed by its coordinator, with the container of the firmware you want",
    Family.PHY62X2: "a PHY62x2 chip: no Telink image fits it",
}


def parse_goal(text: str) -> tuple[str, str | None]:
    """Family (or mi-home-ready) and the version where one was named. Raises UsageProblem."""
    kind = Kind.parse(text)
    if text not in GOALS and kind is None:
        raise UsageProblem(f"unknown goal {text!r}", hint=f"goals: {', '.join(GOALS)}; or a version, such as pvvx-5.8")
    family, _, version = (text, "", "") if text in GOALS else text.partition("-")
    return family, version or None


def make_plan(goal: str, observation: Observation, assets: Assets, *, fresh: bool = False) -> Plan:
    """The path from `observation` to `goal`.

    Raises UsageProblem, KeysMissing, ImageMissing, NotSupported when there is none, with what would open it. `fresh`: with
    mi-home-ready, erase a DID that looks genuine too.
    """
    family, version = parse_goal(goal)
    _check_start(observation)
    if family == "mi-home-ready":
        return _to_mi_home(observation, assets, fresh)
    if observation.family == family:
        return _update(goal, version, observation, assets)
    request = (
        _stock(observation, assets, version)
        if family is Family.STOCK
        else ImageRequest(Family.of(family), observation.identity.model, version)
    )
    return Plan(goal, _enter(observation, assets, request, f"the goal is {goal}"), _what_it_needs(observation, assets))


def plan_image(observation: Observation, assets: Assets, image: SelectedImage) -> Plan:
    """The path to one given image: nothing where it runs already. Raises as `make_plan`."""
    _check_start(observation)
    if _runs(observation, assets, image):
        return Plan(image.label, notes=(f"{observation.label} runs already",))
    reason = f"you asked for {image.name}"
    request = ImageRequest(image.family, observation.identity.model, image.full_version)
    if (
        Abilities.of(observation).needs_extended(image.inspection)
        and not Abilities.of(observation).extended
        and image.inspection.kind is not FileKind.TELINK
    ):
        steps = (
            *_enter(
                observation,
                assets,
                ImageRequest(Family.PVVX, observation.identity.model),
                f"only {EXTENDED_BY} has the extended update",
            ),
            SaveRecords("the extended update may erase the Mi records: they go to the vault first"),
            _extended(image, reason, observation),
        )
        return Plan(image.label, steps, _what_it_needs(observation, assets))
    return Plan(
        image.label, _enter(observation, assets, request, reason, as_it_is=True), _what_it_needs(observation, assets)
    )


def _check_start(observation: Observation) -> None:
    if not observation.family.updatable:
        raise NotSupported(
            f"no road over the air from {observation.label}; use the wire",
            hint=_NO_PATH.get(observation.family, "`mitherm info` shows what was recognised"),
        )


def _runs(observation: Observation, assets: Assets, image: SelectedImage) -> bool:
    if (observation.family, observation.identity.model) != (
        image.family,
        image.inspection.model,
    ) or image.version is None:
        return False
    if not same_version(image.version, observation.version):
        return False
    if not Abilities.of(observation).needs_signature:
        return True
    return image.inspection.build == ("B1.6" if _other_build(observation, assets) else assets.build)


def _runs_version(observation: Observation, assets: Assets, version: str) -> bool:
    """The same for a version that was named; where nothing tells the build, it counts as the common one."""
    if not same_version(version.removesuffix("_B1.6"), observation.version):
        return False
    return not Abilities.of(observation).needs_signature or version.endswith("_B1.6") == _other_build(
        observation, assets
    )


def _other_build(observation: Observation, assets: Assets) -> bool:
    return Abilities.of(observation).build == "B1.6" or assets.build == "other"


def _what_it_needs(observation: Observation, assets: Assets) -> tuple[str, ...]:
    """Said at once, before anything else (N1)."""
    if not Abilities.of(observation).needs_signature:
        return ()
    keys = "the vault has one" if assets.can_log_in else "the vault has none yet"
    return (
        f"stock {observation.version or '2.1.1_0159'} takes an update only after a login with the token from the owner's account "
        f"({keys}), and only images with a signature tail",
    )


def _stock(observation: Observation, assets: Assets, version: str | None) -> ImageRequest:
    board = Abilities.of(observation).board or assets.known_board
    default = STOCK_NEW_BOARD if board == NEW_BOARD else STOCK_FOR_MI_HOME
    return ImageRequest(Family.STOCK, observation.identity.model, version or default)


def _update(goal: str, version: str | None, observation: Observation, assets: Assets) -> Plan:
    """The family is right already: work only where a version or an image was named and differs."""
    family = observation.family
    request = ImageRequest(family, observation.identity.model, version, named_only=version is None)
    if version is not None and _runs_version(observation, assets, version):
        return Plan(goal)
    try:
        image = assets.find_image(request)
    except ImageMissing:
        if version is not None:
            raise
        return Plan(goal)
    if image.version is None or _runs(observation, assets, image):
        return Plan(goal)
    reason = f"{observation.label} runs, {image.label} was asked for"
    return Plan(goal, _enter(observation, assets, request, reason), _what_it_needs(observation, assets))


# --- one change of firmware -------------------------------------------------------------------------------------------


def _enter(
    observation: Observation, assets: Assets, request: ImageRequest, reason: str, *, as_it_is: bool = False
) -> tuple[Step, ...]:
    """The steps that put an image of `request` on the unit as it is now. `as_it_is`: with no detour over other firmware."""
    if observation.family is not Family.STOCK:
        image = assets.find_image(request)
        if Abilities.of(observation).needs_extended(image.inspection) and Abilities.of(observation).extended:
            return (*_save(observation, assets), _extended(image, reason, observation))
        return (*_save(observation, assets), Flash(image, reason))
    stock = Abilities.of(observation).stock
    if stock is not None and not stock.supports_ota:
        raise NotSupported(f"no road over the air from {observation.label} of this model; use the wire")
    if stock is not None and not stock.needs_login(observation.registered):
        return (Flash(assets.find_image(request), reason),)
    access = _access(observation, assets)
    if not Abilities.of(observation).needs_signature:
        return (*access, Flash(assets.find_image(request), reason, login=True))
    if request.family is Family.STOCK:
        return (*access, *_stock_over_signed(observation, assets, request, reason, as_it_is))
    image = assets.find_image(request.with_signature(observation))
    return (*access, *_genuine_first(observation, assets), Flash(image, reason, login=True))


def _stock_over_signed(
    observation: Observation, assets: Assets, request: ImageRequest, reason: str, as_it_is: bool
) -> tuple[Step, ...]:
    """Signed stock goes straight, unsigned stock only by way of custom firmware, which checks no signature."""
    image = assets.find_image(request)
    if as_it_is or image.inspection.genuine:
        return (Flash(image, reason, login=True),)
    custom = assets.find_image(ImageRequest(Family.PVVX, observation.identity.model).with_signature(observation))
    return (
        *_genuine_first(observation, assets),
        Flash(custom, f"{observation.label} takes no unsigned stock; pvvx takes any", login=True),
        SaveRecords("nothing may be lost: the Mi records go to the vault before anything changes"),
        Flash(image, reason),
    )


def _extended(image: SelectedImage, reason: str, observation: Observation) -> Flash:
    return Flash(image, reason, area_kib=Abilities.of(observation).area_kib(image.inspection))


def _genuine_first(observation: Observation, assets: Assets) -> tuple[Step, ...]:
    """Where another build than c seems to run: the genuine signed image, if it is at hand (telink-ota.md 10)."""
    if assets.build == "c" or (assets.build is None and Abilities.of(observation).build != "B1.6"):
        return ()
    try:
        image = assets.find_image(ImageRequest(Family.STOCK, observation.identity.model, SIGNED_VERSION, genuine=True))
    except ImageMissing:
        return ()
    return (Flash(image, "every build accepts it, and it makes the build known", login=True),)


def _access(observation: Observation, assets: Assets) -> tuple[Step, ...]:
    """What opens the OTA gate of stock firmware: nothing where the vault has keys, else an activation."""
    if assets.can_log_in and observation.registered is not False:
        return ()
    if Abilities.of(observation).needs_account:
        if observation.registered is False:
            raise KeysMissing(f"the unit is not bound, and {GENERATION_2}", hint=GENERATION_2_HINT)
        raise KeysMissing(GENERATION_2, hint=GENERATION_2_HINT)
    if observation.registered is False or assets.may_replace_keys:
        return (Activate("stock firmware takes an update only after a login, and a login needs keys"),)
    raise KeysMissing(
        "the unit holds keys that the vault does not have",
        hint=f"{KEYS_HINT}, or let new ones replace them with --replace-keys "
        "(whoever uses the old ones, such as Mi Home, then loses the unit)",
    )


def _save(observation: Observation, assets: Assets) -> tuple[Step, ...]:
    if observation.records is not None and not observation.records.empty and not assets.records_saved:
        return (SaveRecords("nothing may be lost: the Mi records go to the vault before anything changes"),)
    return ()


# --- Mi Home ----------------------------------------------------------------------------------------------------------


def _to_mi_home(observation: Observation, assets: Assets, fresh: bool) -> Plan:
    goal = "mi-home-ready"
    if observation.family is Family.STOCK:
        if not (observation.invented_did or (fresh and observation.did is not None)):
            return Plan(goal, notes=(_ready_note(observation),))
        return Plan(goal, _cure(observation, assets), _what_it_needs(observation, assets))
    steps = _save(observation, assets)
    if observation.records is not None and not observation.records.empty:
        steps = (*steps, EraseRecords("without a DID record the cloud issues a new one"))
    return Plan(goal, (*steps, _back(observation, assets)))


def _cure(observation: Observation, assets: Assets) -> tuple[Step, ...]:
    cause = (
        f"the DID {observation.did} was made up by a flasher and the cloud refuses it: that is error -29"
        if observation.invented_did
        else "you asked for a fresh identity"
    )
    request = ImageRequest(Family.PVVX, observation.identity.model)
    steps = _enter(
        observation, replace(assets, may_replace_keys=True), request, f"{cause}; only custom firmware can erase it"
    )
    return (
        *(_knowingly(step) for step in steps),
        SaveRecords("the Mi records go to the vault first"),
        EraseRecords("without a DID record the cloud issues a new one"),
        _back(observation, assets),
    )


def _knowingly(step: Step) -> Step:
    if not isinstance(step, Activate):
        return step
    return Activate(f"{step.reason}; those it holds now are erased by this plan anyway")


def _back(observation: Observation, assets: Assets) -> Flash:
    return Flash(assets.find_image(_stock(observation, assets, None)), "Mi Home speaks only to stock firmware")


def _ready_note(observation: Observation) -> str:
    if observation.did is None:
        return "no DID is stored: Mi Home will give the unit a new one"
    return (
        f"the DID {observation.did} looks genuine. If Mi Home still says -29, another account holds the unit: delete it there, "
        "or repeat with --fresh"
    )
