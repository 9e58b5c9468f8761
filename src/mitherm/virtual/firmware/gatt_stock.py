"""Attribute tables of stock firmware (mi-auth.md 1, mi-auth-gatt.json). Siblings use those of the LYWSD03MMC.

A row is (UUID, flags, length, user description). Flags: r read, w write, c write without response (Command),
n notify, i indicate, d a CCCD. Handles follow from the order: declaration, value, description, CCCD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from mitherm.model.gatt import Characteristic, Descriptor, GattTable, Service
from mitherm.protocol import uuids
from mitherm.protocol.uuids import short

Line: TypeAlias = Literal["0109", "0130", "0159"]
"""The described stock versions; every other one behaves like its nearest below (virtual-unit.md 3)."""

Row: TypeAlias = tuple[str, str, int, str]
Layout: TypeAlias = tuple[tuple[str, tuple[Row, ...]], ...]

CUS1_SERVICE: Final = "8edffff0-3d1b-9c37-4623-ad7265f14076"
CUS1_DATA_COUNT: Final = "8edffff1-3d1b-9c37-4623-ad7265f14076"
CUS1_RECORDS: Final = "8edffff3-3d1b-9c37-4623-ad7265f14076"
CUS1_INDEX: Final = "8edffff4-3d1b-9c37-4623-ad7265f14076"
CUS1_MEASUREMENT: Final = "8edfffef-3d1b-9c37-4623-ad7265f14076"
FACTORY_SERVICE: Final = "fafafa00-fafa-fafa-fafa-fafafafafafa"
FACTORY_STATE: Final = "fafafa01-fafa-fafa-fafa-fafafafafafa"
STDIO_SERVICE: Final = "00000100-0065-6c62-2e74-6f696d2e696d"
STDIO_RX: Final = "00000101-0065-6c62-2e74-6f696d2e696d"
STDIO_TX: Final = "00000102-0065-6c62-2e74-6f696d2e696d"
APPEARANCE: Final = short(0x2A01)
CONNECTION_PARAMETERS: Final = short(0x2A04)
SERVICE_CHANGED: Final = short(0x2A05)

_PROPERTIES: Final = {"r": "read", "w": "write", "c": "write-without-response", "n": "notify", "i": "indicate"}

_GAP: Final = (
    uuids.GAP,
    (
        (uuids.DEVICE_NAME, "rn", 11, ""),
        (APPEARANCE, "r", 2, ""),
        (CONNECTION_PARAMETERS, "r", 8, ""),
    ),
)
_GATT: Final = (uuids.GATT, ((SERVICE_CHANGED, "id", 4, ""),))
_INFORMATION: Final = (
    uuids.DEVICE_INFORMATION,
    (
        (uuids.MODEL_NUMBER, "r", 11, ""),
        (uuids.SERIAL_NUMBER, "r", 20, ""),
        (uuids.FIRMWARE_REVISION, "r", 11, ""),
        (uuids.HARDWARE_REVISION, "r", 4, ""),
        (uuids.SOFTWARE_REVISION, "r", 5, ""),
        (uuids.MANUFACTURER, "r", 15, ""),
    ),
)
_BATTERY: Final = (uuids.BATTERY, ((uuids.BATTERY_LEVEL, "rnd", 1, ""),))
_OTA: Final = (uuids.OTA_SERVICE, ((uuids.OTA, "rc", 1, "OTA"),))
_OTA_0159: Final = (uuids.OTA_SERVICE, ((uuids.OTA, "rcnd", 1, "OTA"),))
_SWITCH: Final = (uuids.STOCK_SWITCH, "rw", 1, "fun switch")
_STDIO: Final = (STDIO_SERVICE, ((STDIO_RX, "cd", 20, "STDIO_RX"), (STDIO_TX, "nd", 20, "STDIO_TX")))
_FACTORY: Final = (FACTORY_SERVICE, ((FACTORY_STATE, "rw", 4, "factory state"),))
_CUS1: Final = (
    CUS1_SERVICE,
    (
        (CUS1_DATA_COUNT, "r", 8, "Cus1 Data Count"),
        (CUS1_RECORDS, "nd", 14, "Cus1 Data Notify"),
        (CUS1_INDEX, "rw", 4, "Cus1 Index"),
        (CUS1_MEASUREMENT, "rnd", 5, "Cus1 Temperature and Humidity"),
    ),
)
_MI: Final = (
    uuids.MI_SERVICE,
    (
        (uuids.MI_VERSION, "r", 20, "Version"),
        (uuids.MI_CONTROL, "cnd", 4, "Authentication"),
        (short(0x0017), "wnd", 20, "ota_ctrl"),
        (short(0x0018), "cnd", 20, "ota_data"),
        (uuids.MI_PARCELS, "cnd", 20, "standard"),
    ),
)
_MI_0159: Final = (
    uuids.MI_SERVICE,
    (
        *((uuid, flags, length, "") for uuid, flags, length, _ in _MI[1]),
        (short(0x001A), "cnd", 10, ""),
        (short(0x001B), "cnd", 10, ""),
        (short(0x001C), "cnd", 10, ""),
    ),
)


def _vendor(measurement_length: int, *more: Row) -> tuple[str, tuple[Row, ...]]:
    return (
        uuids.STOCK_SERVICE,
        (
            (uuids.STOCK_TIME, "rw", 4, "Time"),
            (uuids.STOCK_DATA_COUNT, "r", 8, "Data Count"),
            (uuids.STOCK_INDEX, "rw", 4, "Index"),
            (uuids.STOCK_LAST_RECORD, "r", 14, "Data Read"),
            (uuids.STOCK_RECORDS, "nd", 14, "Data Notify"),
            (uuids.STOCK_UNIT, "rw", 1, "Temperature Uint"),
            (uuids.STOCK_MEASUREMENT, "rnd", measurement_length, "Temperature and Humidity"),
            (uuids.STOCK_BATTERY, "r", 1, "Batt"),
            (uuids.STOCK_DISCONNECT, "w", 4, "disconnect"),
            (uuids.STOCK_CLEAR, "w", 4, "clear data"),
            (uuids.STOCK_COMFORT, "rw", 6, "comfortable temp and humi"),
            (uuids.STOCK_INTERVAL, "w", 2, "set conn interval"),
            (uuids.STOCK_DIAGNOSTIC, "wnd", 1, "para_value_get"),
            *more,
        ),
    )


LAYOUTS: Final[Mapping[Line, Layout]] = {
    "0109": (_GAP, _GATT, _INFORMATION, _BATTERY, _OTA, _vendor(3), _MI, _STDIO),
    "0130": (_GAP, _GATT, _INFORMATION, _BATTERY, _OTA, _vendor(5, _SWITCH), _CUS1, _MI, _STDIO),
    "0159": (_GAP, _GATT, _INFORMATION, _OTA_0159, _vendor(5, _SWITCH), _FACTORY, _CUS1, _MI_0159),
}


PLAYED: Final = ("LYWSD03MMC", "MHO-C401", "MJWSD05MMC", "MJWSD06MMC")
"""Models whose stock can be played. The siblings' tables were not published; they share its services and SDK (D)."""


def line_of(version: str) -> Line:
    """The described version that `version` (d.d.d_dddd) behaves like."""
    if not version.startswith(("0.", "1.")):
        return "0159"
    return "0109" if version.startswith("0.") or version[-4:] <= "0109" else "0130"


def stock_table(version: str, *, model: str = "LYWSD03MMC", serial: bytes, hardware: bytes) -> GattTable:
    """The table of a running stock firmware; `version`, `serial` and `hardware` as read from 2A26, 2A25 and 2A27."""
    line = line_of(version)
    values = {
        uuids.DEVICE_NAME: model.encode() + b"\0",
        APPEARANCE: bytes(2),
        CONNECTION_PARAMETERS: bytes.fromhex("140028000000e803"),
        uuids.MODEL_NUMBER: model.encode() + b"\0",
        uuids.SERIAL_NUMBER: serial,
        uuids.FIRMWARE_REVISION: version.encode() + b"\0",
        uuids.HARDWARE_REVISION: hardware,
        uuids.SOFTWARE_REVISION: version[-4:].encode() + b"\0",
        uuids.MANUFACTURER: b"miaomiaoce.com\0",
    }
    return lay_out(LAYOUTS[line], values)


def lay_out(layout: Layout, values: Mapping[str, bytes]) -> GattTable:
    """Give every attribute its handle, from 1 up without gaps; a characteristic with a value has that length."""
    services = []
    handle = 1
    for uuid, rows in layout:
        start = handle
        characteristics = []
        handle += 1
        for row in rows:
            characteristic = _characteristic(row, handle + 1, values.get(row[0], b""))
            characteristics.append(characteristic)
            handle += 2 + len(characteristic.descriptors)
        services.append(Service(uuid, tuple(characteristics), start, handle - 1))
    return GattTable(tuple(services))


def _characteristic(row: Row, handle: int, value: bytes) -> Characteristic:
    uuid, flags, length, text = row
    descriptors = [Descriptor(uuids.USER_DESCRIPTION, value=text.encode())] if text else []
    if "d" in flags:
        descriptors.append(Descriptor(uuids.CCCD))
    return Characteristic(
        uuid,
        frozenset(_PROPERTIES[flag] for flag in flags if flag != "d"),
        handle,
        tuple(replace(item, handle=handle + 1 + place) for place, item in enumerate(descriptors)),
        value,
        len(value) or length,
    )
