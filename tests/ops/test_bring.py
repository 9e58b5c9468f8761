"""`bring` and `flash`, from every firmware to every goal, on virtual units."""

from pathlib import Path

import pytest
from rig import UNIT, Rig

from mitherm.errors import KeysMissing, NotSupported, UsageProblem
from mitherm.ops.flash import bring, flash
from mitherm.virtual.boot import bank_bytes, running_bank
from mitherm.image.boot_rules import recognise

EVERYTHING = ("pvvx-5.8", "atc1441", "stock-1.0.0_0109", "stock-1.0.0_0130", "stock-2.1.1_0159", "stock-2.1.1_0159_B1.6")


def rig_with(path: Path, spec: str, *images: str) -> Rig:
    """A unit and a library; the vault has the keys the unit was made with."""
    rig = Rig(path, spec)
    rig.shelve(*(images or EVERYTHING))
    rig.hand_over_keys()
    return rig


def runs(rig: Rig) -> str:
    """What lies in the running bank, by the rules of the boot."""

    def look(world) -> str:
        flash = world.find(UNIT).chip.flash
        bank = running_bank(flash)
        assert bank is not None
        verdict = recognise(bank_bytes(flash, bank))
        version = f"{verdict.version}_B1.6" if verdict.build == "B1.6" else verdict.version
        return f"{verdict.family}-{version}" if version else verdict.family

    return rig.world(look)


STARTS = (
    "stock-1.0.0_0109",
    "stock-1.0.0_0130",
    "stock-1.0.0_0130,bound=mi-home",
    "stock-2.1.1_0159,bound=mi-home",
    "atc1441",
    "pvvx-5.8,bound=mi-home",
)
GOALS = ("pvvx", "atc1441", "stock-1.0.0_0130", "stock-2.1.1_0159", "mi-home-ready")


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("start", STARTS)
def test_every_road_leads_there(tmp_path: Path, start: str, goal: str) -> None:
    """Every goal is reached from every start, or what lacks is an account key; saying it again changes nothing."""
    rig = rig_with(tmp_path, start)
    waivers = frozenset({"H7"}) if start.startswith("atc1441") else frozenset()
    done = rig.run(lambda bench: bring(bench, str(UNIT), goal), waivers=waivers)
    assert done.outcome in ("verified", "nothing-to-do")
    reached = runs(rig)
    assert reached.startswith("stock" if goal == "mi-home-ready" else goal)
    again = rig.run(lambda bench: bring(bench, str(UNIT), goal), waivers=waivers)
    assert (again.outcome, again.changed) == ("nothing-to-do", False)
