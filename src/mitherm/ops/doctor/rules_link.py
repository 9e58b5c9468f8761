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
def radio_unusable(seen: Evidence) -> Proof | None:
    host = seen.host
    if host.problem is not None:
        remedy, command = _cure(host)
        return because(host.message or "the radio cannot be used", *_host_facts(host), remedy=remedy, command=command)
    deaf = seen.air.listened_s > 0 and not seen.air.others and not seen.air.heard
    if deaf and (host.checked or seen.says("nothing-found")):
        return because(f"not one advert of anything in {seen.air.listened_s:.0f} s", *_host_facts(host))
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
def dead(seen: Evidence) -> Proof | None:
    if not _missing(seen) or (_was_custom(seen) and not _bad_update(seen) and not seen.says("blank-display")):
        return None
    update = seen.last_update
    return because(
        f"no advert in {seen.air.listened_s:.0f} s",
        f"{seen.air.others} adverts of other devices: the radio hears" if seen.air.others else None,
        f"the last update ({update.steps[-1]}) was not verified" if update is not None and _bad_update(seen) else None,
    )


@cause(
    "F7",
    title="A custom unit vanished: long range, a long interval, or another firmware",
    remedy="Take the cell out and in, which ends long range mode, and look for a minute.",
    command="mitherm scan --duration 60",
    symptoms=("vanished",),
)
def vanished(seen: Evidence) -> Proof | None:
    if not _missing(seen) or _bad_update(seen) or seen.says("blank-display"):
        return None
    if not (_was_custom(seen) or seen.says("vanished")):
        return None
    known = seen.known
    return because(
        f"no advert in {seen.air.listened_s:.0f} s",
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
def stale_services(seen: Evidence) -> Proof | None:
    if seen.seen is None:
        return None
    custom_air = any(one.custom for one in seen.air.formats)
    family = seen.seen.family
    known = custom_air or BeaconFormat.MIBEACON in seen.air.formats
    if not ((custom_air and family is Family.STOCK) or (known and family.strange)):
        return None
    return because(
        f"adverts are {', '.join(sorted(seen.air.formats))}",
        f"the services are those of {family if family is not Family.UNKNOWN else 'no firmware'}",
        "BlueZ keeps a service table of this unit" if seen.host.cached else None,
    )


@cause(
    "F11",
    title="The unit asks for a PIN",
    remedy="Pair with its PIN; a stale bond must be removed first. Lost: the wire.",
    command="bluetoothctl pair {unit}",
    symptoms=("pin",),
)
def pin_set(seen: Evidence) -> Proof | None:
    if seen.contact is None or not seen.contact.protected:
        return None
    return because("the unit refuses its command characteristic without pairing", _label(seen))


@cause(
    "F9",
    title="The connection fails: weak cell, distance, or adapter",
    remedy="Fresh cell, nearer than one metre, a better adapter, one connection at a time.",
    command="mitherm info {unit}",
    symptoms=("gatt-failed",),
)
def weak_link(seen: Evidence) -> Proof | None:
    contact = seen.contact
    if contact is None or contact.protected:
        return None
    weak = _weak_cell(seen)
    if not (weak or contact.problem):
        return None
    far = seen.air.rssi_dbm is not None and seen.air.rssi_dbm <= WEAK_DBM
    return because(
        contact.problem,
        *weak,
        f"signal {seen.air.rssi_dbm} dBm{': too far away' if far else ''}" if seen.air.rssi_dbm is not None else None,
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


def _weak_cell(seen: Evidence) -> tuple[str, ...]:
    """What shows that the cell gives way under the load of a link."""
    unit, idle = seen.seen, seen.air.idle_mv
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


def _label(seen: Evidence) -> str | None:
    return f"{seen.seen.label} runs" if seen.seen is not None else None


def _missing(seen: Evidence) -> bool:
    """Not heard, by a radio that works: this computer's must have heard somebody else."""
    air = seen.air
    return air.listened_s > 0 and not air.heard and (air.others > 0 or not seen.host.checked)


def _was_custom(seen: Evidence) -> bool:
    return seen.known is not None and seen.known.family is not None and seen.known.family.custom


def _bad_update(seen: Evidence) -> bool:
    update = seen.last_update
    return update is not None and update.outcome not in (Outcome.VERIFIED, Outcome.NOTHING_TO_DO, Outcome.DRY_RUN)
