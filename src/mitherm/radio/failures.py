"""What exceptions of bleak, D-Bus and the operating system mean."""

from __future__ import annotations

from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from mitherm.errors import AttRefused, CharacteristicMissing, DeviceNotFound, LinkError, LinkLost, MithermError
from mitherm.radio.quirks import unavailable

_REASONS: Final = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: "no-adapter",
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: "no-adapter",
    BleakBluetoothNotAvailableReason.POWERED_OFF: "off",
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: "denied",
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: "denied",
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: "denied",
}
_DBUS_REASONS: Final = {
    "org.freedesktop.DBus.Error.AccessDenied": "denied",
    "org.freedesktop.DBus.Error.ServiceUnknown": "no-service",
    "org.freedesktop.DBus.Error.NameHasNoOwner": "no-service",
    "org.freedesktop.DBus.Error.Spawn.ServiceNotFound": "no-service",
    "org.bluez.Error.NotReady": "off",
}
IN_PROGRESS: Final = "org.bluez.Error.InProgress"
_NOT_CONNECTED: Final = ("not connected", "disconnected", "service discovery has not been performed", "unreachable")


def translate(error: Exception) -> MithermError | None:
    """The error of ours, or None for what is no failure of the radio."""
    match error:
        case MithermError():
            return error
        case BleakGATTProtocolError():
            return AttRefused(f"the unit refused: {error.args[1]}", code=int(error.code))
        case BleakCharacteristicNotFoundError():
            return CharacteristicMissing(f"the unit has no characteristic {error.char_specifier}")
        case BleakDeviceNotFoundError():
            return DeviceNotFound(f"{error.identifier} was not seen")
        case BleakBluetoothNotAvailableError():
            return unavailable(str(error.args[0]), _REASONS.get(error.reason, "unknown"))
        case BleakDBusError():
            return _from_dbus(error)
        case BleakError():
            return _from_text(str(error))
        case _:
            return _from_system(error)


def translate_scan(error: Exception) -> MithermError | None:
    """The same for scanning, where everything means that the radio cannot be used."""
    if isinstance(error, BleakDBusError) and error.dbus_error == IN_PROGRESS:
        return unavailable("the adapter is in use by another program", "busy")
    if isinstance(error, TimeoutError):
        return unavailable("the Bluetooth service does not answer", "unknown")
    translation = translate(error)
    return unavailable(translation.message, "unknown") if isinstance(translation, LinkError) else translation


def _from_dbus(error: BleakDBusError) -> MithermError:
    reason = _DBUS_REASONS.get(error.dbus_error)
    if reason is not None:
        return unavailable(str(error), reason)
    if error.dbus_error == "org.bluez.Error.NotConnected":
        return LinkLost()
    return LinkError(str(error))


def _from_text(text: str) -> MithermError:
    """bleak tells some things in words only."""
    lower = text.lower()
    if lower.startswith("adapter '") and lower.endswith("not found"):
        return unavailable(text, "no-adapter")
    return LinkLost(text) if any(part in lower for part in _NOT_CONNECTED) else LinkError(text)


def _from_system(error: Exception) -> MithermError | None:
    """Without a D-Bus socket bleak lets the bare OSError through (test-rig.md 4.1)."""
    match error:
        case PermissionError():
            return unavailable("the Bluetooth service refused the connection", "denied")
        case FileNotFoundError() | ConnectionRefusedError() | EOFError():
            return unavailable("there is no Bluetooth service on this computer", "no-service")
        case OSError():
            return unavailable(f"the radio failed: {error}", "unknown")
        case _ if type(error).__module__.partition(".")[0] == "dbus_fast":
            return unavailable(f"the Bluetooth service failed: {error}", "no-service")
        case _:
            return None
