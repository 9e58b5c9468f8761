"""Causes around keys, beacons, settings and files: F1, F2, F6, F10, F12, F17 to F20 (product-needs.md 2)."""

from __future__ import annotations

from typing import Final

from mitherm.errors import DecodeError
from mitherm.model.family import BeaconFormat
from mitherm.model.keys import is_invented
from mitherm.model.operation import Outcome
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import Proof, because, cause
from mitherm.ops.doctor.rules_activation import FETCH
from mitherm.protocol.pvvx.config import Config
from mitherm.store.journal import Run

SET_SINCE_S: Final = 1_577_836_800
"""2020: a clock that shows less was never set."""
_CLOCK: Final = "mitherm clock set {unit}"
_PROBED: Final = ("hw_ver", "lp_measures", "")
"""What the unit itself sets at boot (custom-firmware.md 5.2)."""


@cause(
    "F2",
    title="Login fails: the token is of an older binding, or of the wrong field",
    remedy="Fetch the keys anew after the last time the unit was added, and import them.",
    command=FETCH,
    symptoms=("login-refused",),
    also=("mi-home-29/15",),
)
def old_token(evidence: Evidence) -> Proof | None:
    if evidence.stock is None or not evidence.logins or not evidence.answers <= {"wrong", "refused"}:
        return None
    keys = [key.reveal() for key in evidence.access.bind_keys]
    mixed = any(key.startswith(login.token.secret.reveal()) for login in evidence.logins for key in keys)
    newest = max(login.token.generation.created for login in evidence.logins)
    return because(
        f"none of the {len(evidence.logins)} token(s) in the vault opens the unit",
        "a token is the beginning of a bind key: it was typed into the wrong field" if mixed else None,
        f"the newest is of {newest:%Y-%m-%d}; the unit got others since" if not mixed else None,
    )


@cause(
    "F1",
    title="Activation cannot work: this firmware takes keys from the owner's account only",
    remedy="Add the unit in Mi Home, fetch its keys from your account, then log in; do not press Activation.",
    command=FETCH,
    symptoms=("activating",),
    also=("mi-home-29/10", "mi-home-29/11"),
)
def keys_from_account(evidence: Evidence) -> Proof | None:
    if (
        evidence.generation_2 is None
        or evidence.access.can_log_in
        or not evidence.unprompted("activating", "login-refused")
    ):
        return None
    return because(f"{evidence.generation_2.label} refuses activation by a tool", "the vault has no token of it")


@cause(
    "F6",
    title="Mi Home would refuse it (-29): foreign identity records are in its flash",
    remedy="Delete the unit in the app; save and erase the Mi records, put stock back, add it again.",
    command="mitherm bring {unit} --to mi-home-ready",
    symptoms=("did-refused",),
    also=("mi-home-29/1",),
)
def foreign_identity(evidence: Evidence) -> Proof | None:
    unit = evidence.custom
    if unit is None or unit.records is None or unit.records.empty or not evidence.says("did-refused"):
        return None
    did = unit.records.did_text
    return because(
        f"{unit.label} keeps Mi records",
        f"the DID {did} was made up by a flasher" if did and is_invented(did) else f"its DID is {did}",
        "stock firmware put back over them would show them to Mi Home",
    )


@cause(
    "F12",
    title="Settings are gone after a battery change",
    remedy="Apply the saved settings again; pvvx 5.8 and newer lose them less easily.",
    command="mitherm config apply {unit} --backup",
    symptoms=("settings-lost",),
)
def settings_lost(evidence: Evidence) -> Proof | None:
    config = evidence.contact.config if evidence.contact is not None else None
    if config is None or evidence.saved_config is None:
        return None
    try:
        now, saved = Config.from_bytes(config), Config.from_bytes(evidence.saved_config)
    except DecodeError:
        return None
    if now.version != saved.version:
        return None
    before = saved.values
    changed = [name for name, value in now.values.items() if name not in _PROBED and value != before.get(name)]
    if not changed:
        return None
    return because(f"settings that differ from the vault's record: {', '.join(sorted(changed))}")


@cause(
    "F10",
    title="Beacons cannot be decrypted: wrong or old bind key",
    remedy="Disconnect everything, wait 10 to 60 minutes near the unit, test again; if it stays, fetch the keys anew.",
    command="mitherm keys test {unit}",
    symptoms=("undecrypted",),
)
def not_decrypted(evidence: Evidence) -> Proof | None:
    air = evidence.air
    if not air.encrypted or air.decrypted or not evidence.access.bind_keys:
        return None
    stock = BeaconFormat.MIBEACON in air.formats
    return because(
        f"{air.encrypted} encrypted beacon(s) heard, the vault's bind keys open none",
        "stock sends one every ten minutes or so: a single one may still be of the old key"
        if stock and air.encrypted == 1
        else None,
    )


@cause(
    "F20",
    title="The receiver shows nothing although the unit sends",
    remedy="Send BTHome v2 on the 1M PHY, and give the receiver the key.",
    command="mitherm config set {unit} advertising_type=bthome",
    symptoms=("home-assistant",),
)
def receiver_shows_nothing(evidence: Evidence) -> Proof | None:
    air = evidence.air
    if keys_from_account.judge(evidence) is not None:
        return None
    if (
        air.encrypted
        and not air.decrypted
        and not evidence.access.bind_keys
        and evidence.unprompted("home-assistant", "undecrypted")
    ):
        return because(
            f"{air.encrypted} encrypted beacon(s) heard, and the vault has no bind key of the unit",
            command=FETCH,
        )
    unread = sorted(beacon_format for beacon_format in air.formats if beacon_format.environmental)
    if not evidence.says("home-assistant") or not air.heard or not (unread or air.encrypted):
        return None
    return because(
        f"the unit sends {', '.join(unread or sorted(air.formats))}",
        "this computer can read it" if not air.encrypted else None,
    )


@cause(
    "F19",
    title="The clock is wrong: history shows holes or 1970",
    remedy="Set the clock, read the history again and merge.",
    command=_CLOCK,
    symptoms=("history",),
)
def history_holes(evidence: Evidence) -> Proof | None:
    contact = evidence.contact
    if contact is None or not evidence.says("history"):
        return None
    clock = contact.newest_record_s
    unset = clock is not None and clock < SET_SINCE_S
    off = _logging_off(contact.config)
    return because(
        "the unit's clock was never set: it counts from 1970" if unset else None,
        "logging is switched off (averaging is 0)" if off else None,
        "clock and logging are in order: the connection broke in the middle" if not (unset or off) else None,
        command=_CLOCK
        if unset
        else "mitherm config set {unit} averaging=180"
        if off
        else "mitherm history fetch {unit}",
    )


@cause(
    "F17",
    title="The wire programmer gets no answer",
    remedy=(
        "Check ground, the SWS pad and the resistor or diode of the USB-serial adapter, switch the supply off and on, go "
        "slower, try another adapter."
    ),
    symptoms=("wire",),
    about="host",
)
def wire_silent(evidence: Evidence) -> Proof | None:
    last = _last(evidence, "wire")
    failed = last is not None and last.outcome in (Outcome.FAILED, Outcome.INTERRUPTED)
    if not (evidence.says("wire") or failed):
        return None
    ports = evidence.host.ports
    slow = [port for port in ports if port.latency_ms is not None and port.latency_ms > 1]
    return because(
        f"the journal's last {last.operation} ended with {last.error}" if failed and last is not None else None,
        f"ports: {', '.join(port.path for port in ports)}" if ports else "this computer shows no USB serial port",
        *(f"{port.path} may not be used by you" for port in ports if not port.writable),
        *(f"{port.path} waits {port.latency_ms} ms before it passes data on" for port in slow),
    )


@cause(
    "F18",
    title="The catalogue or an image file is missing or damaged",
    remedy="Fetch the file again: it is checked by length, CRC and SHA-256. The shipped table works offline.",
    command="mitherm firmware list --all",
    symptoms=("catalogue",),
    about="host",
)
def library_damaged(evidence: Evidence) -> Proof | None:
    last = _last(evidence, "firmware fetch")
    failed = last is not None and last.outcome is Outcome.FAILED
    if not (evidence.damaged_images or failed or evidence.says("catalogue")):
        return None
    return because(
        *(f"{name} in the library is not what its SHA-256 says" for name in evidence.damaged_images),
        f"the journal's last firmware fetch ended with {last.error}" if failed and last is not None else None,
        "no image in the library is damaged" if not evidence.damaged_images else None,
        command=f"mitherm firmware fetch {evidence.damaged_images[0]}" if evidence.damaged_images else None,
    )


@cause(
    "F19",
    title="The clock is wrong: history shows holes or 1970",
    remedy="Set the clock, read the history again and merge.",
    command=_CLOCK,
    symptoms=("history",),
    about="host",
)
def host_clock(evidence: Evidence) -> Proof | None:
    """F19 as far as this computer is to blame."""
    if evidence.host.clock is None:
        return None
    return because(
        evidence.host.clock,
        remedy="Set the clock of this computer: units get their time from it.",
        command="timedatectl set-ntp true",
    )


def _last(evidence: Evidence, operation: str) -> Run | None:
    return next((run for run in reversed(evidence.runs) if run.operation.startswith(operation)), None)


def _logging_off(config: bytes | None) -> bool:
    if config is None:
        return False
    try:
        return Config.from_bytes(config).values.get("averaging") == 0
    except DecodeError:
        return False
