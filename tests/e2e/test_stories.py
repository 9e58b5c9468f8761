"""The two stories, told by single commands with --json; every document is as its schema says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e.person import Person, error_of, person_of
from rig import UNIT, Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HERE = str(UNIT)
RADIOS = pytest.mark.parametrize("radio", ["virtual", "air"])


def person_with(rig: Rig, radio: str) -> Person:
    """Somebody with the images that the stories need, one of them made just now."""
    person = person_of(rig, radio)
    rig.shelve("stock-1.0.0_0130")
    assert person.gets("firmware synth", "pvvx-5.8", "--add")["changed"]
    return person


def mi_home(rig: Rig, person: Person, action: str, *words: str, code: int = 0) -> dict[str, Any]:
    """What the app does with the unit: `result`, or the document of a refusal."""
    said = person.types("virtual", "mi-home", str(rig.folder), action, HERE, *words, "--json", code=code)
    document = said.document(f"virtual mi-home {action}")
    return document["result"] if code == 0 else document


@RADIOS
def test_a_new_unit_leaves_the_mi_world_and_comes_back(tmp_path: Path, radio: str) -> None:
    """Story A: scan, activate, keys saved, pvvx flashed and verified, its beacon read, back to stock, Mi Home adds it."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    person = person_with(rig, radio)

    (seen,) = person.gets("scan", "--duration", "5")["units"]
    assert (seen["address"], seen["firmware"]["family"], seen["bound"]) == (HERE, "stock", None)
    told = person.gets("info", HERE)["unit"]
    assert (told["firmware"]["version"], told["hardware"], told["bound"]) == ("1.0.0_0130", "B1.4", False)
    assert told["next"] == "activate"

    activated = person.gets("activate", HERE, "--reveal")
    assert activated["changed"]
    (keys,) = activated["keys"]
    assert bytes.fromhex(keys["token"] + keys["bind_key"]) in rig.flash()
    (shown,) = person.gets("keys show", HERE)["keys"]
    assert (shown["token"], shown["redacted"], shown["fingerprint"]) == (None, True, keys["fingerprint"])

    brought = person.gets("bring", HERE, "--to", "pvvx", "--yes")
    assert [line["step"] for line in brought["plan"]] == ["login", "flash pvvx 5.8", "verify"]
    assert (brought["outcome"], brought["changed"]) == ("verified", True)
    assert brought["before"]["firmware"] == {"family": "stock", "version": "1.0.0_0130"}
    assert brought["after"]["firmware"] == {"family": "pvvx", "version": "5.8"}

    person.gets("virtual set", str(rig.folder), HERE, "temperature_c=4.5", "humidity_pct=61")
    (seen,) = person.gets("scan", "--duration", "15")["units"]
    assert seen["beacon_format"] == "bthome2"
    assert seen["reading"]["temperature_c"] == pytest.approx(4.5, abs=0.2)
    assert seen["reading"]["humidity_pct"] == pytest.approx(61, abs=1)

    ready = person.gets("bring", HERE, "--to", "mi-home-ready", "--yes")
    assert [line["step"] for line in ready["plan"]] == [
        "save-keys",
        "erase-mi-records",
        "flash stock 1.0.0_0130",
        "verify",
    ]
    assert ready["after"]["firmware"] == {"family": "stock", "version": "1.0.0_0130"}
    assert (ready["after"]["bound"], ready["after"]["did"]) == (False, None)

    assert mi_home(rig, person, "add")["mi_home_code"] == 0
    kept = person.gets("keys show", HERE, "--reveal")["keys"]
    assert keys["token"] in [one["token"] for one in kept]
    operations = [run["operation"] for run in person.gets("journal")["entries"]]
    assert operations == ["activate", "bring", "bring"]


def test_what_is_done_already(tmp_path: Path) -> None:
    """Saying it again is success without a change."""
    rig = Rig(tmp_path, "stock-1.0.0_0130", "pvvx-5.8")
    person = person_with(rig, "virtual")
    assert person.gets("activate", HERE)["changed"]
    assert not person.gets("activate", HERE)["changed"]
    for again in (("bring", "--to", "pvvx"), ("flash", "pvvx-5.8")):
        done = person.gets(again[0], "A4:C1:38:00:00:02", *again[1:], "--yes")
        assert (done["outcome"], done["changed"], done["plan"]) == ("nothing-to-do", False, [])


@RADIOS
def test_standard_verification_failed(tmp_path: Path, radio: str) -> None:
    """Story B: Mi Home says -29, `bring --to mi-home-ready` finds the cure by itself, Mi Home adds the unit."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=flasher")
    person = person_with(rig, radio)

    refused = mi_home(rig, person, "add", code=5)
    assert error_of(refused, "MiHomeRefused")["mi_home_code"] == -29
    assert person.gets("info", HERE)["unit"]["did"].startswith("blt.3.129v")

    ready = person.gets("bring", HERE, "--to", "mi-home-ready", "--yes")
    steps = [line["step"] for line in ready["plan"]]
    assert steps.index("flash pvvx 5.8") < steps.index("save-keys") < steps.index("erase-mi-records")
    assert steps[-2:] == ["flash stock 1.0.0_0130", "verify"]
    assert any("-29" in line["reason"] for line in ready["plan"])
    assert (ready["outcome"], ready["after"]["bound"], ready["after"]["did"]) == ("verified", False, None)

    assert mi_home(rig, person, "add")["mi_home_code"] == 0
    account = mi_home(rig, person, "keys", "--reveal")["keys"][0]
    assert bytes.fromhex(account["token"] + account["bind_key"]) in rig.flash()
    assert not person.gets("bring", HERE, "--to", "mi-home-ready", "--yes")["changed"]


def test_account_keys_open_the_unit(tmp_path: Path) -> None:
    """What `virtual mi-home keys --reveal --json` prints goes through `keys import -`; the login works on 0159 too."""
    rig = Rig(tmp_path, "stock-2.1.1_0159,bound=mi-home")
    person = person_of(rig)
    document = person.types("virtual", "mi-home", str(rig.folder), "keys", HERE, "--reveal", "--json").out
    assert person.gets("keys import", "-", stdin=document)["changed"]
    assert person.gets("login", HERE)["keys"][0]["confirmed"]
