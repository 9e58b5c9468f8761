"""Units in one process, whoever uses them in another: `virtual serve --hci`, in real time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.person import Person, error_of, person_of, served
from mitherm.image.synth import package
from mitherm.model.keys import did_record
from rig import UNIT, Rig

pytestmark = [pytest.mark.e2e, pytest.mark.air, pytest.mark.timeout(180)]

HERE = str(UNIT)
OTHER = "A4:C1:38:00:00:02"
FOREIGN = Path(__file__).with_name("foreign_peer.py")


def test_the_command_line_as_a_client(tmp_path: Path) -> None:
    """Scan, info, activate and bring over the endpoint; SIGTERM ends the server, which has saved its units."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    rig.shelve("pvvx-5.8")
    with served(rig) as (server, moniker):
        person = Person(rig.home, f"hci:{moniker}", MITHERM_ALLOW_SYNTHETIC="1")
        (seen,) = person.gets("scan", "--duration", "3")["units"]
        assert (seen["address"], seen["firmware"]["family"]) == (HERE, "stock")
        assert person.gets("info", HERE)["unit"]["firmware"]["version"] == "1.0.0_0130"
        (keys,) = person.gets("activate", HERE, "--reveal")["keys"]
        brought = person.gets("bring", HERE, "--to", "pvvx", "--yes")
        assert (brought["outcome"], brought["after"]["firmware"]["version"]) == ("verified", "5.8")
        said = server.ends(signal.SIGTERM)
    assert said.code == 0
    (unit,) = person_of(rig).gets("virtual list", str(rig.folder))["units"]
    assert (unit["runs"], unit["bound"]) == ("pvvx 5.8", True)
    assert bytes.fromhex(keys["token"] + keys["bind_key"]) in rig.flash()


def test_clients_that_die_and_clients_at_once(tmp_path: Path) -> None:
    """A client killed in its connection leaves the unit free; two clients hold one unit each at the same time."""
    rig = Rig(tmp_path, "stock-1.0.0_0130", "atc1441")
    with served(rig) as (_, moniker):
        person = Person(rig.home, f"hci:{moniker}")
        with person.begins("activate", HERE, "-vv") as client:
            client.until("write 0010 15")
            client.process.kill()
        with ThreadPoolExecutor() as both:
            units = [one["unit"] for one in both.map(lambda unit: person.gets("info", unit), (HERE, OTHER))]
    assert [unit["firmware"]["family"] for unit in units] == ["stock", "atc1441"]
    assert units[0]["bound"] is False


def test_synthetic_images_stay_with_virtual_radios(tmp_path: Path) -> None:
    """An HCI endpoint might be a real dongle: without the variable a synthetic image is refused, which nothing waives."""
    rig = Rig(tmp_path, "atc1441")
    rig.shelve("pvvx-5.8")
    with served(rig) as (_, moniker):
        failed = Person(rig.home, f"hci:{moniker}").gets("flash", HERE, "pvvx-5.8", "--yes", code=4)
    error = error_of(failed, "GuardRefused")
    assert "synthetic" in error["message"]
    assert error["waiver"] is None


def test_nobody_at_the_endpoint(tmp_path: Path) -> None:
    """A closed port is 6, nonsense is 2."""
    person = Person(tmp_path, "hci:tcp-client:127.0.0.1:1")
    error_of(person.gets("scan", code=6), "RadioUnavailable")
    error_of(person.gets("scan", "--radio", "hci:carrier-pigeon:7", code=2), "UsageProblem")


def test_a_foreign_peer_registers_and_flashes(tmp_path: Path) -> None:
    """A central that shares no code with us does the whole job by the documented bytes; the unit runs pvvx."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    image = tmp_path / "pvvx.bin"
    image.write_bytes(package("pvvx-5.8"))
    with served(rig) as (server, moniker):
        done = subprocess.run(
            [sys.executable, str(FOREIGN), moniker, HERE, str(image)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert server.ends(signal.SIGTERM).code == 0
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found.pop("mitherm")
    record = bytes.fromhex(found.pop("record"))
    assert found == {
        "model": "LYWSD03MMC",
        "firmware": "1.0.0_0130",
        "hardware": "B1.4",
        "maker": "miaomiaoce.com",
        "did": "",
    }
    assert record in rig.flash()
    assert did_record("blt.3.129vforeigATC") in rig.flash()
    (unit,) = person_of(rig).gets("virtual list", str(rig.folder))["units"]
    assert (unit["runs"], unit["did"]) == ("pvvx 5.8", "blt.3.129vforeigATC")
