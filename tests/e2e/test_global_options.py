"""Global options: before and after the command, as variables, and what each of them promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from e2e.person import Person, error_of, person_of
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret
from rig import UNIT, Rig, wall

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HERE = str(UNIT)


def test_before_and_after_the_command(tmp_path: Path) -> None:
    """Position makes no difference; an option beats its variable in either place, a variable beats the default."""
    near, far = Rig(tmp_path / "near", "pvvx-5.8"), Rig(tmp_path / "far", "atc1441")
    here, there = f"virtual:{near.folder}", f"virtual:{far.folder}"
    person = Person(near.home)

    def families(*words: str, **variables: str) -> list[str]:
        said = person.types(*words, variables=variables)
        return [unit["firmware"]["family"] for unit in said.document("scan")["result"]["units"]]

    assert families("--json", "--radio", here, "scan", "--duration", "5") == ["pvvx"]
    assert families("scan", "--duration", "5", "--radio", here, "--json") == ["pvvx"]
    assert families("--json", "--radio", here, "scan", "--duration", "5", MITHERM_RADIO=there) == ["pvvx"]
    assert families("scan", "--duration", "5", "--json", "--radio", here, MITHERM_RADIO=there) == ["pvvx"]
    assert families("scan", "--duration", "5", MITHERM_RADIO=there, MITHERM_JSON="1") == ["atc1441"]


def test_variables_mirror_the_options(tmp_path: Path) -> None:
    """MITHERM_YES, MITHERM_DRY_RUN, MITHERM_QUIET, MITHERM_VERBOSE and MITHERM_TIMEOUT do what the options do."""
    rig = Rig(tmp_path, "pvvx-5.8")
    rig.shelve("stock-1.0.0_0130")
    person = person_of(rig)
    words = ("bring", HERE, "--to", "stock", "--json")
    assert person.types(*words, variables={"MITHERM_DRY_RUN": "1"}).document("bring")["result"]["outcome"] == "dry-run"
    loud = person.types("info", HERE, variables={"MITHERM_VERBOSE": "2"})
    assert "mitherm.packets" in loud.err
    lost = person.types("info", "A4:C1:38:FF:FF:FF", code=3, variables={"MITHERM_TIMEOUT": "2"})
    assert lost.err
    quiet = person.types(*words[:-1], variables={"MITHERM_QUIET": "1", "MITHERM_YES": "1"})
    assert quiet.err == ""
    assert "stock 1.0.0_0130" in quiet.out


def test_home_holds_everything(tmp_path: Path) -> None:
    """MITHERM_HOME moves vault, journal, inventory and images into one folder, closed to others."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    person = person_of(rig, HOME=str(tmp_path / "elsewhere"))
    person.gets("firmware synth", "pvvx-5.8", "--add")
    person.gets("activate", HERE)
    assert {path.name for path in rig.home.iterdir() if not path.name.startswith(".")} == {
        "vault",
        "journal.jsonl",
        "inventory.json",
        "images",
    }
    assert not (tmp_path / "elsewhere").exists()
    for path in (rig.home / "vault").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_terminal_and_no_yes(tmp_path: Path) -> None:
    """2, with the question that would have been asked; nothing was written."""
    rig = Rig(tmp_path, "pvvx-5.8")
    rig.shelve("stock-1.0.0_0130")
    before = rig.flash()
    failed = person_of(rig).gets("flash", HERE, "stock-1.0.0_0130", code=2)
    message = error_of(failed, "AnswerNeeded")["message"]
    assert HERE in message
    assert "flash stock 1.0.0_0130" in message
    assert rig.flash() == before


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("pvvx-5.8,bound=mi-home", "bring {} --to mi-home-ready"),
        ("stock-1.0.0_0130", "bring {} --to pvvx"),
        ("pvvx-5.8,bound=mi-home", "keys erase {}"),
        ("stock-1.0.0_0130", "activate {}"),
    ],
)
def test_dry_run_writes_nothing(tmp_path: Path, spec: str, line: str) -> None:
    """The plan is shown; banks, settings and Mi records of the unit are as before, and so is the vault."""
    rig = Rig(tmp_path, spec)
    rig.shelve("pvvx-5.8", "stock-1.0.0_0130")
    before, command = rig.flash(), line.split(" {}")[0]
    words = line.format(HERE).removeprefix(command).split()
    result = person_of(rig).gets(command, *words, "--dry-run", "--yes")
    assert not result["changed"]
    for start, end in ((0, 0x40000), (0x74000, 0x7A000)):
        assert rig.flash()[start:end] == before[start:end]
    assert not rig.stores.vault.generations(UNIT)


def test_quiet(tmp_path: Path) -> None:
    """-q: results on stdout and nothing else; an error still has its sentence."""
    person = person_of(Rig(tmp_path, "stock-1.0.0_0130"))
    done = person.types("-q", "activate", HERE)
    assert HERE in done.out
    assert done.err == ""
    failed = person.types("info", "Attic", "-q", code=3)
    assert failed.out == ""
    assert "Attic" in failed.err


def test_every_packet_and_no_secret(tmp_path: Path) -> None:
    """-vv shows what goes over the link, but neither tokens nor bind keys, whole or in part, on either firmware."""
    rig = Rig(tmp_path, "stock-1.0.0_0130", "pvvx-5.8,bound=mi-home")
    rig.shelve("pvvx-5.8")
    other = "A4:C1:38:00:00:02"
    person = person_of(rig)
    lines = (
        ("activate", HERE),
        ("bring", HERE, "--to", "pvvx", "--yes"),
        ("keys", "backup", other, "--raw"),
        ("keys", "test", other),
        ("keys", "erase", other, "--yes"),
    )
    heard = ""
    for line in lines:
        said = person.types(*line, "-vv")
        heard += said.out + said.err
    assert "write 0010 15000000" in heard
    assert heard.count("mitherm.packets") > 5000
    known = [one.keys for unit in rig.stores.vault.units() for one in rig.stores.vault.generations(unit)]
    secrets = {key.reveal() for keys in known for key in (keys.token, keys.bind_key) if key is not None}
    assert len(secrets) >= 4
    plain = re.sub("[^0-9a-f]", "", heard.lower().replace("mitherm.packets", ""))
    for secret in secrets:
        for start in range(len(secret) - 5):
            assert secret[start : start + 6].hex() not in plain


def test_planted_keys_stay_hidden(tmp_path: Path) -> None:
    """Keys of the vault appear in no output of any command without --reveal, whatever goes wrong."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=mi-home", "pvvx-5.8")
    planted = MiKeys(Secret(b"\xab" * 12), Secret(b"\xcd" * 16))
    rig.stores.vault.add(UNIT, planted, "typed", wall())
    person = person_of(rig)
    heard = ""
    for line, code in (
        (("login", HERE, "-vv"), 5),
        (("keys", "test", HERE, "--json"), 5),
        (("keys", "show", HERE, "-vv"), 0),
        (("keys", "list", "--json"), 0),
    ):
        said = person.types(*line, code=code)
        heard += said.out + said.err
    assert "abab" not in heard.lower()
    assert "cdcd" not in heard.lower()


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    """2, with the nearest one; --json holds for usage errors too."""
    person = Person(tmp_path)
    assert "'flash'" in person.types("flsh", code=2).err
    error_of(person.types("flash", "--json", code=2).document("envelope"), "UsageProblem")
    error_of(person.types("scan", "--json", "--duration", "soon", code=2).document("scan"), "UsageProblem")
    error_of(person.types("scan", "--json", "--radio", "carrier-pigeon:1", code=2).document("scan"), "UsageProblem")


def test_no_adapter(tmp_path: Path) -> None:
    """Without a radio: 6, and how to try it with virtual units."""
    said = Person(tmp_path, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere").types("scan", code=6)
    assert "virtual create" in said.err
