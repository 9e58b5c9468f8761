"""One fact, one home: words that decide it stand in no other module (docs/explanation/architecture.md, "Who decides")."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mitherm"
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")

DECISIONS = {
    "who can log in": (r"\b(?:login_)?token is (?:not )?None", {"model/access.py", "model/keys.py"}),
    "which keys are in use": (r"\.generations\(|\.superseded is (?:not )?None", {"model/record.py", "store/vault.py"}),
    "which catalogue is in force": (r"\bshipped_catalogue\b", {"image/shipped.py", "ops/bench.py", "wiring/bench.py"}),
    "what a signature tail is worth": (
        r"[=:] ?Signature\.(?:GENUINE|FORGED)",
        {"image/catalogue.py", "image/inspect.py"},
    ),
    "which images go wrong": (r"version_below\b.*\bversion_key|== \"version_below\"", {"image/known_bad.py"}),
    "how large a bank is": (r"= 0x20000$", {"model/models.py"}),
    "which board": (r"B1\.6-2025\"|\"B1\.1\"|-FY-", {"device/boards.py"}),
    "which families are alike": (
        r"Family\.[A-Z0-9]+(?:,| \|) Family\.|\"pvvx\", \"atc1441\"",
        {"model/family.py"},
    ),
    "which formats are alike": (r"BeaconFormat\.[A-Z0-9_]+, BeaconFormat\.", {"model/family.py"}),
    "which versions take account keys": (r"startswith\(\(?\"[012]\.", {"model/models.py"}),
    "which stock checks signatures": (r"\"2\.1\.1_0159\"", {"image/recognise.py", "model/models.py"}),
    "which pvvx has the extended update": (r"\b4\.6\b|\(4, 6\)", {"model/models.py"}),
    "which pvvx builds do not start": (r"0x07, 0x08, 0x09", {"image/boot_rules.py"}),
    "how a step reads": (r"\"(?:verified|not accepted): \"", {"model/operation.py", "store/journal.py"}),
    "how an operation may end": (r"outcome(?:\"\])? (?:==|!=|in|not in) [(\"]{1,2}[a-z]", set()),
    "which names units have": (r"[^b]\"(?:ATC|CGG|CGD|MHO|MJ6|BTH|TNK)_", {"model/models.py"}),
    "what a frame says": (r"beacon\.decode import|beacon import .*\bdecode\b", {"beacon/keyring.py"}),
    "what a receiver remembers": (r"= Tracker\(", {"ops/hearing/receiver.py"}),
    "which values can be": (r"def _?is_possible", {"model/reading.py"}),
    "what the short UUIDs stand on": (r"-0000-1000-8000-00805f9b34fb", set()),
    "how to try again": (r"AssertionError\(\"unreachable", set()),
    "what comes next": (r"[\"']keys-needed[\"']", {"ops/next_step.py"}),
}
"""Fact -> how a decision looks, and the modules that may hold one."""
KEEPERS = ("store/", "cloud/", "virtual/", "protocol/")
"""They carry keys in and out, and decide nothing by them."""
ASKED = {
    "which names units have": {"ops/hearing/advertiser.py"},  # the prefix that two firmwares share
    "what a frame says": {
        "__init__.py",  # users may
        "beacon/__init__.py",
        "ops/hearing/receiver.py",  # which service data is worth a look
        "radio/addresses.py",  # the address in the head of a frame
    },
    "which families are alike": {"ops/updating/plan.py"},  # goals that users type
    "which stock checks signatures": {"ops/updating/paths.py"},  # an example of each kind of unit
    "who can log in": {
        "cli/login.py",  # whether one was typed
        "ops/keys/activate.py",  # whether there is one to prove
        "ops/keys/proof.py",  # each part of a generation is tested by itself
        "ops/updating/execute.py",  # whether somebody typed one
        "ops/updating/knowledge.py",  # the one that pvvx shows
    },
    "which catalogue is in force": {
        "image/inspect.py",  # somebody asks about bytes, without a bench
        "ops/doctor/evidence.py",  # no unit was looked at
        "ops/files/catalogue_file.py",  # what a newer table must not contradict
        "ops/guards/rule.py",  # no image is sent
    },
    "which keys are in use": {
        "ops/keys/unit_keys.py",  # the generation superseded last is the one to put back
    },
}
"""Modules that look at the value for a reason of their own."""


@pytest.mark.parametrize("fact", DECISIONS)
def test_a_fact_is_decided_in_its_home(fact: str) -> None:
    """A module that begins to decide it fails here."""
    pattern, homes = DECISIONS[fact]
    modules = {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    deciding = {name for name, text in modules.items() if re.search(pattern, text, re.MULTILINE)}
    assert homes <= deciding
    assert {name for name in deciding - homes if not name.startswith(KEEPERS)} <= ASKED.get(fact, set())


@pytest.mark.parametrize(
    "home", re.findall(r"`([\w/]+\.py|[\w/]+/)`", PAGE.partition("## Who decides")[2].partition("## ")[0])
)
def test_homes_exist(home: str) -> None:
    """Every file and folder that the table of the page names is there."""
    assert (SOURCE / home).exists() or home.startswith("tests/")
