"""`flash` puts one image on a unit; `bring` reaches a goal. Both are the same pursuit with another planner."""

from __future__ import annotations

from collections.abc import Sequence

from mitherm.device.observation import Observation
from mitherm.errors import NotSupported
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import Chosen, Wish, sendable
from mitherm.ops.files.library import Shelf
from mitherm.ops.info import brief
from mitherm.ops.target import resolve
from mitherm.ops.updating.execute import Pursuit, pursue
from mitherm.ops.updating.plan import make_plan, parse_goal, plan_image
from mitherm.ops.updating.steps import Assets, Plan
from mitherm.ops.updating.transfer import PaceChoice


async def flash(
    bench: Bench, unit: str, image: str, *, signs: Sequence[str] = (), pace: PaceChoice = "auto"
) -> Pursuit:
    """Put `image` (a file or a library name) on `unit`, with activation or login where the running firmware wants them."""
    shelf = Shelf(bench.stores.library, signs)
    wanted = sendable(shelf.get(image))
    if wanted.inspection.problem is not None:
        raise wanted.inspection.problem
    if wanted.inspection.kind not in ("telink", "zigbee-container"):
        raise NotSupported(
            f"{wanted.name} is a {wanted.inspection.kind}; `flash` sends Telink images",
            hint="`mitherm firmware inspect` says what the file is",
        )
    address = await resolve(bench, unit)

    def find(wish: Wish) -> Chosen:
        if wish.family != wanted.family or wish.genuine:
            return shelf.find(wish)
        return shelf.signed(wanted, wish) if wish.signed_for else wanted

    def planner(seen: Observation, assets: Assets) -> Plan:
        return plan_image(seen, assets, wanted)

    return await pursue(bench, address, "flash", planner, find, pace)


async def bring(
    bench: Bench, unit: str, goal: str, *, images: Sequence[str] = (), fresh: bool = False, pace: PaceChoice = "auto"
) -> Pursuit:
    """Bring `unit` to `goal`, from whatever state it is in. Safe to repeat after any interruption."""
    parse_goal(goal)
    shelf = Shelf(bench.stores.library, images)
    address = await resolve(bench, unit)

    def planner(seen: Observation, assets: Assets) -> Plan:
        return make_plan(goal, seen, assets, fresh=fresh)

    return await pursue(bench, address, "bring", planner, shelf.find, pace)


def report(pursuit: Pursuit) -> dict[str, object]:
    """The result in the shape of the contract."""
    return {
        "plan": pursuit.plan.lines(),
        "notes": list(pursuit.plan.notes),
        "outcome": pursuit.outcome,
        "before": brief(pursuit.before),
        "after": brief(pursuit.after),
        "seconds": pursuit.seconds,
        "changed": pursuit.changed,
        "rules": [judgement.to_json() for judgement in pursuit.rules],
    }
