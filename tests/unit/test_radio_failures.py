"""What goes wrong below bleak, told in our words."""

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from mitherm.errors import (
    AttRefused,
    CharacteristicMissing,
    DeviceNotFound,
    LinkError,
    LinkLost,
    RadioUnavailable,
)
from mitherm.radio.failures import translate, translate_scan
from mitherm.radio.quirks import client_arguments, scan_arguments, unavailable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BleakGATTProtocolError(3), AttRefused),
        (BleakCharacteristicNotFoundError("2a19"), CharacteristicMissing),
        (BleakDeviceNotFoundError("A4:C1:38:00:00:01"), DeviceNotFound),
        (BleakError("Not connected"), LinkLost),
        (BleakError("Service Discovery has not been performed yet"), LinkLost),
        (BleakError("failed to discover services, device disconnected"), LinkLost),
        (BleakDBusError("org.bluez.Error.NotConnected", ["Not Connected"]), LinkLost),
        (BleakDBusError("org.bluez.Error.Failed", ["Failed to initiate write"]), LinkError),
        (BleakDBusError("org.bluez.Error.InProgress", ["busy"]), LinkError),
    ],
)
def test_failures_of_a_link(error: Exception, kind: type[Exception]) -> None:
    """Each becomes exactly one of our link errors."""
    assert type(translate(error)) is kind


def test_the_code_of_a_refusal_is_kept() -> None:
    """The ATT error code arrives."""
    refused = translate(BleakGATTProtocolError(0x81))
    assert isinstance(refused, AttRefused)
    assert refused.code == 0x81


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BleakBluetoothNotAvailableError("none", BleakBluetoothNotAvailableReason.NO_BLUETOOTH), "no-adapter"),
        (BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF), "off"),
        (BleakBluetoothNotAvailableError("no", BleakBluetoothNotAvailableReason.DENIED_BY_USER), "denied"),
        (BleakBluetoothNotAvailableError("?", BleakBluetoothNotAvailableReason.UNKNOWN), "unknown"),
        (BleakError("adapter 'hci7' not found"), "no-adapter"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", ["policy"]), "denied"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", ["bluez"]), "no-service"),
        (BleakDBusError("org.bluez.Error.InProgress", ["busy"]), "busy"),
        (BleakError("Failed to start scanner."), "unknown"),
        (FileNotFoundError(2, "No such file or directory"), "no-service"),
        (PermissionError(13, "denied"), "denied"),
        (EOFError(), "no-service"),
        (TimeoutError(), "unknown"),
    ],
)
def test_an_unusable_radio(error: Exception, reason: str) -> None:
    """Exit code 6, a reason, and how to go on without a radio."""
    found = translate_scan(error)
    assert isinstance(found, RadioUnavailable)
    assert (found.reason, found.exit_code) == (reason, 6)
    assert "virtual" in (found.hint or "")


def test_bugs_are_not_hidden() -> None:
    """What is no failure of a radio has no translation."""
    assert translate(TypeError("a bug")) is None
    assert translate_scan(KeyError("a bug")) is None


@pytest.mark.parametrize(
    ("reason", "system", "word"),
    [
        ("off", "linux", "rfkill"),
        ("denied", "darwin", "Privacy"),
        ("no-service", "linux", "systemctl"),
        ("busy", "linux", "hci1"),
    ],
)
def test_remedies_fit_the_system(reason: str, system: str, word: str) -> None:
    """The hint names what helps on this system."""
    assert word in (unavailable("x", reason, system).hint or "")


def test_arguments_for_bleak() -> None:
    """Adapters are named to BlueZ; old macOS gets a filter; Windows must not use its cache."""
    assert scan_arguments("hci1", "linux") == {"bluez": {"adapter": "hci1"}}
    assert scan_arguments(None, "linux") == {}
    assert "service_uuids" in scan_arguments(None, "darwin", "12.1")
    assert scan_arguments(None, "darwin", "14.5") == {}
    assert client_arguments(None) == {"winrt": {"use_cached_services": False}}
