"""The decision table for Mi Home errors and flasher failures, one row each (mi-auth.md 9.3).

The first row that matches is the answer. Rows that only a symptom can tell from a healthy unit need it told.
"""

from __future__ import annotations

from typing import Final

from mitherm.model.family import Family
from mitherm.model.operation import StepKind
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import NEXT, Cause, Judge, Proof, because
from mitherm.ops.next_step import NextStep
from mitherm.protocol import uuids
from mitherm.store.journal import Run

ROW: Final = "mi-home-29/"
READY: Final = "mitherm bring {unit} --to mi-home-ready"
FETCH: Final = NextStep.KEYS_NEEDED.command("")
_NO_HARDWARE: Final = ("", "0000")
_FROM_ACCOUNT: Final = (
    "No tool can activate this firmware. Add the unit in Mi Home, fetch token and bind key from your account, log in."
)


def custom_firmware(seen: Evidence) -> Proof | None:
    """Row 1."""
    if seen.custom is None or not seen.says("no-mi-service", "did-refused"):
        return None
    return because(f"{seen.custom.label} runs", "service 1F10 is there, Mi Home's characteristics are not")


def link_trouble(seen: Evidence) -> Proof | None:
    """Row 2."""
    if seen.stock is None or not seen.says("no-mi-service"):
        return None
    if any(seen.stock.gatt.find(char) is None for char in (uuids.MI_CONTROL, uuids.MI_PARCELS)):
        return None
    return because(
        f"{seen.stock.label} offers the complete Mi service",
        _signal(seen),
        "the unit does not answer on it" if mute(seen) else None,
    )


def invented_did(seen: Evidence) -> Proof | None:
    """Row 3."""
    if seen.stock is None or not seen.stock.invented_did or not seen.unprompted("did-refused", "no-mi-service"):
        return None
    return because(f"the unit reports the DID {seen.stock.did}", "no cloud ever issued it: a flasher made it up")


def foreign_binding(seen: Evidence) -> Proof | None:
    """Row 4."""
    if seen.stock is None or not seen.says("did-refused") or seen.stock.did is None or seen.stock.invented_did:
        return None
    return because(f"the DID {seen.stock.did} looks genuine", _holds_keys(seen))


def no_hardware_string(seen: Evidence) -> Proof | None:
    """Row 5."""
    if seen.stock is None or not seen.says("did-refused") or seen.stock.invented_did:
        return None
    text = seen.stock.identity.hardware_string or ""
    if text not in _NO_HARDWARE:
        return None
    return because(f"the hardware string (2A27) is {text!r}: 0x55000 is blank", "not proved to be the cause of -29")


def old_entry(seen: Evidence) -> Proof | None:
    """Row 6."""
    stock = seen.stock
    if stock is None or not seen.says("did-refused") or not stock.did_read or stock.did is not None or stock.registered:
        return None
    if seen.generation_2 is not None and not _was_custom(seen):
        return None
    return because("the unit has no DID", "it is not registered (it answers E0)", _history(seen))


def updated_by_app(seen: Evidence) -> Proof | None:
    """Row 7."""
    unit = seen.generation_2
    if unit is None or not seen.says("did-refused") or unit.invented_did:
        return None
    before = seen.known.version if seen.known is not None and seen.known.family is Family.STOCK else None
    updated = before is not None and before.startswith(("0.", "1."))
    if not (updated or seen.says("after-update") or (unit.did is None and not _was_custom(seen))):
        return None
    return because(
        f"{unit.label} runs, authentication generation 2",
        f"it was {before} when last seen: the app updated it" if updated else None,
    )


def app_too_old(seen: Evidence) -> Proof | None:
    """Row 8."""
    if seen.generation_2 is None or not seen.says("version-unknown"):
        return None
    return because(f"{seen.generation_2.label} speaks authentication version 2", "-37: this app does not know it")


def activated_by_tool(seen: Evidence) -> Proof | None:
    """Row 9."""
    if seen.stock is None:
        return None
    refuted = [one for one in seen.logins if one.from_account and one.answer != "right"]
    stale = [one for one in refuted if one.token.generation.superseded is None]
    proven = [one for one in seen.logins if not one.from_account and one.answer == "right"]
    if stale and proven:
        return because(
            f"the account's token {stale[-1].token.generation.keys.fingerprint} does not open the unit",
            f"the token {proven[0].token.generation.keys.fingerprint} of a later {proven[0].token.generation.origin} does",
            command="mitherm keys export --for ha {unit}",
        )
    if refuted and seen.says("undecrypted") and "right" not in seen.answers:
        return because("the unit is registered, but the account's token does not open it")
    return None


def activation_hangs(seen: Evidence) -> Proof | None:
    """Row 10."""
    unit = seen.generation_2
    if unit is None or unit.did is None or not seen.says("activating"):
        return None
    return because(f"{unit.label} runs, authentication generation 2", f"its DID is {unit.did}")


def activation_refused(seen: Evidence) -> Proof | None:
    """Row 11."""
    unit = seen.generation_2
    if unit is None or unit.did is not None or not seen.says("activating"):
        return None
    return because(f"{unit.label} runs, authentication generation 2", "it has no DID: flashers stop there")


def lost_frame(seen: Evidence) -> Proof | None:
    """Row 12."""
    if seen.stock is None or seen.generation_2 is not None or not seen.says("activating"):
        return None
    return because(f"{seen.stock.label} can be activated without the cloud", _holds_keys(seen), _signal(seen))


def registration_failed(seen: Evidence) -> Proof | None:
    """Row 13."""
    stock = seen.stock
    if stock is None or seen.generation_2 is not None or stock.registered:
        return None
    last = next((run for run in reversed(seen.runs) if run.operation == "activate"), None)
    refused = last is not None and last.error == "MiAuthRefused"
    if not (refused or seen.says("registration-failed")):
        return None
    return because(
        f"the unit is not registered; its DID is {stock.did or 'not set'}",
        "the journal's last activation was refused by the unit" if refused else None,
    )


def lost_binding(seen: Evidence) -> Proof | None:
    """Row 14."""
    if seen.stock is None or seen.stock.registered is not False or not seen.access.tokens or _erased_by_us(seen):
        return None
    return because(
        "the unit answers E0: it holds no keys",
        f"the vault has {len(seen.access.tokens)} token(s) of it",
        f"its DID {seen.stock.did} is still there, as after the reset pad" if seen.stock.did else None,
    )


def stale_token(seen: Evidence) -> Proof | None:
    """Row 15."""
    if seen.stock is None or not seen.stock.registered or not seen.says("login-refused") or "right" in seen.answers:
        return None
    return because(
        "the unit is registered",
        f"none of the vault's {len(seen.logins)} token(s) opens it" if seen.logins else "the vault has no token of it",
    )


def silent_login(seen: Evidence) -> Proof | None:
    """Row 16."""
    if seen.stock is None:
        return None
    silent = mute(seen) or (bool(seen.logins) and seen.answers == {"silent"})
    if not (silent or seen.says("login-silent")):
        return None
    return because(
        f"{seen.stock.label} answers reads",
        "its authentication does not answer" if silent else "its authentication answers again on a new connection",
    )


def not_logged_in(seen: Evidence) -> Proof | None:
    """Row 17."""
    if seen.stock is None or not seen.says("ota-disconnect"):
        return None
    return because(f"{seen.stock.label} ends the link with 0x13 when an update starts without a login")


def activation_needless(seen: Evidence) -> Proof | None:
    """Row 18."""
    if seen.custom is None or not seen.says("activating"):
        return None
    return because(f"{seen.custom.label} runs: it has nothing to activate")


def mute(seen: Evidence) -> bool:
    """Whether stock firmware answers reads, but neither A2 nor a login."""
    stock = seen.stock
    return stock is not None and stock.mi_generation is None and stock.registered is None


def _signal(seen: Evidence) -> str | None:
    return f"signal {seen.air.rssi_dbm} dBm" if seen.air.rssi_dbm is not None else None


def _holds_keys(seen: Evidence) -> str | None:
    registered = seen.stock.registered if seen.stock is not None else None
    return {True: "the unit is registered", False: "the unit is not registered", None: None}[registered]


def _was_custom(seen: Evidence) -> bool:
    custom = seen.known is not None and seen.known.family is not None and seen.known.family.custom
    return custom or any(map(_erased_keys, seen.runs))


def _history(seen: Evidence) -> str | None:
    return "it ran custom firmware before" if _was_custom(seen) else None


def _erased_by_us(seen: Evidence) -> bool:
    """Whether the keys are gone because the user had them erased here."""
    newest = max((one.confirmed or one.created for one in seen.access.generations), default=None)
    return any(newest is not None and (run.finished or run.started) > newest and _erased_keys(run) for run in seen.runs)


def _erased_keys(run: Run) -> bool:
    return any(step.kind is StepKind.ERASE_MI_RECORDS for step in run.steps)


def _row(
    number: int, judge: Judge, title: str, remedy: str, command: str | None, *symptoms: str, also: str = ""
) -> Cause:
    return Cause(f"{ROW}{number}", title, remedy, command, judge, symptoms, (also,) if also else ())


ROWS: Final = (
    _row(
        1,
        custom_firmware,
        "Mi Home -27 or -28: custom firmware runs, which Mi Home cannot speak to",
        "Put stock firmware back first; the app cannot do anything about it.",
        READY,
        "no-mi-service",
    ),
    _row(
        18,
        activation_needless,
        "Activation disconnects: custom firmware needs none",
        "Flash directly, no activation and no keys are needed.",
        "mitherm flash {unit} IMAGE",
        "activating",
        also="F1",
    ),
    _row(
        2,
        link_trouble,
        "Mi Home -27 or -28: weak link, another central, or a stale service cache",
        "Move closer, free the unit from other hosts, toggle the phone's Bluetooth, try again.",
        "mitherm info {unit}",
        "no-mi-service",
    ),
    _row(
        3,
        invented_did,
        "Mi Home -29: the DID was invented by a flasher, the cloud refuses it",
        "Erase the DID by way of custom firmware and put stock back, then delete the unit in the app and add it again. "
        "The reset pad does not help.",
        READY,
        "did-refused",
        also="F6",
    ),
    _row(
        5,
        no_hardware_string,
        "Mi Home -29: the hardware string is lost",
        "Over the wire, which needs a USB-serial adapter and its own programmer: restore 0x55000 from a dump, or erase the "
        "chip, write stock 1.0.0_0130 and pair anew.",
        None,
        "did-refused",
        also="F16",
    ),
    _row(
        7,
        updated_by_app,
        "Mi Home -29: the app updated the unit to 2.1.1_0159",
        "Update the app, delete the unit there, add it again; else stock 1.0.0_0130 over the wire and start again.",
        "mitherm doctor {unit} --symptom -29",
        "did-refused",
        "after-update",
    ),
    _row(
        4,
        foreign_binding,
        "Mi Home -29: another account or region holds the unit, or the server is busy",
        "Delete the unit in the account that owns it, choose the right region, try up to four times; then erase the DID.",
        f"{READY} --fresh",
        "did-refused",
    ),
    _row(
        6,
        old_entry,
        "Mi Home -29: an old entry of this unit is still in the cloud",
        "Delete the unit in the app and try again; alternating custom and stock firmware helped one user.",
        READY,
        "did-refused",
    ),
    _row(
        8,
        app_too_old,
        "Mi Home -37: the app is older than the unit's authentication",
        "Update Mi Home, then add the unit.",
        "mitherm info {unit}",
        "version-unknown",
    ),
    _row(
        10,
        activation_hangs,
        "Activation never ends, a token is shown: 2.1.1_0159 did not store it",
        _FROM_ACCOUNT,
        NEXT,
        "activating",
        also="F1",
    ),
    _row(
        11,
        activation_refused,
        "Activation never ends, no token is shown: 2.1.1_0159 without a DID",
        _FROM_ACCOUNT,
        NEXT,
        "activating",
        also="F1",
    ),
    _row(
        12,
        lost_frame,
        "Activation never ends on stock 1.x: the page lost a frame",
        "Try again; mitherm sends lost frames again.",
        NEXT,
        "activating",
        also="F1",
    ),
    _row(
        13,
        registration_failed,
        "Registration failed: the DID the page sent is not the unit's",
        "Read the DID anew and send it back unchanged, which mitherm does; repeat.",
        NEXT,
        "registration-failed",
    ),
    _row(
        14,
        lost_binding,
        "Login refused with E0: the unit was reset, its binding is gone",
        "Add the unit again (Mi Home; or activate stock 1.x) and fetch its keys anew.",
        NEXT,
        "not-registered",
    ),
    _row(
        9,
        activated_by_tool,
        "Bound in the app, but no data: a tool activated the unit after Mi Home did",
        "Use the tool's bind key everywhere, or delete the unit in the app and add it again.",
        FETCH,
        "undecrypted",
        also="F2",
    ),
    _row(
        15,
        stale_token,
        "Login: device infos are not correct: the token is stale or foreign",
        "Fetch the keys anew after the last time the unit was added. A token has 24 hex digits, a bind key 32.",
        FETCH,
        "login-refused",
        also="F2",
    ),
    _row(
        16,
        silent_login,
        "Login gets no answer: an earlier procedure is still inside its 30 s",
        "Disconnect, wait half a minute, connect again; mitherm connects anew by itself.",
        NEXT,
        "login-silent",
    ),
    _row(
        17,
        not_logged_in,
        "The link ends with 0x13 when an update starts: nobody logged in",
        "Log in first; mitherm does so on the same connection.",
        "mitherm flash {unit} IMAGE",
        "ota-disconnect",
    ),
)
"""In the order in which they are judged: what V2 and V3 show before what V4 to V6 show."""
