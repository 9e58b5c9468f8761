"""What a user tells, as symptoms the rules know. A symptom never decides alone: evidence must agree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mitherm.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing users report: its name, what to type for it, and the pattern that recognises it in free text."""

    name: str
    example: str
    pattern: str


SYMPTOMS: Final = (
    Symptom("no-mi-service", "-28", r"(?<!\d)-2[78]\b"),
    Symptom("did-refused", "-29", r"(?<!\d)-29\b|standard verification"),
    Symptom("version-unknown", "-37", r"(?<!\d)-37\b"),
    Symptom("not-registered", "E0", r"\be0\b|(?<!\d)-16\b|not registered"),
    Symptom("registration-failed", "registration failed", r"registration failed|(?<!\d)-51\b|^12$"),
    Symptom(
        "login-refused", "device infos are not correct", r"not correct|^23$|(?<!\d)-52\b|login (fails|failed|refused)"
    ),
    Symptom("login-silent", "login: no answer", r"login.*(no answer|hangs|silent)|(?<!\d)-7\b"),
    Symptom("ota-disconnect", "0x13", r"0x13|upload (disconnects|drops)|ota.*disconnect"),
    Symptom("ota-status", "status 5", r"(status|ota|error)( error| code)* ?[1-6]\b"),
    Symptom("activating", "activating", r"activat"),
    Symptom("after-update", "after app update", r"after.*update|app updated"),
    Symptom("old-firmware", "old firmware is back", r"old firmware|100 ?%"),
    Symptom("blank-display", "blank display", r"blank|garbled|display"),
    Symptom("no-services", "no services", r"no services|characteristic missing|service discovery"),
    Symptom("gatt-failed", "not connected", r"gatt operation|not connected|cannot connect"),
    Symptom("home-assistant", "HA shows nothing", r"(ha|home assistant)\b.*nothing"),
    Symptom("undecrypted", "decrypt failed", r"decrypt|no data"),
    Symptom("pin", "asks for a PIN", r"\bpin\b|pairing"),
    Symptom("settings-lost", "settings gone", r"settings|bind key gone"),
    Symptom("transfer-breaks", "transfer breaks", r"(transfer|upload|flash\w*) (breaks|stops|fails)"),
    Symptom("nothing-found", "nothing found", r"nothing found|scan.*(empty|nothing)"),
    Symptom("vanished", "vanished", r"vanished|disappeared|(unit|device) (is )?gone|not in the list"),
    Symptom("hardware-string", "hardware shows 0000", r"hardware.*(0000|v_14|random|wrong)|^(0000|v_14)$"),
    Symptom("wire", "wire: no response", r"\bs?wire\b|programmer"),
    Symptom("catalogue", "catalogue cannot be loaded", r"catalogue|catalog|file is missing"),
    Symptom("history", "history has holes", r"history|1970"),
)
"""The order matters where a text fits several: all that fit count, `ota-status` keeps its number."""
_STATUS: Final = re.compile(r"(?:status|ota|error)(?: error| code)* ?([1-6])\b")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the user says is wrong."""

    names: frozenset[str] = frozenset()
    status: int | None = None
    """OTA status code, where one was named."""


def understand(texts: tuple[str, ...]) -> Complaint:
    """The symptoms in free texts or codes. Raises UsageProblem for a text that means nothing to the rules."""
    names: set[str] = set()
    status = None
    for text in texts:
        lower = text.strip().lower()
        matches = {symptom.name for symptom in SYMPTOMS if re.search(symptom.pattern, lower)}
        if not matches:
            raise UsageProblem(f"the symptom {text!r} is not known", hint=f"say for example: {examples()}")
        names |= matches
        if match := _STATUS.search(lower):
            status = int(match[1])
    return Complaint(frozenset(names), status)


def examples() -> str:
    """One way to type each symptom."""
    return ", ".join(repr(symptom.example) for symptom in SYMPTOMS)
