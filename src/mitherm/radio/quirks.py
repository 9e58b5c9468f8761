"""What differs between operating systems, as data: arguments for bleak, and what a person can do about a failure."""

from __future__ import annotations

import platform
import sys
from typing import Any, Final

from mitherm.errors import RadioUnavailable
from mitherm.protocol import uuids

_REMEDIES: Final[dict[tuple[str, str], str]] = {
    (
        "no-adapter",
        "linux",
    ): "`bluetoothctl list` shows the adapters; in a virtual machine or container pass one through.",
    ("no-adapter", "darwin"): "This computer has no Bluetooth LE radio, or it is disabled.",
    ("no-adapter", "win32"): "Device Manager must list a Bluetooth LE adapter.",
    ("no-service", "linux"): (
        "The Bluetooth service is not reachable: install bluez, then `sudo systemctl start bluetooth`; "
        "in a container mount /run/dbus/system_bus_socket read-only."
    ),
    ("off", "linux"): "Bluetooth is switched off: `rfkill unblock bluetooth`, then `bluetoothctl power on`.",
    ("off", "darwin"): "Switch Bluetooth on in Control Centre.",
    ("off", "win32"): "Switch Bluetooth on in Settings.",
    ("denied", "linux"): (
        "The D-Bus policy keeps you from BlueZ: `sudo usermod -aG bluetooth $USER` and log in again; "
        "in a user namespace set BLEAK_DBUS_AUTH_UID."
    ),
    ("denied", "darwin"): (
        "Allow your terminal program under Privacy & Security, Bluetooth; the question never appears over SSH."
    ),
    ("denied", "win32"): "Allow apps to use radios under Privacy & security.",
    (
        "busy",
        "linux",
    ): "Another program scans or connects with this adapter: end it, or pick another one, as in `--radio system:hci1`.",
}
"""(reason, sys.platform) to remedy."""
_NEEDS_SERVICE_FILTER: Final = ("12.0", "12.1", "12.2")
"""macOS releases that report nothing without service UUIDs in the scan call (product-needs.md 4.3)."""
_ADVERTISED: Final = (
    uuids.ADV_CUSTOM,
    uuids.ADV_MIBEACON,
    uuids.ADV_BTHOME2,
    uuids.ADV_BTHOME1,
    uuids.ADV_BTHOME1_ENCRYPTED,
    uuids.ADV_QINGPING,
)


def unavailable(message: str, reason: str, system: str = sys.platform) -> RadioUnavailable:
    """The error with this system's remedy, and the way to go without a radio."""
    remedy = _REMEDIES.get((reason, system))
    hint = f"{remedy} {RadioUnavailable.default_hint}" if remedy else None
    return RadioUnavailable(message, reason=reason, hint=hint)


def scan_arguments(adapter: str | None, system: str = sys.platform, release: str | None = None) -> dict[str, Any]:
    """Keyword arguments of BleakScanner."""
    if system == "darwin":
        release = platform.mac_ver()[0] if release is None else release
        return {"service_uuids": list(_ADVERTISED)} if release.startswith(_NEEDS_SERVICE_FILTER) else {}
    return {"bluez": {"adapter": adapter}} if adapter else {}


def client_arguments(adapter: str | None) -> dict[str, Any]:
    """Keyword arguments of BleakClient. Windows shows the services of the firmware before the last unless told not to."""
    arguments: dict[str, Any] = {"winrt": {"use_cached_services": False}}
    if adapter:
        arguments["bluez"] = {"adapter": adapter}
    return arguments
