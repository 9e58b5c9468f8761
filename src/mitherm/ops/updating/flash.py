"""`flash` puts one image on a unit; `bring` reaches a goal. Both are the same result with another planner."""

from __future__ import annotations

from collections.abc import Sequence

from mitherm.device.observation import Observation
from mitherm.errors import NotSupported
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import ImageRequest, SelectedImage, sendable
from mitherm.ops.files.library import ImageSource
from mitherm.ops.target import resolve
from mitherm.ops.updating.execute import UpdateResult, execute
from mitherm.ops.updating.plan import make_plan, parse_goal, plan_image
from mitherm.ops.updating.steps import Assets, Plan
from mitherm.ops.updating.transfer import PaceChoice


async def flash(
    bench: Bench, unit: Address | str, image: str, *, signs: Sequence[str] = (), pace: PaceChoice = "auto"
) -> UpdateResult:
    """Put `image` (a file or a library name) on `unit`, with activation or login where the running firmware wants them."""
    source = ImageSource.of(bench, signs)
    selection = sendable(source.get(image))
    if selection.inspection.problem is not None:
        raise selection.inspection.problem
    if not selection.inspection.kind.sendable:
        raise NotSupported(
            f"{selection.name} is a {selection.inspection.kind}; `flash` sends Telink images",
            hint="`mitherm firmware inspect` says what the file is",
        )
    address = await resolve(bench, unit)

    def find(request: ImageRequest) -> SelectedImage:
        if request.family != selection.family or request.genuine:
            return source.find(request)
        return source.signed(selection, request) if request.signed_for else selection

    def planner(observation: Observation, assets: Assets) -> Plan:
        return plan_image(observation, assets, selection)

    return await execute(bench, address, "flash", planner, find, pace)


async def bring(
    bench: Bench,
    unit: Address | str,
    goal: str,
    *,
    images: Sequence[str] = (),
    fresh: bool = False,
    pace: PaceChoice = "auto",
) -> UpdateResult:
    """Bring `unit` to `goal`, from whatever state it is in. Safe to repeat after any interruption."""
    parse_goal(goal)
    source = ImageSource.of(bench, images)
    address = await resolve(bench, unit)

    def planner(observation: Observation, assets: Assets) -> Plan:
        return make_plan(goal, observation, assets, fresh=fresh)

    return await execute(bench, address, "bring", planner, source.find, pace)
