"""What goes wrong during and after a transfer, and what is said about it."""

from pathlib import Path

import made_images
import pytest

from mitherm.errors import NotVerified, TransferFailed
from mitherm.model.operation import StepState
from mitherm.ops.updating.flash import bring, flash
from mitherm.protocol.events import Notice
from mitherm.protocol.uuids import OTA
from mitherm.virtual.faults import Fault
from rig import UNIT, Rig

STOCK = "stock-1.0.0_0130,bound=mi-home"


def rig_with(path: Path, spec: str) -> Rig:
    """A unit, its keys, a library with what the tests send."""
    rig = Rig(path, spec)
    rig.shelve("pvvx-5.8", "pvvx-5.7", "stock-1.0.0_0130")
    rig.hand_over_keys()
    return rig


def warnings(rig: Rig) -> list[str]:
    """What was warned of."""
    return [event.text for event in rig.events if isinstance(event, Notice) and event.level == "warning"]


@pytest.mark.parametrize("kind", ["disconnect", "reset", "power_cut", "lose", "garble"])
@pytest.mark.parametrize("spec", [STOCK, "pvvx-5.7", "atc1441"])
def test_a_broken_transfer_is_repeated_at_the_safe_pace(tmp_path: Path, spec: str, kind: str) -> None:
    """One fault in the middle costs a warning and a second try with a login of its own, not the operation."""
    rig = rig_with(tmp_path, spec)
    rig.fault(Fault(kind, f"write:{OTA}", 3000))
    done = rig.run(lambda bench: bring(bench, str(UNIT), "pvvx-5.8"))
    assert done.outcome == "verified"
    assert any("safe pace" in text for text in warnings(rig))


def test_the_pace_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    """With --pace fast a break ends the operation; the error says that it is harmless."""
    rig = rig_with(tmp_path, "pvvx-5.7")
    rig.fault(Fault("disconnect", f"write:{OTA}", 3000))
    with pytest.raises(TransferFailed) as failure:
        rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8", pace="fast"))
    assert "harmless" in (failure.value.hint or "")
    assert failure.value.device == "unchanged"
    assert rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8", pace="fast")).outcome == "verified"


def test_a_lost_end_is_repeated(tmp_path: Path) -> None:
    """END never arrives: the unit gives up by itself, the old firmware is back, and the second try ends well."""
    rig = rig_with(tmp_path, "pvvx-5.7")
    blocks = -(-86340 // 16)
    rig.fault(Fault("lose", f"write:{OTA}", blocks + 2))
    assert rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8")).outcome == "verified"


def test_an_end_that_dies_with_the_link_is_sent_again(tmp_path: Path) -> None:
    """The link breaks under END, so it looks like a restart: the old firmware is back, and everything is sent again."""
    rig = rig_with(tmp_path, "pvvx-5.7")
    blocks = -(-86340 // 16)
    rig.fault(Fault("disconnect", f"write:{OTA}", blocks + 2))
    assert rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8")).outcome == "verified"
    assert rig.updates_begun == 2 * (blocks + 2), "start, blocks and end, each twice"


def test_an_end_that_works_late_is_not_sent_twice(tmp_path: Path) -> None:
    """The unit restarts after the client stopped waiting for it: a look before the second try is enough."""
    rig = rig_with(tmp_path, "pvvx-5.7")
    blocks = -(-86340 // 16)
    rig.fault(Fault("delay", f"write:{OTA}", blocks + 2, ms=10000))
    assert rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8")).outcome == "verified"
    assert any("safe pace" in text for text in warnings(rig))
    assert rig.updates_begun == blocks + 2, "start, blocks and end, each once"


@pytest.mark.parametrize("spec", [STOCK, "pvvx-5.7"])
def test_a_unit_that_stays_dark(tmp_path: Path, spec: str) -> None:
    """100 % and silence: exit 8 with the diagnosis, never success; the journal says which step it was."""
    rig = rig_with(tmp_path, spec)
    rig.fault(Fault("reset", "after-ota", dark=True))
    with pytest.raises(NotVerified) as failure:
        rig.run(lambda bench: bring(bench, str(UNIT), "pvvx-5.8"))
    assert (failure.value.exit_code, failure.value.device) == (8, "unknown")
    assert failure.value.transfer == "dark"
    assert "mV before" in (failure.value.hint or "")
    run = rig.stores.journal.runs(address=UNIT)[-1]
    assert (run.steps[-1].text, run.error) == ("flash pvvx 5.8", "NotVerified")


def test_the_cell_dies_in_the_transfer(tmp_path: Path) -> None:
    """The voltage collapses under the load: the old firmware is intact, and with a fresh cell the same command goes on."""
    rig = rig_with(tmp_path, "pvvx-5.7")
    rig.fault(Fault("battery", f"write:{OTA}", 2000, mv=1700))
    with pytest.raises(Exception) as failure:
        rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8"))
    assert failure.value.exit_code in (1, 3, 8)

    def fresh_cell(world) -> None:
        unit = world.find(UNIT)
        unit.chip.cell.millivolts = 3000
        unit.power_up(0.0)

    rig.world(fresh_cell)
    assert rig.run(lambda bench: flash(bench, str(UNIT), "pvvx-5.8")).outcome == "verified"


def test_extended_update(tmp_path: Path) -> None:
    """An image above 128 KiB: acknowledged, records saved first, area cleared, sent, and seen running."""
    rig = rig_with(tmp_path, "pvvx-5.8,bound=mi-home")
    (tmp_path / "large.bin").write_bytes(made_images.large())
    file = str(tmp_path / "large.bin")
    done = rig.run(lambda bench: flash(bench, str(UNIT), file), waivers=frozenset({"H11"}))
    assert done.outcome == "verified"
    steps = [stage.record.label for stage in done.plan.stages]
    assert steps == ["save-keys", "clear-area", "flash pvvx 5.7", "verify"]
    assert any(one.backup.key_record for one in rig.stores.vault.backups(UNIT))


def test_zigbee_from_stock_goes_by_way_of_pvvx(tmp_path: Path) -> None:
    """The plan leads over pvvx, saves the records, and ends with what cannot be seen over Bluetooth."""
    rig = rig_with(tmp_path, STOCK)
    (tmp_path / "any.zigbee").write_bytes(made_images.zigbee())
    file = str(tmp_path / "any.zigbee")
    with pytest.raises(NotVerified) as failure:
        rig.run(lambda bench: flash(bench, str(UNIT), file), waivers=frozenset({"H1", "H11", "H20"}))
    assert "coordinator" in (failure.value.hint or "")
    steps = rig.stores.journal.runs(address=UNIT)[-1].steps
    assert [step.text for step in steps if step.state is StepState.BEGUN] == [
        "flash pvvx 5.8",
        "save-keys",
        "flash zigbee",
    ]
