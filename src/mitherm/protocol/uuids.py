"""Every service and characteristic used, once. 128-bit UUIDs in lower case, as bleak spells them."""

from __future__ import annotations

from typing import Final

_BASE: Final = "-0000-1000-8000-00805f9b34fb"
"""The Bluetooth base UUID behind its first 32 bits."""


def short(number: int) -> str:
    """A 16-bit UUID in its 128-bit form."""
    return f"{number:08x}{_BASE}"


def number_of(uuid: str) -> int | None:
    """The 16-bit UUID in a 128-bit form, None where it is none."""
    return int(uuid[4:8], 16) if uuid.startswith("0000") and uuid.endswith(_BASE) else None


def _mi(number: int) -> str:
    return f"ebe0{number:04x}-7a0a-4b0c-8a1a-6ff2997da3a6"


# Bluetooth SIG
GAP: Final = short(0x1800)
GATT: Final = short(0x1801)
DEVICE_INFORMATION: Final = short(0x180A)
BATTERY: Final = short(0x180F)
ENVIRONMENT: Final = short(0x181A)
DEVICE_NAME: Final = short(0x2A00)
BATTERY_LEVEL: Final = short(0x2A19)
MODEL_NUMBER: Final = short(0x2A24)
SERIAL_NUMBER: Final = short(0x2A25)
FIRMWARE_REVISION: Final = short(0x2A26)
HARDWARE_REVISION: Final = short(0x2A27)
SOFTWARE_REVISION: Final = short(0x2A28)
MANUFACTURER: Final = short(0x2A29)
CCCD: Final = short(0x2902)
USER_DESCRIPTION: Final = short(0x2901)

# Advertising (service data)
ADV_CUSTOM: Final = short(0x181A)
ADV_MIBEACON: Final = short(0xFE95)
ADV_BTHOME2: Final = short(0xFCD2)
ADV_BTHOME1: Final = short(0x181C)
ADV_BTHOME1_ENCRYPTED: Final = short(0x181E)
ADV_QINGPING: Final = short(0xFDCD)

# Telink OTA (telink-ota.md 1)
OTA_SERVICE: Final = "00010203-0405-0607-0809-0a0b0c0d1912"
OTA: Final = "00010203-0405-0607-0809-0a0b0c0d2b12"

# Xiaomi authentication (mi-auth.md 1.2)
MI_SERVICE: Final = short(0xFE95)
MI_VERSION: Final = short(0x0004)
MI_CONTROL: Final = short(0x0010)
MI_PARCELS: Final = short(0x0019)

# Xiaomi vendor service of stock firmware (mi-auth.md 1.4)
STOCK_SERVICE: Final = _mi(0xCCB0)
STOCK_TIME: Final = _mi(0xCCB7)
STOCK_DATA_COUNT: Final = _mi(0xCCB9)
STOCK_INDEX: Final = _mi(0xCCBA)
STOCK_LAST_RECORD: Final = _mi(0xCCBB)
STOCK_RECORDS: Final = _mi(0xCCBC)
STOCK_UNIT: Final = _mi(0xCCBE)
STOCK_MEASUREMENT: Final = _mi(0xCCC1)
STOCK_BATTERY: Final = _mi(0xCCC4)
STOCK_DISCONNECT: Final = _mi(0xCCC8)
STOCK_CLEAR: Final = _mi(0xCCD1)
STOCK_COMFORT: Final = _mi(0xCCD7)
STOCK_INTERVAL: Final = _mi(0xCCD8)
STOCK_DIAGNOSTIC: Final = _mi(0xCCD9)
STOCK_SWITCH: Final = _mi(0xCFF1)

# Custom firmware (custom-firmware.md 2)
CUSTOM_SERVICE: Final = short(0x1F10)
CUSTOM_COMMAND: Final = short(0x1F1F)

# Other families, for identification
QINGPING_SERVICE: Final = "22210000-554a-4546-5542-46534450464d"
ZIGBEE_FACE: Final = short(0xFCD2)
PVVX_TEST: Final = short(0xFFE0)
