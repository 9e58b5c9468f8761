"""The report to post: complete enough, and without anything that opens or names a unit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_sick_units import ask

from mitherm.cli.documents.bundle import bundle, clean
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.ops.doctor.symptoms import understand
from mitherm.primitives.secret import Secret
from rig import UNIT, Rig, wall

TOKEN, BIND_KEY = bytes.fromhex("00112233445566778899aabb"), bytes.fromhex("c0ffee00c0ffee11c0ffee22c0ffee33")
SECOND = "A4:C1:38:00:00:02"


def spellings(data: bytes) -> list[str]:
    """Ways in which bytes appear in text."""
    texts = [data.hex(), data.hex(":"), data.hex(" "), data.hex("-"), str(data), repr(data)]
    return [*texts, *(text.upper() for text in texts)]


@pytest.fixture
def report(tmp_path: Path) -> tuple[Rig, str]:
    """A user with keys, a journal, names, and units that keep keys of their own."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=mi-home", "pvvx-5.8,bound=flasher")
    rig.stores.vault.add(UNIT, MiKeys(Secret(TOKEN), Secret(BIND_KEY), "blt.3.1secretdid99"), "extractor", wall())
    rig.stores.inventory.note(UNIT, now=wall(), family=Family.STOCK, version="1.0.0_0130")
    rig.stores.inventory.set_name(UNIT, "Grandmother's bedroom")
    with rig.stores.journal.operation("login", UNIT, wall):
        pass
    return rig, bundle(ask(rig, None, understand(("decrypt failed",)))).decode()


def test_no_secret_is_in_the_report(report: tuple[Rig, str]) -> None:
    """Planted and real keys, in any spelling."""
    rig, text = report
    secrets = [TOKEN, BIND_KEY]
    for keys in rig.keys.values():
        assert keys is not None
        secrets += [keys.token.reveal(), keys.bind_key.reveal()]  # type: ignore[union-attr]
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in text


def test_nothing_names_a_unit(report: tuple[Rig, str]) -> None:
    """Addresses and DIDs are shortened, private names left out."""
    rig, text = report
    for address in (str(UNIT), UNIT.compact, SECOND, SECOND.replace(":", "").lower(), "ATC_000002"):
        assert address.lower() not in text.lower()
    for keys in rig.keys.values():
        assert keys is not None
        assert keys.did is not None
        assert keys.did not in text
    assert "bedroom" not in text
    assert str(rig.home) not in text


def test_the_report_says_what_a_helper_needs(report: tuple[Rig, str]) -> None:
    """Versions, system, findings, observation, journal; units can still be told apart."""
    document = json.loads(report[1])
    assert {"versions", "system", "host", "findings", "units", "journal", "told"} <= set(document)
    assert document["versions"]["bleak"]
    assert [unit["address"] for unit in document["units"]] == ["A4:C1:38:..:..:01", "A4:C1:38:..:..:02"]
    assert document["units"][0]["firmware"] == "stock 1.0.0_0130"
    assert document["units"][0]["logins"][0]["answer"] == "wrong"
    assert document["journal"][-1]["address"] == "A4:C1:38:..:..:01"
    assert document["findings"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see A4:C1:38:12:34:56.", "see A4:C1:38:..:..:56."),
        ("a4c138123456", "A4:C1:38:..:..:56"),
        ("A4-C1-38-12-34-56", "A4:C1:38:..:..:56"),
        ("ATC_123456", "ATC_..56"),
        ("DID blt.3.129vAbCdEfATC", "DID blt.3.129v.."),
        (f"key {BIND_KEY.hex()}!", "key <hidden>!"),
        (f"key {TOKEN.hex(' ')}", "key <hidden>"),
        ("stock 1.0.0_0130", "stock 1.0.0_0130"),
        ("0000fe95-0000-1000-8000-00805f9b34fb", "0000fe95-0000-1000-8000-00805f9b34fb"),
        ("ebe0ccb0-7a0a-4b0c-8a1a-6ff2997da3a6", "ebe0ccb0-7a0a-4b0c-8a1a-6ff2997da3a6"),
    ],
)
def test_cleaning(text: str, expected: str) -> None:
    """What is shortened, what is hidden, what stays."""
    assert clean(text) == expected
