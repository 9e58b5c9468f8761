"""What is wrong with this computer: small looks at files, and the findings they lead to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_sick_units import ask

from mitherm.errors import NetworkUnreachable, RadioUnavailable
from mitherm.image.synth import package
from mitherm.model.family import Family
from mitherm.ops.bench import Bench
from mitherm.ops.doctor import host
from mitherm.ops.doctor.evidence import Air, Evidence
from mitherm.ops.doctor.examine import Examination, examine
from mitherm.ops.doctor.finding import Finding
from mitherm.ops.doctor.host import Host, SerialPort
from mitherm.ops.doctor.symptoms import Complaint, understand
from mitherm.ops.doctor.table import diagnose
from rig import Rig, wall

STOCK = "stock-1.0.0_0130"


# --- looks ------------------------------------------------------------------------------------------------------------


def put(path: Path, text: str = "") -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_adapters(tmp_path: Path) -> None:
    """Adapters are listed, their connections are not."""
    assert host.adapters(tmp_path) == ()
    for name in ("hci1", "hci0", "hci0:64"):
        put(tmp_path / "bluetooth" / name / "uevent")
    assert host.adapters(tmp_path) == ("hci0", "hci1")


@pytest.mark.parametrize(("soft", "hard", "expected"), [("1", "0", "soft"), ("0", "1", "hard"), ("0", "0", None)])
def test_rfkill(tmp_path: Path, soft: str, hard: str, expected: str | None) -> None:
    """Only Bluetooth counts, and one free radio is enough."""
    put(tmp_path / "rfkill/rfkill0/type", "wlan\n")
    put(tmp_path / "rfkill/rfkill0/soft", "1\n")
    put(tmp_path / "rfkill/rfkill1/type", "bluetooth\n")
    put(tmp_path / "rfkill/rfkill1/soft", soft)
    put(tmp_path / "rfkill/rfkill1/hard", hard)
    assert host.blocked(tmp_path) == expected
    put(tmp_path / "rfkill/rfkill2/type", "bluetooth")
    put(tmp_path / "rfkill/rfkill2/soft", "0")
    assert host.blocked(tmp_path) is None


def test_dbus(tmp_path: Path) -> None:
    """Missing, denied, fine."""
    socket = tmp_path / "socket"
    assert host.dbus_state(socket) == "missing"
    put(socket)
    assert host.dbus_state(socket, lambda path, mode: False) == "denied"
    assert host.dbus_state(socket, lambda path, mode: True) == "ok"


def test_scanners(tmp_path: Path) -> None:
    """Known programs among the processes."""
    put(tmp_path / "12/comm", "btmon\n")
    put(tmp_path / "13/comm", "bash\n")
    put(tmp_path / "self/comm", "hcitool\n")
    assert host.scanners(tmp_path) == ("btmon",)


def test_cached_table(tmp_path: Path) -> None:
    """BlueZ keeps one file per unit and adapter."""
    put(tmp_path / "00:11:22:33:44:55/cache/A4:C1:38:00:00:01")
    assert host.cached_table("A4:C1:38:00:00:01", tmp_path)
    assert not host.cached_table("A4:C1:38:00:00:02", tmp_path)


def test_serial_ports(tmp_path: Path) -> None:
    """USB ports with their rights and the latency of FTDI adapters."""
    put(tmp_path / "dev/ttyUSB0")
    put(tmp_path / "dev/ttyS0")
    put(tmp_path / "sys/tty/ttyUSB0/device/latency_timer", "16\n")
    found = host.serial_ports(tmp_path / "dev", tmp_path / "sys", lambda path, mode: False)
    assert found == (SerialPort(str(tmp_path / "dev/ttyUSB0"), False, 16),)


def test_clock() -> None:
    """Before this program was written, or before the journal's last entry, is wrong."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert host.clock_problem(now, now - timedelta(days=1)) is None
    assert host.clock_problem(now, now + timedelta(hours=1)) is None
    assert "1970-01-01" in (host.clock_problem(datetime(1970, 1, 1, tzinfo=UTC), None) or "")
    assert "2026-07-01" in (host.clock_problem(now, now + timedelta(days=30)) or "")


# --- findings ---------------------------------------------------------------------------------------------------------


def only(findings: list[Finding]) -> Finding:
    """There is one."""
    assert len(findings) == 1, findings
    return findings[0]


class Deaf:
    """A radio that cannot be used."""

    def __init__(self, radio: object, problem: RadioUnavailable) -> None:
        self._radio, self._problem = radio, problem

    def __getattr__(self, name: str) -> object:
        return getattr(self._radio, name)

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[None]:
        raise self._problem
        yield


@pytest.mark.parametrize(
    ("reason", "facts", "command"),
    [
        ("off", Host(True, adapters=("hci0",)), "bluetoothctl power on"),
        ("off", Host(True, adapters=("hci0",), blocked="soft"), "rfkill unblock bluetooth"),
        ("off", Host(True, adapters=("hci0",), blocked="hard"), "rfkill list bluetooth"),
        ("unknown", Host(True, adapters=("hci0",), dbus="denied"), "sudo usermod -aG bluetooth $USER"),
        ("denied", Host(True, adapters=("hci0",)), "sudo usermod -aG bluetooth $USER"),
        ("no-service", Host(True, dbus="missing"), "sudo systemctl start bluetooth"),
        ("no-adapter", Host(True), "bluetoothctl list"),
        ("busy", Host(True, adapters=("hci0",), scanners=("hcitool",)), "mitherm --radio system:hci1 scan"),
    ],
)
def test_unusable_radio(tmp_path: Path, reason: str, facts: Host, command: str) -> None:
    """F15 and nothing about units, with the command for the reason."""
    rig = Rig(tmp_path, STOCK)
    rig.stores.inventory.note(next(iter(rig.keys)), now=wall(), family=Family.PVVX)

    async def work(bench: Bench) -> Examination:
        radio = Deaf(bench.radio, RadioUnavailable("no radio", reason=reason))
        return await examine(replace(bench, radio=radio), "a4c138000001", Complaint(), lambda _: facts)

    done = rig.run(work)
    finding = only(done.findings)
    assert (finding.id, finding.command) == ("F15", command)
    assert all(name in " ".join(finding.evidence) for name in facts.scanners)
    assert done.units == []


def test_a_deaf_radio(tmp_path: Path) -> None:
    """This computer's radio hears nothing at all: the unit that is missing is not to blame."""
    rig = Rig(tmp_path, f"{STOCK},rssi_dbm=false")
    done = ask(rig, "a4c138000001", Complaint(), host=Host(True, adapters=("hci0",)))
    assert only(done.findings).id == "F15"


def test_facts_of_the_host_do_not_matter_to_other_radios(tmp_path: Path) -> None:
    """Virtual units need no D-Bus."""
    assert ask(Rig(tmp_path, STOCK), None, Complaint(), host=Host(dbus="missing")).findings == []


def test_wrong_clock(tmp_path: Path) -> None:
    """F19 of the host: the journal is of the future."""
    rig = Rig(tmp_path, STOCK)
    with rig.stores.journal.operation("flash", None, lambda: wall() + timedelta(days=400)):
        pass
    finding = only(ask(rig, None, Complaint()).findings)
    assert (finding.id, finding.command, finding.unit) == ("F19", "timedatectl set-ntp true", None)


def test_damaged_library(tmp_path: Path) -> None:
    """F18 names the file."""
    rig = Rig(tmp_path, STOCK)
    rig.shelve("pvvx-5.8")
    file = next((rig.home / "images").glob("*.bin"))
    file.write_bytes(package("pvvx-5.7"))
    finding = only(ask(rig, None, Complaint()).findings)
    assert (finding.id, finding.command) == ("F18", "mitherm firmware fetch pvvx-5.8")


def failed(operation: str, error: Exception) -> Callable[[Rig], None]:
    """A journal whose last operation failed."""

    def plant(rig: Rig) -> None:
        with pytest.raises(type(error)), rig.stores.journal.operation(operation, None, wall):
            raise error

    return plant


@pytest.mark.parametrize(
    ("plant", "symptom", "expected"),
    [
        (failed("firmware fetch", NetworkUnreachable("no network")), None, "F18"),
        (lambda rig: None, "catalogue cannot be loaded", "F18"),
        (failed("wire probe", RadioUnavailable("no answer")), None, "F17"),
        (lambda rig: None, "wire: no response", "F17"),
    ],
)
def test_journal_and_symptoms(tmp_path: Path, plant: Callable[[Rig], None], symptom: str | None, expected: str) -> None:
    """What the journal or the user tells about files and wires."""
    rig = Rig(tmp_path, STOCK)
    plant(rig)
    assert only(ask(rig, None, understand((symptom,) if symptom else ())).findings).id == expected


def test_wire_ports() -> None:
    """F17 names the port, its rights and its latency."""
    slow = Host(ports=(SerialPort("/dev/ttyUSB0", False, 16),))
    finding = only(diagnose(Evidence(complaint=understand(("wire",)), host=slow, air=Air(1.0, 1))))
    assert finding.command is None
    assert any("/dev/ttyUSB0" in reason for reason in finding.evidence)
    assert any("may not be used" in reason for reason in finding.evidence)
    assert any("16 ms" in reason for reason in finding.evidence)


def test_missing_name_without_a_radio(tmp_path: Path) -> None:
    """A name that only the air could tell does not hide the broken radio."""

    async def work(bench: Bench) -> Examination:
        radio = Deaf(bench.radio, RadioUnavailable("off", reason="off"))
        return await examine(replace(bench, radio=radio), "Cellar", Complaint(), lambda _: Host(True))

    assert only(Rig(tmp_path, STOCK).run(work).findings).id == "F15"
