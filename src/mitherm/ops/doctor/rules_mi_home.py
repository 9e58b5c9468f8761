"""Refusals of Mi Home, rows 1 to 8 of the decision table, one cause each (mi-auth.md 9.3); the others in rules_activation.

The first row of the whole table that matches is the answer, so the order of the functions matters: what identification and
a read show (V2, V3) before what registration, keys and logins show (V4 to V6). Rows that only a symptom can tell from a
healthy unit need it told.
"""

from __future__ import annotations

from typing import Final

from mitherm.model.family import Family
from mitherm.model.models import account_line
from mitherm.model.operation import StepKind
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import Proof, because, cause
from mitherm.protocol import uuids
from mitherm.store.journal import Run

ROW: Final = "mi-home-29/"
READY: Final = "mitherm bring {unit} --to mi-home-ready"
_NO_HARDWARE: Final = ("", "0000")


@cause(
    "mi-home-29/1",
    title="Mi Home -27 or -28: custom firmware runs, which Mi Home cannot speak to",
    remedy="Put stock firmware back first; the app cannot do anything about it.",
    command=READY,
    symptoms=("no-mi-service",),
)
def custom_firmware(evidence: Evidence) -> Proof | None:
    if evidence.custom is None or not evidence.says("no-mi-service", "did-refused"):
        return None
    return because(f"{evidence.custom.label} runs", "service 1F10 is there, Mi Home's characteristics are not")


@cause(
    "mi-home-29/2",
    title="Mi Home -27 or -28: weak link, another central, or a stale service cache",
    remedy="Move closer, free the unit from other hosts, toggle the phone's Bluetooth, try again.",
    command="mitherm info {unit}",
    symptoms=("no-mi-service",),
)
def link_trouble(evidence: Evidence) -> Proof | None:
    if evidence.stock is None or not evidence.says("no-mi-service"):
        return None
    if any(evidence.stock.gatt.find(char) is None for char in (uuids.MI_CONTROL, uuids.MI_PARCELS)):
        return None
    return because(
        f"{evidence.stock.label} offers the complete Mi service",
        signal(evidence),
        "the unit does not answer on it" if mute(evidence) else None,
    )


@cause(
    "mi-home-29/3",
    title="Mi Home -29: the DID was invented by a flasher, the cloud refuses it",
    remedy=(
        "Erase the DID by way of custom firmware and put stock back, then delete the unit in the app and add it again. "
        "The reset pad does not help."
    ),
    command=READY,
    symptoms=("did-refused",),
    also=("F6",),
)
def invented_did(evidence: Evidence) -> Proof | None:
    if (
        evidence.stock is None
        or not evidence.stock.invented_did
        or not evidence.unprompted("did-refused", "no-mi-service")
    ):
        return None
    return because(f"the unit reports the DID {evidence.stock.did}", "no cloud ever issued it: a flasher made it up")


@cause(
    "mi-home-29/5",
    title="Mi Home -29: the hardware string is lost",
    remedy=(
        "Over the wire, which needs a USB-serial adapter and its own programmer: restore 0x55000 from a dump, or erase the "
        "chip, write stock 1.0.0_0130 and pair anew."
    ),
    symptoms=("did-refused",),
    also=("F16",),
)
def no_hardware_string(evidence: Evidence) -> Proof | None:
    if evidence.stock is None or not evidence.says("did-refused") or evidence.stock.invented_did:
        return None
    text = evidence.stock.identity.hardware_string or ""
    if text not in _NO_HARDWARE:
        return None
    return because(f"the hardware string (2A27) is {text!r}: 0x55000 is blank", "not proved to be the cause of -29")


@cause(
    "mi-home-29/7",
    title="Mi Home -29: the app updated the unit to 2.1.1_0159",
    remedy="Update the app, delete the unit there, add it again; else stock 1.0.0_0130 over the wire and start again.",
    command="mitherm doctor {unit} --symptom -29",
    symptoms=(
        "did-refused",
        "after-update",
    ),
)
def updated_by_app(evidence: Evidence) -> Proof | None:
    unit = evidence.generation_2
    if unit is None or not evidence.says("did-refused") or unit.invented_did:
        return None
    before = evidence.known.version if evidence.known is not None and evidence.known.family is Family.STOCK else None
    updated = before is not None and not account_line(before)
    if not (updated or evidence.says("after-update") or (unit.did is None and not _was_custom(evidence))):
        return None
    return because(
        f"{unit.label} runs, authentication generation 2",
        f"it was {before} when last seen: the app updated it" if updated else None,
    )


@cause(
    "mi-home-29/4",
    title="Mi Home -29: another account or region holds the unit, or the server is busy",
    remedy="Delete the unit in the account that owns it, choose the right region, try up to four times; then erase the DID.",
    command=f"{READY} --fresh",
    symptoms=("did-refused",),
)
def foreign_binding(evidence: Evidence) -> Proof | None:
    if (
        evidence.stock is None
        or not evidence.says("did-refused")
        or evidence.stock.did is None
        or evidence.stock.invented_did
    ):
        return None
    return because(f"the DID {evidence.stock.did} looks genuine", holds_keys(evidence))


@cause(
    "mi-home-29/6",
    title="Mi Home -29: an old entry of this unit is still in the cloud",
    remedy="Delete the unit in the app and try again; alternating custom and stock firmware helped one user.",
    command=READY,
    symptoms=("did-refused",),
)
def old_entry(evidence: Evidence) -> Proof | None:
    stock = evidence.stock
    if (
        stock is None
        or not evidence.says("did-refused")
        or not stock.did_read
        or stock.did is not None
        or stock.registered
    ):
        return None
    if evidence.generation_2 is not None and not _was_custom(evidence):
        return None
    return because("the unit has no DID", "it is not registered (it answers E0)", _history(evidence))


@cause(
    "mi-home-29/8",
    title="Mi Home -37: the app is older than the unit's authentication",
    remedy="Update Mi Home, then add the unit.",
    command="mitherm info {unit}",
    symptoms=("version-unknown",),
)
def app_too_old(evidence: Evidence) -> Proof | None:
    if evidence.generation_2 is None or not evidence.says("version-unknown"):
        return None
    return because(f"{evidence.generation_2.label} speaks authentication version 2", "-37: this app does not know it")


def mute(evidence: Evidence) -> bool:
    """Whether stock firmware answers reads, but neither A2 nor a login."""
    stock = evidence.stock
    return stock is not None and stock.mi_generation is None and stock.registered is None


def signal(evidence: Evidence) -> str | None:
    return f"signal {evidence.air.rssi_dbm} dBm" if evidence.air.rssi_dbm is not None else None


def holds_keys(evidence: Evidence) -> str | None:
    registered = evidence.stock.registered if evidence.stock is not None else None
    return {True: "the unit is registered", False: "the unit is not registered", None: None}[registered]


def _was_custom(evidence: Evidence) -> bool:
    custom = evidence.known is not None and evidence.known.family is not None and evidence.known.family.custom
    return custom or any(map(erased_keys, evidence.runs))


def _history(evidence: Evidence) -> str | None:
    return "it ran custom firmware before" if _was_custom(evidence) else None


def erased_keys(run: Run) -> bool:
    return any(step.kind is StepKind.ERASE_MI_RECORDS for step in run.steps)
