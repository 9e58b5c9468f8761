"""Judgement on collected evidence, and what users tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mitherm.device.identify import Identity
from mitherm.device.observation import Observation
from mitherm.errors import UsageProblem
from mitherm.model.access import Access
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.gatt import GattTable
from mitherm.model.keys import MiKeys
from mitherm.model.operation import Outcome, StepKind, StepRecord, StepState
from mitherm.model.record import KeyGeneration
from mitherm.ops.doctor.evidence import Air, Contact, Evidence, Login, LoginAnswer
from mitherm.ops.doctor.symptoms import SYMPTOMS, understand
from mitherm.ops.doctor.table import CAUSES, diagnose
from mitherm.primitives.secret import Secret
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Run

UNIT = Address.parse("A4:C1:38:00:00:01")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
AIR = Air(listened_s=12, adverts=5, formats=frozenset({BeaconFormat.MIBEACON}), rssi_dbm=-60)
PVVX = StepRecord(StepKind.FLASH, family=Family.PVVX, version="5.8")
BACK = StepRecord(StepKind.FLASH, family=Family.STOCK, version="1.0.0_0130")
ERASE = StepRecord(StepKind.ERASE_MI_RECORDS)


def stock(version: str = "1.0.0_0130", **more: object) -> Observation:
    """A stock unit that answers everything."""
    generation = 2 if version.startswith("2") else 1
    identity = Identity(Family.STOCK, version, "LYWSD03MMC", "B1.4", "B1.4", generation=generation)
    told = {"did_read": True, "mi_generation": generation, "registered": False, "battery_mv": 2950} | more
    return Observation(UNIT, identity, GattTable(()), **told)  # type: ignore[arg-type]


def evidence(seen: Observation, *symptoms: str, **more: object) -> Evidence:
    """A unit that was heard and read."""
    found = {"unit": UNIT, "air": AIR, "contact": Contact(seen), "complaint": understand(symptoms)} | more
    return Evidence(**found)  # type: ignore[arg-type]


def generation(origin: str, token: bytes = b"\x01" * 12, **more: object) -> KeyGeneration:
    """Keys in the vault."""
    return KeyGeneration("id", UNIT, MiKeys(Secret(token), Secret(b"\x02" * 16)), origin, NOW, **more)  # type: ignore[arg-type]


def login(keys: KeyGeneration, answer: LoginAnswer) -> Login:
    """The token of a generation, tried."""
    (token,) = Access((keys,)).tokens
    return Login(token, answer)


def ids(seen: Evidence) -> list[str]:
    """What is named."""
    return [finding.id for finding in diagnose(seen)]


def test_a_healthy_unit_has_no_finding() -> None:
    """Bound, with keys that open it."""
    keys = generation("extractor")
    seen = stock(registered=True, did="blt.3.1abcdefghijkl")
    assert ids(evidence(seen, access=Access((keys,)), logins=(login(keys, "right"),))) == []


@pytest.mark.parametrize(
    ("seen", "row"),
    [
        (stock(did="blt.3.129vAbCdEfATC"), 3),
        (stock(did="blt.3.129vAbCdEfg00", version="2.1.1_0159"), 3),
        (stock(did="blt.3.1abcdefghijkl"), 4),
        (stock(did="blt.1.abcdefghijkl", registered=True), 4),
        (stock(), 6),
        (stock("2.1.1_0159"), 7),
        (stock("2.1.1_0159", did="blt.3.1abcdefghijkl"), 4),
    ],
)
def test_the_rows_of_29(seen: Observation, row: int) -> None:
    """One row each."""
    assert ids(evidence(seen, "-29"))[:1] == [f"mi-home-29/{row}"]


def test_a_unit_whose_did_was_not_read_is_no_row_6() -> None:
    """None is not no."""
    assert ids(evidence(stock(did_read=False), "-29")) == []


def test_an_update_by_the_app_is_known_from_the_inventory() -> None:
    """Row 7 rather than row 4 when it was 1.x before."""
    seen = stock("2.1.1_0159", did="blt.3.1abcdefghijkl")
    before = KnownUnit(UNIT, family=Family.STOCK, version="1.0.0_0130")
    assert ids(evidence(seen, "-29", known=before))[0] == "mi-home-29/7"
    assert ids(evidence(seen, "-29", "after app update"))[0] == "mi-home-29/7"


def test_lost_hardware_string_comes_before_a_genuine_did() -> None:
    """Row 5, and F16 is not said a second time."""
    seen = stock(did="blt.3.1abcdefghijkl")
    seen = replace(seen, identity=replace(seen.identity, hardware=None, hardware_string="0000"))
    assert ids(evidence(seen, "-29")) == ["mi-home-29/5"]
    assert ids(evidence(seen)) == ["F16"]


def test_keys_that_were_erased_here_are_not_missed() -> None:
    """After `bring --to mi-home-ready` an unbound unit is as it should be."""
    keys = generation("activation")
    assert ids(evidence(stock(), access=Access((keys,)))) == ["mi-home-29/14"]
    erased = Run("1", "bring", UNIT, LATER, steps=(ERASE, BACK), outcome=Outcome.VERIFIED)
    assert ids(evidence(stock(), access=Access((keys,)), runs=(erased,))) == []


def test_superseded_account_keys_are_history() -> None:
    """Row 9 is about keys that somebody still believes in."""
    ours = generation("activation", b"\x03" * 12)
    account = generation("extractor")
    seen = stock(registered=True, did="blt.3.1abcdefghijkl")
    logins = (login(ours, "right"), login(account, "wrong"))
    assert ids(evidence(seen, access=Access((ours, account)), logins=logins)) == ["mi-home-29/9"]
    past = replace(account, superseded=LATER)
    assert ids(evidence(seen, access=Access((ours, past)), logins=(logins[0], login(past, "wrong")))) == []


def test_one_right_token_is_enough() -> None:
    """F2 is not said while any token opens the unit."""
    old, new = generation("typed"), generation("typed", b"\x04" * 12)
    seen = stock(registered=True, did="blt.3.1abcdefghijkl")
    assert ids(evidence(seen, access=Access((new, old)), logins=(login(old, "wrong"), login(new, "right")))) == []
    assert ids(evidence(seen, access=Access((old,)), logins=(login(old, "wrong"),))) == ["F2"]


@pytest.mark.parametrize(
    ("outcome", "error", "step", "expected"),
    [
        (Outcome.FAILED, "TransferFailed", PVVX, ["F13"]),
        (None, None, PVVX, ["F13"]),
        (Outcome.INTERRUPTED, "KeyboardInterrupt", PVVX, ["F13"]),
        (Outcome.FAILED, "NotVerified", PVVX, ["F14"]),
        (Outcome.FAILED, "NotVerified", PVVX.but(StepState.NOT_ACCEPTED), ["F14"]),
        (Outcome.FAILED, "GuardRefused", PVVX.but(StepState.VERIFIED), []),
        (Outcome.FAILED, "NotVerified", BACK, []),
        (Outcome.FAILED, "GuardRefused", PVVX, []),
        (Outcome.VERIFIED, None, PVVX, []),
    ],
)
def test_the_journal_of_an_update(
    outcome: Outcome | None, error: str | None, step: StepRecord, expected: list[str]
) -> None:
    """What it ended with, and whether the unit runs what was sent."""
    run = Run("1", "flash", UNIT, NOW, steps=(step,), outcome=outcome, error=error)
    assert ids(evidence(stock(), runs=(run,))) == expected


def test_a_later_update_that_succeeded_counts() -> None:
    """Old failures are not told again."""
    broken = Run("1", "flash", UNIT, NOW, steps=(PVVX,), outcome=Outcome.FAILED, error="TransferFailed")
    good = Run("2", "bring", UNIT, LATER, steps=(BACK,), outcome=Outcome.VERIFIED)
    assert ids(evidence(stock(), runs=(broken, good))) == []


def test_a_symptom_that_evidence_contradicts_is_not_believed() -> None:
    """-28 needs custom firmware or a Mi service, a PIN a refused read."""
    assert ids(evidence(stock(), "asks for a PIN")) == []
    assert ids(evidence(stock(), "no services")) == []
    assert ids(evidence(stock(), "decrypt failed")) == []


def test_every_example_is_understood() -> None:
    """Each symptom is recognised by its own example."""
    for symptom in SYMPTOMS:
        assert symptom.name in understand((symptom.example,)).names


def test_every_symptom_is_used() -> None:
    """No symptom without a cause, no cause with an unknown symptom."""
    assert {name for cause in CAUSES for name in cause.symptoms} == {symptom.name for symptom in SYMPTOMS}


def test_status_codes_keep_their_number() -> None:
    """`OTA error 3` is about flash."""
    assert understand(("OTA error 3",)).status == 3
    found = diagnose(evidence(stock(), "status 3"))
    assert "flash" in found[0].evidence[0]


def test_unknown_words_are_refused() -> None:
    """A typing mistake must not look like health."""
    with pytest.raises(UsageProblem):
        understand(("xyzzy",))
