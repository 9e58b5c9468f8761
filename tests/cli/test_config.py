"""`mitherm config` on virtual units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from units import Units

from mitherm.cli.app import run
from mitherm.model.address import Address
from mitherm.model.record import UnitBackup
from mitherm.protocol.uuids import CUSTOM_COMMAND
from mitherm.store.journal import Journal
from mitherm.store.vault import Vault
from mitherm.virtual.faults import Fault

PVVX, OLD, STOCK, ATC = (f"A4:C1:38:00:00:0{number}" for number in range(1, 5))
PROFILE = """
name = "Cellar"

[config]
advertising_interval = "5s"
fahrenheit = true
rf_tx_power = "3dBm"

[comfort]
temp_lo = 4
temp_hi = 12.5
"""


@pytest.fixture
def units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Units:
    """pvvx new and old, stock, atc1441."""
    return Units(tmp_path / "units", capsys, "pvvx-5.8,bound=mi-home", "pvvx-3.6", "stock-1.0.0_0130", "atc1441")


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """Cellars are cold."""
    path = tmp_path / "cellar.toml"
    path.write_text(PROFILE)
    return str(path)


def setting(units: Units, name: str, address: str = PVVX) -> Any:
    return units.say("config get", address, name)["value"]


def changes(result: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name to before and after."""
    return {row["name"]: (row["before"], row["after"]) for row in result["changes"]}


# --- reading ----------------------------------------------------------------------------------------------------------


def test_reading_leaves_the_flash_alone(units: Units) -> None:
    """5.8 wears its flash with every 55; a GATT read does not (custom-firmware.md 5.6)."""
    before = units.flash(0)
    rows = {row["name"]: (row["value"], row["unit"]) for row in units.say("config show", PVVX)["settings"]}
    assert rows["advertising_type"] == ("bthome", None)
    assert rows["advertising_interval"] == (2500, "ms")
    assert rows["comfort"] == (True, None)
    assert setting(units, "averaging") == 180
    assert units.flash(0) == before


def test_other_versions_have_other_settings(units: Units) -> None:
    """Offsets up to 4.6; longrange from 4.2 on."""
    assert setting(units, "temp_offset", OLD) == 0
    assert "no setting" in units.say("config get", OLD, "longrange", code=2)["message"]


@pytest.mark.parametrize("address", [STOCK, ATC])
@pytest.mark.parametrize("command", [["show"], ["set", "comfort=on"], ["reset"], ["backup"]])
def test_other_firmware_is_explained(units: Units, address: str, command: list[str]) -> None:
    """Exit 2 with what to do."""
    error = units.say(f"config {command[0]}", address, *command[1:], "--yes", code=2)
    assert (error["kind"], bool(error["hint"])) == ("NotSupported", True)


def test_pin_is_named(units: Units) -> None:
    """A unit that wants to be paired: exit 5 and how."""
    units.unit(0, lambda unit: unit.firmware.state.set_pin(123456))  # type: ignore[union-attr]
    assert units.say("config show", PVVX, code=5)["kind"] == "PinRequired"


# --- writing ----------------------------------------------------------------------------------------------------------


def test_set_is_read_back_and_said_once(units: Units, home: Path) -> None:
    """Changed, in the unit after a new connection, and nothing to do the second time."""
    request = ("advertising_type=mi", "advertising_interval=1s", "name=Balcony", "comfort.temp_lo=4")
    result = units.say("config set", PVVX, *request)
    assert (result["outcome"], result["changed"]) == ("verified", True)
    assert changes(result) == {
        "advertising_type": ("bthome", "mi"),
        "advertising_interval": (2500, 1000),
        "name": ("ATC_000001", "Balcony"),
        "comfort.temp_lo": (21, 4),
    }
    assert [setting(units, name) for name in ("advertising_type", "name", "comfort.temp_lo")] == ["mi", "Balcony", 4]
    before = units.flash(0)
    assert units.say("config set", PVVX, *request)["outcome"] == "nothing-to-do"
    assert units.flash(0) == before
    runs = Journal(home / "journal.jsonl").runs(operation="config set")
    assert [([step.text for step in run.steps], run.outcome) for run in runs] == [
        (["write-settings"], "verified"),
        ([], "nothing-to-do"),
    ]


@pytest.mark.parametrize("assignment", ["advertising_interval=0", "event_adv_cnt=1", "nonsense=1", "smiley", "name="])
def test_bad_values_are_refused_before_writing(units: Units, assignment: str) -> None:
    """Exit 2, and the flash is as before."""
    before = units.flash(0)
    units.say("config set", PVVX, "fahrenheit=on", assignment, code=2)
    assert units.flash(0) == before


def test_what_the_unit_makes_of_others_is_told(units: Units) -> None:
    """A longer advertising interval shortens a long measuring interval (custom-firmware.md 5.5)."""
    units.say("config set", PVVX, "advertising_interval=1s", "measure_interval=200")
    result = units.say("config set", PVVX, "advertising_interval=5s")
    assert result["outcome"] == "clamped"
    assert changes(result)["measure_interval"] == (200, 49)


def test_unit_that_makes_something_else_of_it(units: Units, capsys: pytest.CaptureFixture[str]) -> None:
    """A weak cell limits the latency; that is shown, not hidden."""
    low = Units(units.folder.parent / "low", capsys, "pvvx-5.8,battery_mv=2600")
    result = low.say("config set", low.addresses[0], "connect_latency=2000ms")
    (row,) = result["changes"]  # type: ignore[misc]
    assert (result["outcome"], row["wanted"], row["after"]) == ("clamped", 2000, 1000)


def test_dry_run_writes_nothing(units: Units) -> None:
    """The changes are shown."""
    before = units.flash(0)
    result = units.say("config set", PVVX, "advertising_interval=5s", "--dry-run")
    assert (result["outcome"], result["changed"]) == ("dry-run", False)
    assert changes(result) == {"advertising_interval": (2500, None)}
    assert units.flash(0) == before


def test_lost_link_says_what_is_not_known(units: Units) -> None:
    """After the write was sent the state of the unit is unknown; the same command again settles it."""
    units.fault(0, Fault("disconnect", f"write:{CUSTOM_COMMAND}", n=3))
    error = units.say("config set", PVVX, "fahrenheit=on", code=1)
    assert (error["kind"], error["device"]) == ("LinkLost", "unknown")
    units.say("config set", PVVX, "fahrenheit=on")
    assert setting(units, "fahrenheit") is True


# --- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignment", ["longrange=on", "bt5phy=on", "advertising_interval=8s", "rf_tx_power=-20dBm"])
def test_out_of_reach_needs_its_waiver(units: Units, assignment: str) -> None:
    """H14: exit 4, nothing written, one switch."""
    before = units.flash(0)
    error = units.say("config set", PVVX, assignment, code=4)
    assert (error["rule"], error["waiver"], error["device"]) == ("H14", "--allow-out-of-reach", "unchanged")
    assert units.flash(0) == before


def test_waived_long_range_is_checked_afterwards(units: Units, capsys: pytest.CaptureFixture[str]) -> None:
    """The unit is gone for this radio: exit 8 and the way back; a new cell ends it."""
    error = units.say("config set", PVVX, "longrange=on", "bt5phy=on", "--allow-out-of-reach", code=8)
    assert "cell" in error["hint"]
    for state in ("out", "in"):
        assert run(["virtual", "battery", str(units.folder), PVVX, state]) == 0
    capsys.readouterr()
    assert setting(units, "longrange") is False


def test_waived_and_still_there(units: Units) -> None:
    """A long interval that this radio can stand."""
    assert units.say("config set", PVVX, "advertising_interval=8s", "--allow-out-of-reach")["outcome"] == "verified"


def test_other_hardware_needs_its_waiver(units: Units) -> None:
    """H15; the unit overwrites it all the same, and that is shown."""
    assert units.say("config set", PVVX, "hw_ver=3", code=4)["rule"] == "H15"
    assert units.say("config set", PVVX, "hw_ver=3", "--allow-unknown-board")["outcome"] == "clamped"
    assert setting(units, "hw_ver") == 0


# --- profiles ---------------------------------------------------------------------------------------------------------


def test_profile_is_compared_and_applied(units: Units, profile: str) -> None:
    """What `diff` shows is what `apply` does; afterwards there is no difference."""
    planned = units.say("config diff", PVVX, profile)
    done = units.say("config apply", PVVX, profile)
    names = ["advertising_interval", "fahrenheit", "rf_tx_power", "name", "comfort.temp_lo", "comfort.temp_hi"]
    assert sorted(changes(planned)) == sorted(changes(done)) == sorted(names)
    assert (done["outcome"], setting(units, "rf_tx_power")) == ("verified", 191)
    assert units.say("config diff", PVVX, profile)["changes"] == []
    assert units.say("config apply", PVVX, profile)["changed"] is False


def test_profile_of_a_unit_fits_another(units: Units, tmp_path: Path) -> None:
    """`show --profile` prints what `apply` takes."""
    units.say("config set", PVVX, "advertising_interval=1s", "comfort.humi_hi=70")
    out, _ = units.text("config", "show", PVVX, "--comfort", "--profile")
    path = tmp_path / "unit.toml"
    path.write_text(out)
    assert units.say("config diff", PVVX, str(path))["changes"] == []
    assert "name" not in out.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[config]\nnonsense = 1", 2),
        ("[settings]", 2),
        ("config = 3", 2),
        ("[config]\nsmiley = []", 2),
        ("not toml", 2),
    ],
)
def test_bad_profiles(units: Units, tmp_path: Path, text: str, code: int) -> None:
    """A usage error that names the file or the key."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    units.say("config apply", PVVX, str(path), code=code)
    units.say("config apply", PVVX, str(tmp_path / "missing.toml"), code=3)


@pytest.mark.parametrize("more", [[], ["file.toml", "--backup"]])
def test_one_source(units: Units, more: list[str]) -> None:
    """A file or a backup, not none, not both."""
    units.say("config apply", PVVX, *more, code=2)


# --- backup, reset ----------------------------------------------------------------------------------------------------


def test_backup_holds_what_the_unit_answers(units: Units, home: Path) -> None:
    """The frame of 55, name, key, comfort window; a second one is no news."""
    result = units.say("config backup", PVVX)
    assert (result["replies"], result["changed"]) == (["01", "18", "20", "55"], True)
    replies = Vault(home / "vault").backups(Address.parse(PVVX))[-1].backup.replies
    assert replies["55"].reveal()[:2] == b"\x55\x58"
    assert units.say("config backup", PVVX)["changed"] is False


def test_lost_settings_come_back(units: Units, home: Path) -> None:
    """The cure that doctor names for F12, after the settings were wiped behind our back."""
    units.say("config set", PVVX, "advertising_interval=1s", "name=Attic", "comfort.temp_lo=5")
    units.unit(0, lambda unit: unit.firmware.command(b"\x56"))  # type: ignore[union-attr]
    findings = units.say("doctor", PVVX)["findings"]
    assert [(one["id"], one["command"]) for one in findings] == [("F12", f"mitherm config apply {PVVX} --backup")]  # type: ignore[attr-defined]
    assert changes(units.say("config apply", PVVX, "--backup"))["advertising_interval"] == (2500, 1000)
    assert units.say("doctor", PVVX)["findings"] == []


def test_changes_of_our_own_are_no_loss(units: Units) -> None:
    """The vault's record follows `config set`, so doctor stays content."""
    units.say("config backup", PVVX)
    units.say("config set", PVVX, "averaging=90")
    assert units.say("doctor", PVVX)["findings"] == []


def test_reset_is_saved_first_and_undone(units: Units) -> None:
    """Defaults; the backup that is named brings everything back."""
    units.say("config set", PVVX, "advertising_interval=1s", "fahrenheit=on")
    done = units.say("config reset", PVVX, "--yes")
    assert (done["outcome"], setting(units, "advertising_interval")) == ("verified", 2500)
    units.say("config apply", PVVX, "--backup", str(done["backup"]))
    assert (setting(units, "advertising_interval"), setting(units, "fahrenheit")) == (1000, True)


def test_reset_asks(units: Units) -> None:
    """Nothing is written without an answer."""
    units.say("config set", PVVX, "advertising_interval=1s")
    assert units.say("config reset", PVVX, code=2)["kind"] == "AnswerNeeded"
    assert setting(units, "advertising_interval") == 1000


def test_backup_of_another_version(units: Units, home: Path) -> None:
    """What the new version does not know is left out, words are translated."""
    units.say("config set", OLD, "advertising_type=mi", "temp_offset=0.5", "advertising_interval=1s")
    vault = Vault(home / "vault")
    old = vault.backups(Address.parse(OLD))[-1]
    vault.backup(UnitBackup(Address.parse(PVVX), replies=old.backup.replies), old.created)
    done = changes(units.say("config apply", PVVX, "--backup"))
    assert done["advertising_type"] == ("bthome", "mi")
    assert "temp_offset" not in done


def test_nothing_saved(units: Units) -> None:
    """Exit 3 and what to do."""
    assert "config backup" in units.say("config apply", PVVX, "--backup", code=3)["hint"]
    assert "under 2020" in units.say("config apply", PVVX, "--backup", "2020", code=3)["message"]
