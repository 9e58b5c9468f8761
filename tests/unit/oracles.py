"""xiaomi-ble and bthome-ble as test oracles: what Home Assistant would say about a frame."""

import logging
from typing import Any

from bthome_ble import BTHomeBluetoothDeviceData
from home_assistant_bluetooth import BluetoothServiceInfo
from xiaomi_ble import XiaomiBluetoothDeviceData


class _Info(BluetoothServiceInfo):
    """With the time of arrival that bthome-ble asks for."""

    time = 0.0


logging.getLogger("xiaomi_ble").setLevel(logging.CRITICAL)
logging.getLogger("bthome_ble").setLevel(logging.CRITICAL)


def xiaomi(mac: str, data: bytes, key: bytes | None = None) -> dict[str, Any]:
    """xiaomi-ble's values of one frame, by its own keys."""
    return _values(XiaomiBluetoothDeviceData(bindkey=key), mac, 0xFE95, data)


def bthome(mac: str, uuid: int, data: bytes, key: bytes | None = None) -> dict[str, Any]:
    """bthome-ble's values of one frame, by its own keys; events as their type."""
    return _values(BTHomeBluetoothDeviceData(bindkey=key), mac, uuid, data)


def _values(parser: Any, mac: str, uuid: int, data: bytes) -> dict[str, Any]:
    full = f"{uuid:08x}-0000-1000-8000-00805f9b34fb"
    found = parser.update(_Info("x", mac, -60, {}, {full: data}, [], ""))
    values = {key.key: value.native_value for key, value in found.entity_values.items()}
    values |= {key.key: value.native_value for key, value in found.binary_entity_values.items()}
    values |= {key.key: value.event_type for key, value in found.events.items()}
    values.pop("signal_strength", None)
    return values
