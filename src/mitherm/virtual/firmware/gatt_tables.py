"""Attribute tables of the custom firmwares (custom-firmware.md 3 and 11.1, mi-auth-gatt.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mitherm.model.gatt import GattTable, Service
from mitherm.protocol import uuids
from mitherm.protocol.uuids import short
from mitherm.virtual.firmware.gatt_stock import APPEARANCE, CONNECTION_PARAMETERS, SERVICE_CHANGED, Layout, lay_out

TEMPERATURE_TENTHS: Final = short(0x2A1F)
TEMPERATURE: Final = short(0x2A6E)
HUMIDITY: Final = short(0x2A6F)

_GAP: Final = (
    uuids.GAP,
    ((uuids.DEVICE_NAME, "rn", 3, ""), (APPEARANCE, "r", 2, ""), (CONNECTION_PARAMETERS, "r", 8, "")),
)
_GATT: Final = (uuids.GATT, ((SERVICE_CHANGED, "id", 4, ""),))
_INFORMATION: Final = (
    uuids.DEVICE_INFORMATION,
    (
        (uuids.MODEL_NUMBER, "r", 11, ""),
        (uuids.SERIAL_NUMBER, "r", 20, ""),
        (uuids.FIRMWARE_REVISION, "r", 15, ""),
        (uuids.HARDWARE_REVISION, "r", 4, ""),
        (uuids.SOFTWARE_REVISION, "r", 4, ""),
        (uuids.MANUFACTURER, "r", 15, ""),
    ),
)
_BATTERY: Final = (uuids.BATTERY, ((uuids.BATTERY_LEVEL, "rnd", 1, ""),))
_OTA: Final = (uuids.OTA_SERVICE, ((uuids.OTA, "rc", 1, "OTA"),))
_MI_SHELL: Final = (uuids.MI_SERVICE, ())

_PVVX_ENVIRONMENT: Final = (
    uuids.ENVIRONMENT,
    ((TEMPERATURE_TENTHS, "rnd", 2, ""), (TEMPERATURE, "rnd", 2, ""), (HUMIDITY, "rnd", 2, "")),
)
_PVVX_COMMANDS: Final = (uuids.CUSTOM_SERVICE, ((uuids.CUSTOM_COMMAND, "rcnd", 20, ""),))

PVVX: Final[Layout] = (_GAP, _GATT, _INFORMATION, _BATTERY, _PVVX_ENVIRONMENT, _OTA, _PVVX_COMMANDS, _MI_SHELL)
ATC1441: Final[Layout] = (
    _GAP,
    _GATT,
    _BATTERY,
    (uuids.ENVIRONMENT, ((TEMPERATURE_TENTHS, "rnd", 2, ""), (HUMIDITY, "rnd", 2, ""))),
    _OTA,
    (uuids.CUSTOM_SERVICE, ((uuids.CUSTOM_COMMAND, "cnd", 1, ""),)),
    _MI_SHELL,
)
_SIX_STRINGS_SINCE: Final = 0x22
_STRINGS_SINCE: Final = 0x15


def pvvx_table(version: int, values: Mapping[str, bytes]) -> GattTable:
    """The table of a pvvx version: no 180A up to 1.4, no serial number up to 2.1 (handles of 1F1F: 0x20, 0x2B, 0x2D)."""
    layout = tuple(row for row in PVVX if row is not _INFORMATION or version >= _STRINGS_SINCE)
    if version < _SIX_STRINGS_SINCE:
        layout = tuple((uuid, tuple(row for row in rows if row[0] != uuids.SERIAL_NUMBER)) for uuid, rows in layout)
    return _with_shell(lay_out(layout, values))


def atc1441_table(values: Mapping[str, bytes]) -> GattTable:
    """The table of atc1441's firmware."""
    return _with_shell(lay_out(ATC1441, values))


def _with_shell(table: GattTable) -> GattTable:
    """The last service holds nothing but a description, which takes one handle."""
    *services, shell = table.services
    ended: Service = replace(shell, end=shell.end + 1)
    return GattTable((*services, ended))
