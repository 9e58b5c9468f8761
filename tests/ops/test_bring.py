"""`bring` and `flash`, from every firmware to every goal, on virtual units."""

from pathlib import Path

import made_images
import pytest

from mitherm.errors import GuardRefused, KeysMissing, NotVerified, UsageProblem
from mitherm.image.boot_rules import boot_verdict
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.family import Family
from mitherm.model.operation import StepKind
from mitherm.ops.updating.flash import bring
from mitherm.protocol.events import Notice
from mitherm.protocol.uuids import OTA
from mitherm.virtual.boot import bank_bytes, running_bank
from mitherm.virtual.faults import Fault
from mitherm.virtual.world import World
from rig import UNIT, Rig, wall

EVERYTHING = (
    "pvvx-5.8",
    "atc1441",
    "stock-1.0.0_0109",
    "stock-1.0.0_0130",
    "stock-2.1.1_0159",
    "stock-2.1.1_0159_B1.6",
)

NO_SERIAL = Fault("lose", "read:2a25", 0)
"""2A25 cannot be read: then nothing hints at the build of 2.1.1_0159."""


def rig_with(path: Path, spec: str, *images: str) -> Rig:
    """A unit and a library; the vault has the keys the unit was made with."""
    rig = Rig(path, spec)
    for kind in images or EVERYTHING:
        rig.stores.library.add(made_images.small(kind), name=kind, kind=kind, now=wall())
    rig.hand_over_keys()
    return rig


def runs(rig: Rig) -> str:
    """What lies in the running bank, by the rules of the boot."""

    def look(world: World) -> str:
        flash = world.find(UNIT).chip.flash
        bank = running_bank(flash)
        assert bank is not None
        verdict = boot_verdict(bank_bytes(flash, bank), shipped_catalogue())
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


# --- 2.1.1_0159 -------------------------------------------------------------------------------------------------------


def test_0159_says_at_once_what_it_needs(tmp_path: Path) -> None:
    """Without keys nothing is asked and nothing done: the error says where keys come from (exit 5)."""
    rig = Rig(tmp_path, "stock-2.1.1_0159,bound=mi-home")
    rig.shelve("pvvx-5.8")
    with pytest.raises(KeysMissing) as missing:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert "Mi Home" in missing.value.message
    assert missing.value.exit_code == 5


def test_0159_unbound_names_the_one_thing_to_do(tmp_path: Path) -> None:
    """An unbound unit must be added in Mi Home first."""
    rig = Rig(tmp_path, "stock-2.1.1_0159")
    rig.shelve("pvvx-5.8")
    with pytest.raises(KeysMissing) as missing:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert "not bound" in missing.value.message


def test_0159_with_a_typed_token_asks_two_questions(tmp_path: Path) -> None:
    """The token is asked for once, proved by a login, kept, and the plan confirmed once."""
    rig = Rig(tmp_path, "stock-2.1.1_0159,bound=mi-home")
    rig.shelve("pvvx-5.8")
    asked: list[str] = []
    token = rig.keys[UNIT].token

    def ask_token(question: str):
        asked.append(question)
        return token

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    done = rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"), ask_token=ask_token, ask=ask)
    assert (done.outcome, len(asked)) == ("verified", 2)
    current = rig.stores.vault.current(UNIT)
    assert current is not None
    assert current.keys.token == token


def test_0159_of_another_build_goes_by_way_of_the_genuine_image(tmp_path: Path) -> None:
    """2A25 hints at build B1.6: the plan begins with the signed image, and the same token opens the unit again."""
    rig = rig_with(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home", "pvvx-5.8", "stock-2.1.1_0159")
    done = rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    flashed = [stage.record.label for stage in done.plan.stages if stage.record.kind is StepKind.FLASH]
    assert flashed == ["flash stock 2.1.1_0159", "flash pvvx 5.8"]
    assert runs(rig) == "pvvx-5.8"


def test_0159_of_another_build_without_the_genuine_image_is_not_tried(tmp_path: Path) -> None:
    """Cannot verify, with the four steps as advice, and not one packet of an update."""
    rig = rig_with(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home", "pvvx-5.8")
    with pytest.raises(GuardRefused) as refusal:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert refusal.value.rule == "H6"
    assert "genuine signed 2.1.1_0159" in refusal.value.message
    assert not rig.updates_begun


def test_an_unknown_build_that_refuses_is_answered_with_the_longer_road(tmp_path: Path) -> None:
    """The unit keeps its old firmware; the same command goes on with the genuine image and arrives."""
    rig = rig_with(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home,hardware=B1.4", "pvvx-5.8", "stock-2.1.1_0159")
    rig.fault(NO_SERIAL)
    done = rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert done.outcome == "verified"
    assert runs(rig) == "pvvx-5.8"
    steps = rig.stores.journal.runs(address=UNIT)[-1].steps
    assert [step.text for step in steps if step.kind is StepKind.FLASH] == [
        "flash pvvx 5.8",
        "not accepted: flash pvvx 5.8",
        "flash stock 2.1.1_0159",
        "verified: flash stock 2.1.1_0159",
        "flash pvvx 5.8",
        "verified: flash pvvx 5.8",
    ]


def test_a_refusal_is_remembered_until_the_genuine_image_ran(tmp_path: Path) -> None:
    """First run: exit 8 with the reason. Second: not tried again without a waiver. With the genuine image: verified."""
    rig = rig_with(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home,hardware=B1.4", "pvvx-5.8")
    rig.fault(NO_SERIAL)
    with pytest.raises(NotVerified) as failure:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert failure.value.exit_code == 8
    assert "another build" in failure.value.message
    assert failure.value.transfer == "old-firmware"
    with pytest.raises(GuardRefused) as refusal:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert (refusal.value.rule, refusal.value.waiver) == ("H6", "--allow-unknown-version")
    rig.shelve("stock-2.1.1_0159")
    assert rig.run(lambda bench: bring(bench, str(UNIT), "pvvx")).outcome == "verified"


def test_a_cell_that_sags_on_the_way_stops_the_next_step(tmp_path: Path) -> None:
    """The plan was judged with a good cell. Before the second update the unit is judged as it is then: H5, and it stays."""
    rig = rig_with(tmp_path, "stock-2.1.1_0159_B1.6,bound=mi-home", "pvvx-5.8", "stock-2.1.1_0159")
    rig.fault(Fault("battery", f"write:{OTA}", 100, mv=2400))
    with pytest.raises(GuardRefused) as refusal:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert (refusal.value.rule, refusal.value.device) == ("H5", "changed")
    assert runs(rig) == "stock-2.1.1_0159"
    steps = rig.stores.journal.runs(address=UNIT)[-1].steps
    assert [step.text for step in steps] == ["flash stock 2.1.1_0159", "verified: flash stock 2.1.1_0159"]


# --- other things a plan must know ------------------------------------------------------------------------------------


def test_the_board_of_2025_gets_the_stock_that_lights_its_display(tmp_path: Path) -> None:
    """Back to stock on the new board means build B1.6, which its display needs."""
    rig = rig_with(tmp_path, "pvvx-5.8,hardware=B1.6-2025,bound=mi-home", "stock-1.0.0_0130", "stock-2.1.1_0159_B1.6")
    assert rig.run(lambda bench: bring(bench, str(UNIT), "stock")).outcome == "verified"
    assert runs(rig) == "stock-2.1.1_0159_B1.6"
    assert rig.world(lambda world: world.find(UNIT).display) == "ok"


def test_unknown_goals_are_named(tmp_path: Path) -> None:
    """A goal that is none, and the list of those that are."""
    rig = Rig(tmp_path, "pvvx-5.8")
    with pytest.raises(UsageProblem) as problem:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvx"))
    assert "mi-home-ready" in (problem.value.hint or "")


def test_few_connections(tmp_path: Path) -> None:
    """Look, bound?, activate, transfer, verify: one link each."""
    rig = rig_with(tmp_path, "stock-1.0.0_0130", "pvvx-5.8")
    rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert rig.links == 5
    rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    assert rig.links == 6


def test_an_update_by_the_vendor_is_noticed(tmp_path: Path) -> None:
    """H8: another stock version than last time is worth a warning."""
    rig = rig_with(tmp_path, "stock-1.0.0_0130,bound=mi-home")
    rig.stores.inventory.note(UNIT, now=wall(), family=Family.STOCK, version="1.0.0_0109")
    rig.run(lambda bench: bring(bench, str(UNIT), "pvvx"))
    warnings = [event.text for event in rig.events if isinstance(event, Notice) and event.level == "warning"]
    assert any("1.0.0_0109 ran here before" in text for text in warnings)
