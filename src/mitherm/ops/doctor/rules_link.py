"""Causes on the way to the unit: this computer, the air, the link (product-needs.md 2, F5, F7, F8, F9, F11, F15)."""

from __future__ import annotations

from typing import Final

from mitherm.model.family import BeaconFormat, Family
from mitherm.model.operation import Outcome
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import Proof, because, cause
from mitherm.ops.doctor.host import Host

RADIO_UNUSABLE: Final = "F15"
WEAK_DBM: Final = -85
LOW_UNDER_LOAD_MV: Final = 2520
"""40 % of pvvx' scale: below it rule H5 refuses an update."""
LOW_PCT: Final = 20
"""Where the unit tells no voltage; the scale of stock firmware is not known."""
SAG_MV: Final = 500
DARK_AFTER_S: Final = 60.0
_CURES: Final[dict[str, tuple[str, str]]] = {
    "off": ("Switch Bluetooth on.", "bluetoothctl power on"),
    "denied": ("Let your user speak to BlueZ, then log in again.", "sudo usermod -aG bluetooth $USER"),
    "busy": ("End the other program that scans, or use another adapter.", "mitherm --radio system:hci1 scan"),
    "no-service": (
        "Start the Bluetooth service; in a container mount the D-Bus socket.",
        "sudo systemctl start bluetooth",
    ),
    "no-adapter": ("Plug in an adapter; try everything without one on virtual units.", "bluetoothctl list"),
}


@cause(
    RADIO_UNUSABLE,
    title="Nothing found: the radio of this computer cannot be used",
    remedy="Bring the adapter up; section 'Bluetooth does not work' of the guide has it per system.",
    command="bluetoothctl show",
    symptoms=("nothing-found",),
    about="host",
)
def radio_unusable(evidence: Evidence) -> Proof | None:
    host = evidence.host
    if host.problem is not None:
        remedy, command = _cure(host)
        return because(host.message or "the radio cannot be used", *_host_facts(host), remedy=remedy, command=command)
    deaf = evidence.air.listened_s > 0 and not evidence.air.others and not evidence.air.heard
    if deaf and (host.checked or evidence.says("nothing-found")):
        return because(f"not one advert of anything in {evidence.air.listened_s:.0f} s", *_host_facts(host))
    return None


@cause(
    "F5",
    title="The unit is dark: no display or no radio",
    remedy=(
        "Take the cell out for a minute and put a fresh one in. If it stays dark, only the wire helps, which needs a "
        "USB-serial adapter."
    ),
    symptoms=("blank-display",),
)
def dead(evidence: Evidence) -> Proof | None:
    if not _missing(evidence) or (
        _was_custom(evidence) and not _bad_update(evidence) and not evidence.says("blank-display")
    ):
        return None
    update = evidence.last_update
    return because(
        f"no advert in {evidence.air.listened_s:.0f} s",
        f"{evidence.air.others} adverts of other devices: the radio hears" if evidence.air.others else None,
        f"the last update ({update.steps[-1]}) was not verified"
        if update is not None and _bad_update(evidence)
        else None,
    )


@cause(
    "F7",
    title="A custom unit vanished: long range, a long interval, or another firmware",
    remedy="Take the cell out and in, which ends long range mode, and look for a minute.",
    command="mitherm scan --duration 60",
    symptoms=("vanished",),
)
def vanished(evidence: Evidence) -> Proof | None:
    if not _missing(evidence) or _bad_update(evidence) or evidence.says("blank-display"):
        return None
    if not (_was_custom(evidence) or evidence.says("vanished")):
        return None
    known = evidence.known
    return because(
        f"no advert in {evidence.air.listened_s:.0f} s",
        f"{known.family} {known.version or ''} ran when it was last seen".replace("  ", " ")
        if known is not None
        else None,
    )


@cause(
    "F8",
    title="The host shows the services of an earlier firmware (stale cache)",
    remedy="Let the system forget the unit, then connect again; last resort: delete its cache file.",
    command="bluetoothctl remove {unit}",
    symptoms=("no-services",),
    blinding=True,
)
def stale_services(evidence: Evidence) -> Proof | None:
    if evidence.observation is None:
        return None
    custom_air = any(beacon_format.custom for beacon_format in evidence.air.formats)
    family = evidence.observation.family
    known = custom_air or BeaconFormat.MIBEACON in evidence.air.formats
    if not ((custom_air and family is Family.STOCK) or (known and family.strange)):
        return None
    return because(
        f"adverts are {', '.join(sorted(evidence.air.formats))}",
        f"the services are those of {family if family is not Family.UNKNOWN else 'no firmware'}",
        "BlueZ keeps a service table of this unit" if evidence.host.cached else None,
    )


@cause(
    "F11",
    title="The unit asks for a PIN",
    remedy="Pair with its PIN; a stale bond must be removed first. Lost: the wire.",
    command="bluetoothctl pair {unit}",
    symptoms=("pin",),
)
def pin_set(evidence: Evidence) -> Proof | None:
    if evidence.contact is None or not evidence.contact.protected:
        return None
    return because("the unit refuses its command characteristic without pairing", _label(evidence))


@cause(
    "F9",
    title="The connection fails: weak cell, distance, or adapter",
    remedy="Fresh cell, nearer than one metre, a better adapter, one connection at a time.",
    command="mitherm info {unit}",
    symptoms=("gatt-failed",),
)
def weak_link(evidence: Evidence) -> Proof | None:
    contact = evidence.contact
    if contact is None or contact.protected:
        return None
    weak = _weak_cell(evidence)
    if not (weak or contact.problem):
        return None
    far = evidence.air.rssi_dbm is not None and evidence.air.rssi_dbm <= WEAK_DBM
    return because(
        contact.problem,
        *weak,
        f"signal {evidence.air.rssi_dbm} dBm{': too far away' if far else ''}"
        if evidence.air.rssi_dbm is not None
        else None,
        remedy="Put in a fresh cell." if weak else "Go nearer than one metre; a better adapter helps." if far else None,
    )


def _cure(host: Host) -> tuple[str | None, str | None]:
    if host.blocked == "soft":
        return "Bluetooth is blocked by rfkill: unblock it.", "rfkill unblock bluetooth"
    if host.blocked == "hard":
        return "A switch or key of this computer turns Bluetooth off: move it.", "rfkill list bluetooth"
    if host.checked and host.dbus == "denied":
        return _CURES["denied"]
    return _CURES.get(host.problem or "", (None, None))


def _host_facts(host: Host) -> tuple[str | None, ...]:
    if not host.checked:
        return ()
    return (
        f"adapters: {', '.join(host.adapters) or 'none'}",
        f"rfkill: {host.blocked} blocked" if host.blocked else None,
        {"ok": None, "missing": "there is no D-Bus socket", "denied": "the D-Bus socket does not let you in"}[
            host.dbus
        ],
        f"these programs may hold the adapter: {', '.join(host.scanners)}" if host.scanners else None,
    )


def _weak_cell(evidence: Evidence) -> tuple[str, ...]:
    """What shows that the cell gives way under the load of a link."""
    unit, idle = evidence.observation, evidence.air.idle_mv
    if unit is None:
        return ()
    if unit.battery_mv is None:
        low = unit.battery_pct is not None and unit.battery_pct <= LOW_PCT
        return (f"battery {unit.battery_pct} % under the load of the link",) if low else ()
    sags = idle is not None and idle - unit.battery_mv >= SAG_MV
    if unit.battery_mv >= LOW_UNDER_LOAD_MV and not sags:
        return ()
    load = f"supply {unit.battery_mv} mV under the load of the link"
    return (load, f"{idle} mV without it") if idle is not None else (load,)


def _label(evidence: Evidence) -> str | None:
    return f"{evidence.observation.label} runs" if evidence.observation is not None else None


def _missing(evidence: Evidence) -> bool:
    """Not heard, by a radio that works: this computer's must have heard somebody else."""
    air = evidence.air
    return air.listened_s > 0 and not air.heard and (air.others > 0 or not evidence.host.checked)


def _was_custom(evidence: Evidence) -> bool:
    return evidence.known is not None and evidence.known.family is not None and evidence.known.family.custom


def _bad_update(evidence: Evidence) -> bool:
    update = evidence.last_update
    return update is not None and update.outcome not in (Outcome.VERIFIED, Outcome.NOTHING_TO_DO, Outcome.DRY_RUN)
