"""Every planted cause is named, first and alone, with evidence and a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sick import FILE, STAGES, Case, Patient, cases

from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.examine import Examination, examine
from mitherm.ops.doctor.host import Host
from mitherm.ops.doctor.symptoms import Complaint, understand
from mitherm.virtual.firmware.gatt_stock import stock_table
from mitherm.virtual.loopback.client import LoopbackClient, services_of
from rig import Rig

CASES = cases()


class Stale:
    """A radio whose operating system shows the services of the firmware before the last."""

    def __init__(self, radio: object) -> None:
        self._radio = radio

    def __getattr__(self, name: str) -> object:
        return getattr(self._radio, name)

    def client(self, sighting: Sighting, on_disconnect: Callable[[], None]) -> LoopbackClient:
        """A client that believes its cache."""
        client = self._radio.client(sighting, on_disconnect)  # type: ignore[attr-defined]
        connect = client.connect

        async def stale() -> None:
            await connect()
            client.services = services_of(
                stock_table("1.0.0_0130", model="LYWSD03MMC", serial=b"0", hardware=b"B1.4"), 20
            )

        client.connect = stale
        return client  # type: ignore[no-any-return]


def ask(
    rig: Rig, unit: str | None, complaint: Complaint, *, stale: bool = False, host: Host | None = None
) -> Examination:
    """`mitherm doctor` on a fresh bench."""

    async def work(bench: Bench) -> Examination:
        radio = Stale(bench.radio) if stale else bench.radio
        return await examine(replace(bench, radio=radio), unit, complaint, lambda _: host or Host())

    return rig.run(work)


def complaint_of(case: Case) -> Complaint:
    """What the user of this unit says."""
    return understand((case.symptom,)) if case.symptom else Complaint()


def examined(rig: Rig, case: Case) -> Examination:
    """One unit by its address."""
    return ask(rig, str(case.address), complaint_of(case), stale=case.stage == "stale-services")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_the_cause_is_named(tmp_path: Path, case: Case) -> None:
    """The planted cause and no other, with a reason and a command that names the unit."""
    rig = Rig(tmp_path, case.spec)
    if case.stage is not None:
        STAGES[case.stage](Patient(rig, case))
    before = rig.flash(case.address)
    done = examined(rig, case)
    assert [finding.id for finding in done.findings] == [case.finding], done.findings
    finding = done.findings[0]
    assert finding.evidence
    assert finding.remedy
    assert "{" not in (finding.command or "")
    assert rig.flash(case.address)[0x78000:0x7A000] == before[0x78000:0x7A000]


def test_a_whole_fleet(tmp_path: Path) -> None:
    """All units that tell by themselves in one world, examined in one run: each its own cause and no other's."""
    fleet = [case for case in CASES if not case.symptom and case.stage != "stale-services" and not _unknown(case)]
    assert len(fleet) >= 30
    rig = Rig(tmp_path, *(case.spec for case in fleet))
    for case in fleet:
        if case.stage is not None:
            STAGES[case.stage](Patient(rig, case))
    findings = ask(rig, None, Complaint()).findings
    assert {case.label: [one.id for one in findings if one.unit == case.address] for case in fleet} == {
        case.label: [case.finding] for case in fleet
    }


def _unknown(case: Case) -> bool:
    """Neither heard nor in the inventory: only a user who names it can miss it."""
    return case.spec.rssi_dbm is False and case.stage is None


@pytest.mark.parametrize("spec", ["stock-1.0.0_0109", "stock-1.0.0_0130", "pvvx-5.8", "pvvx-4.1", "atc1441"])
def test_nothing_is_wrong_with_healthy_units(tmp_path: Path, spec: str) -> None:
    """No finding."""
    rig = Rig(tmp_path, spec)
    assert ask(rig, None, Complaint()).findings == []
    assert ask(rig, None, Complaint()).units


def test_every_failure_has_a_sick_unit() -> None:
    """F1 to F20 and rows 1 to 18; what belongs to the host is in test_host_findings.py."""
    named = {case.finding for case in CASES} | {"F15", "F17", "F18"}
    assert named == {f"F{number}" for number in range(1, 21)} | {f"mi-home-29/{row}" for row in range(1, 19)}
    assert FILE.exists()
