"""Names behind numbers: pvvx device ids and Xiaomi product ids (custom-firmware.md 4.2, beacons.md 6.2)."""

from __future__ import annotations

from typing import Final

LYWSD03MMC: Final = "LYWSD03MMC"

PVVX_DEVICES: Final = {
    0x0A: LYWSD03MMC,
    1: "MHO-C401",
    2: "CGG1",
    6: "CGDK2",
    7: "CGG1",
    8: "MHO-C401",
    9: "MJWSD05MMC",
    11: "MHO-C122",
    12: "MJWSD05MMC",
    13: "MJWSD06MMC",
    16: "TB-03F",
    17: "TS0201",
    18: "TNK01",
    22: "TH03Z",
    27: "ZTH01",
    28: "ZTH02",
    29: "PLM1",
    30: "TH03",
    31: "LKTMZL02",
    33: "ZTH05",
    37: "ZY-ZTH02",
    38: "ZY-ZTH02Pro",
    39: "ZG-227Z",
    44: "ZG-303Z",
    45: "ZBeacon-TH01",
    46: "ZBeacon-MC",
    47: "ZBeacon-TH01",
    49: "LYWSD02MMC",
    51: "ZG-204ZV",
}
"""Low byte of the image type of a pvvx build to the model; one model may have several builds."""

PRODUCTS: Final = {
    0x055B: LYWSD03MMC,
    0x0863: "SJWS01LM",
    0x0387: "MHO-C401",
    0x0B48: "CGG1",
    0x066F: "CGDK2",
    0x2832: "MJWSD05MMC",
    0x4C47: "MJWSD05MMC",
    0x55B5: "MJWSD06MMC",
    0x5BEA: "MJWSD06MMC",
    0x16E4: "LYWSD02MMC",
}
"""Product id (Mi tail, MiBeacon) to the model."""


def pvvx_device(model: str) -> int | None:
    """The first device id whose build is for `model`."""
    return next((number for number, name in PVVX_DEVICES.items() if name == model), None)


def product(model: str) -> int | None:
    """The first product id of `model`."""
    return next((number for number, name in PRODUCTS.items() if name == model), None)
