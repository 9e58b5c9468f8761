"""The models: LYWSD03MMC and its siblings, with what is known about each. Everybody who decides by model asks here.

A row is one board with a pvvx build of its own, so a product that was redesigned has two (MHO-C401 of 2020 and 2022).
Sources: custom-firmware.md 4.2, 4.4; telink-ota.md 5, 6, 8, 10; beacons.md 6.2; mi-auth.md 5.3; firmware-catalogue.json.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mitherm.model.address import XIAOMI_OUI, Address

LYWSD03MMC: Final = "LYWSD03MMC"
BANK: Final = 0x20000
"""128 KiB: most an image, its tail and padding may have where two banks lie one behind the other (telink-ota.md 5.7)."""
LARGE_BANK: Final = 0x25000
"""148 KiB: stock MJWSD05MMC and MJWSD06MMC, whose second bank begins at 0x40000."""
_SECOND_LARGE_BANK: Final = 0x40000
EXTENDED_SINCE: Final = (4, 6)
"""pvvx version from which clients offer the extended update; some hardware always had it (telink-ota.md 7)."""
EXTENDED_BY: Final = "pvvx {}.{} or newer".format(*EXTENDED_SINCE)
"""For sentences."""
_ANY_BOARD: Final = 0x055B
_VERSION_DIGITS: Final = 4
_PREFIX: Final = 4
"""Characters of every prefix: ATC_, TH1-"""


class Gate(StrEnum):
    """What stock firmware wants before it takes an update over Telink OTA (telink-ota.md 6)."""

    NONE = "none"
    """Anybody may update it."""
    WHEN_BOUND = "when-bound"
    """A login once the unit is bound; the exact condition is not known."""
    LOGIN = "login"
    """A login in the same connection, always."""


class Display(StrEnum):
    """What a board shows its readings on; decides whether a foreign pvvx build leaves the radio alive."""

    LCD = "lcd"
    E_INK = "e-ink"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stock:
    """Stock firmware of a board, a group of versions that behave alike."""

    versions: tuple[str, ...]
    """Known ones, in full (1.0.0_0130)."""
    gate: Gate | None
    """None: no Telink OTA, only a wire changes this unit."""
    strict: bool = True
    """Checks the boot magic with the first block: variant X2, else X1 (telink-ota.md 5)."""
    limit_s: float = 5.0
    """Inactivity limit of an update."""
    locked_limit_s: float | None = None
    """The same before a login, where it is shorter."""
    generation: int | None = None
    """Registration: 1 can be activated without the vendor's cloud, 2 cannot; None = not known."""
    refuses_unsigned: bool = False
    """Takes only images that carry the vendor's signature."""
    bank_size: int = BANK
    """What one bank holds: no longer image may be sent."""
    second_bank: int = BANK
    short_version: bool = False
    """2A26 holds the last four digits only."""

    @property
    def supports_ota(self) -> bool:
        """Whether an image can be sent over the air at all."""
        return self.gate is not None

    def needs_login(self, bound: bool | None) -> bool:
        """Whether an update wants a login; `bound` None counts as bound."""
        return self.gate is Gate.LOGIN or (self.gate is Gate.WHEN_BOUND and bound is not False)

    def begins_by(self, version: str) -> bool:
        """Whether `version` is none from before this group; a group without known versions takes any."""
        return not self.versions or version_key(self.versions[0]) <= version_key(version)

    def runs(self, version: str) -> bool:
        """Whether `version`, in full or in its last four digits, is one of these."""
        return any(version in (listed, listed[-_VERSION_DIGITS:]) for listed in self.versions)


@dataclass(frozen=True, slots=True)
class Model:
    """One board. `device_id` and `prefix` are None where there is no pvvx build."""

    name: str
    """As firmware and images call it; two boards of one product share it."""
    device_id: int | None = None
    """Low byte of the image type of its pvvx build; what command 00 answers, except on the LYWSD03MMC."""
    prefix: str | None = None
    """Beginning of the name pvvx gives a unit."""
    board: str = ""
    """What tells boards of one name apart."""
    alias: str | None = None
    """Another name, which means this board and no other."""
    products: tuple[int, ...] = ()
    """Product ids in MiBeacon frames of stock and in signature tails."""
    mi_product: int = _ANY_BOARD
    """Product id pvvx sends in Mi mode."""
    advert_names: tuple[str, ...] = ()
    """What stock calls itself on the air."""
    vendor: str = "xiaomi"
    stock: tuple[Stock, ...] = ()
    """Oldest first; empty where stock is not on Bluetooth or nothing is known."""
    hardware_ids: tuple[int, ...] = ()
    """What pvvx reports for it (custom-firmware.md 4.2)."""
    sensors: tuple[str, ...] = ()
    display: Display = Display.UNKNOWN
    identity: str = ""
    """Hardware (4) and serial (20) string of a typical unit; empty where none was published."""
    identity_at: int = 0x55000

    @property
    def label(self) -> str:
        """MHO-C401 (2022)"""
        return f"{self.name} ({self.board})" if self.board else self.name

    @property
    def ids(self) -> tuple[int, ...]:
        """Hardware ids by which pvvx tells this board."""
        return self.hardware_ids or (() if self.device_id is None else (self.device_id,))

    def stock_of(self, version: str | None) -> Stock | None:
        """The group a version belongs to: a known one, else by its age; None without facts."""
        if not self.stock:
            return None
        groups = [group for group in self.stock if version is not None and group.runs(version)]
        older = [group for group in self.stock if version is not None and group.begins_by(version)]
        return (groups or older[-1:] or [self.stock[0]])[0]


_LYWSD03_STOCK: Final = (
    Stock(("1.0.0_0109", "1.0.0_0130"), Gate.LOGIN, strict=False, generation=1),
    Stock(("2.1.1_0159",), Gate.LOGIN, generation=2, refuses_unsigned=True),
)


def _c401(version: str) -> tuple[Stock, ...]:
    return (Stock((version,), Gate.NONE, strict=False, generation=1),)


def _mjwsd(version: str) -> tuple[Stock, ...]:
    return (
        Stock(
            (version,),
            Gate.LOGIN,
            locked_limit_s=1.0,
            generation=2,
            bank_size=LARGE_BANK,
            second_bank=_SECOND_LARGE_BANK,
            short_version=True,
        ),
    )


MODELS: Final = (
    Model(
        LYWSD03MMC,
        10,
        "ATC_",
        products=(0x055B,),
        advert_names=("LYWSD03MMC",),
        stock=_LYWSD03_STOCK,
        hardware_ids=(0, 3, 4, 5, 10, 14),
        sensors=("SHTC3", "SHT4x"),
        display=Display.LCD,
        identity="B1.4F1.0-CFMK-LB-ZCXTJ--",
    ),
    Model(
        "MHO-C401",
        1,
        "MHO_",
        board="2020",
        products=(0x0387,),
        mi_product=0x0387,
        advert_names=("MHO-C401",),
        stock=_c401("1.0.0_0010"),
        sensors=("SHTC3",),
        display=Display.E_INK,
        identity="V_14G-19-000000000000000",
    ),
    Model(
        "CGG1",
        2,
        "CGG_",
        board="2020/2021",
        products=(0x0B48, 0x0347),
        mi_product=0x0B48,
        advert_names=("Qingping Temp & RH M",),
        vendor="qingping",
        stock=(Stock(("1.0.1_0093",), Gate.WHEN_BOUND),),
        sensors=("SHTC3",),
        display=Display.E_INK,
    ),
    Model(
        "CGDK2",
        6,
        "CGD_",
        products=(0x066F,),
        mi_product=0x066F,
        advert_names=("Qingping Temp RH Lite",),
        vendor="qingping",
        stock=(Stock(("1.1.1_0210", "1.1.1_0217", "1.1.1_0223"), Gate.WHEN_BOUND, generation=2),),
        sensors=("SHTC3",),
        display=Display.LCD,
    ),
    Model(
        "CGG1",
        7,
        "CGG_",
        board="2022",
        alias="CGG1M",
        products=(0x0B48,),
        mi_product=0x0B48,
        advert_names=("Qingping Temp RH M",),
        vendor="qingping",
        stock=(Stock(("1.1.1_0221",), Gate.WHEN_BOUND, generation=2),),
        sensors=("SHTC3",),
        display=Display.E_INK,
    ),
    Model(
        "MHO-C401",
        8,
        "MHO_",
        board="2022",
        alias="MHO-C401N",
        products=(0x0387,),
        mi_product=0x0387,
        advert_names=("MHO-C401",),
        stock=_c401("1.0.0_0016"),
        sensors=("SHTC3",),
        display=Display.E_INK,
        identity="V_14G-19-000000000000000",
    ),
    Model(
        "MJWSD05MMC",
        9,
        "BTH_",
        board="Chinese",
        products=(0x2832,),
        mi_product=0x2832,
        advert_names=("MJWSD05MMC",),
        stock=_mjwsd("2.0.0_0026"),
        sensors=("SHT4x",),
        display=Display.LCD,
        identity="V2.3F2.0-CFMK-LB-TMDZ---",
        identity_at=0x7D000,
    ),
    Model("MHO-C122", 11, "MHO_", vendor="tuya", stock=(Stock((), None),), sensors=("SHTC3",), display=Display.LCD),
    Model(
        "MJWSD05MMC",
        12,
        "BTE_",
        board="international",
        alias="MJWSD05MMC_EN",
        products=(0x4C47,),
        mi_product=0x4C47,
        advert_names=("MJWSD05MMC",),
        stock=_mjwsd("2.0.0_0005"),
        sensors=("SHT4x",),
        display=Display.LCD,
        identity="V2.3F2.0-JY-LB-TMDZ-HW--",
        identity_at=0x7D000,
    ),
    Model(
        "MJWSD06MMC",
        13,
        "MJ6_",
        products=(0x55B5, 0x5BEA),
        mi_product=0x55B5,
        advert_names=("MJWSD06MMC",),
        stock=_mjwsd("2.1.1_0009"),
        sensors=("SHT4x",),
        display=Display.LCD,
    ),
    Model("TB-03F", 16, "DIY_"),
    Model("TS0201", 17, "TS0_"),
    Model("TNK01", 18, "TNK_"),
    Model("TH03Z", 22, "TH0_"),
    Model("ZTH01", 27, "ZTH_"),
    Model("ZTH02", 28, "ZTH_"),
    Model("PLM1", 29, "PLM_"),
    Model("TH03", 30, "TH3_", sensors=("SHT4x", "SHTC3"), display=Display.LCD),
    Model("LKTMZL02", 31, "ZL2_"),
    Model("ZTH05", 33, "TH5_"),
    Model("ZY-ZTH02", 37, "ZY2_"),
    Model("ZY-ZTH02Pro", 38, "ZYP_"),
    Model("ZG-227Z", 39, "ZG2_"),
    Model("ZG-303Z", 44, "ZG3_"),
    Model("ZBeacon-TH01", 45, "TH1-"),
    Model("ZBeacon-MC", 46, "ZBM-"),
    Model("ZBeacon-TH01", 47, "TH1-", board="v2.0"),
    Model(
        "LYWSD02MMC",
        49,
        "D02_",
        products=(0x16E4, 0x2542),
        advert_names=("LYWSD02MMC",),
        stock=(Stock(("2.0.1_0021",), None),),
        sensors=("SHT4x",),
    ),
    Model("ZG-204ZV", 51, "ZGV_"),
    Model("SJWS01LM", products=(0x0863,), stock=(Stock(("1.1.1_0018",), Gate.LOGIN, generation=2),)),
    Model(
        "CGPR1",
        advert_names=("Qingping Motion & Light",),
        vendor="qingping",
        stock=(Stock(("1.1.1_0228",), Gate.WHEN_BOUND),),
    ),
    Model("CGD1", products=(0x0576,), vendor="qingping"),
    Model("CGC1", products=(0x0C3C,), vendor="qingping"),
    Model("CGDK3", products=(0x4F59,), vendor="qingping"),
    Model("LYWSD02", products=(0x045B,)),
    Model("LYWSDCGQ", products=(0x01AA,)),
    Model("MHO-C303", products=(0x06D3,)),
    Model("XMWSDJ04MMC", products=(0x1203,)),
    Model("MBS17", products=(0x5DB1,)),
    Model("ESM787", products=(0x78DB,)),
)
"""Rows without a pvvx build are there to be recognised; nothing is offered for them."""

PVVX_DEVICES: Final = {model.device_id: model.name for model in MODELS if model.device_id is not None}
"""Low byte of the image type of a pvvx build to the model."""

PRODUCTS: Final = {number: model.name for model in MODELS for number in model.products}
"""Product id (Mi tail, MiBeacon) to the model."""

_PREFIXES: Final = frozenset(model.prefix for model in MODELS if model.prefix is not None)

QINGPING_TYPES: Final = {0x01: "CGG1", 0x07: "CGG1", 0x16: "CGG1", 0x10: "CGDK2", 0x0C: "CGD1"}
"""Device type in Qingping's own beacons (beacons.md 5)."""


def of_device(device_id: int | None) -> Model | None:
    """The board of a pvvx build."""
    return next((model for model in MODELS if device_id is not None and model.device_id == device_id), None)


def of_hardware(hardware_id: int | None) -> Model | None:
    """The board that pvvx found."""
    return next((model for model in MODELS if hardware_id is not None and hardware_id in model.ids), None)


def boards(name: str | None) -> tuple[Model, ...]:
    """The board with this alias, else all boards of this name."""
    by_alias = tuple(model for model in MODELS if name is not None and model.alias == name)
    return by_alias or tuple(model for model in MODELS if model.name == name)


def candidates(name: str | None, *, version: str | None = None, hardware_id: int | None = None) -> tuple[Model, ...]:
    """The boards a unit may have: by what pvvx found, by its stock version, else all of its name."""
    candidates = boards(name)
    by_id = tuple(model for model in candidates if hardware_id is not None and hardware_id in model.ids)
    by_version = tuple(
        model for model in candidates if version is not None and any(group.runs(version) for group in model.stock)
    )
    return by_id or by_version or candidates


def board(name: str | None, *, version: str | None = None, hardware_id: int | None = None) -> Model | None:
    """The first of the candidates: enough where boards of one name do not differ."""
    return next(iter(candidates(name, version=version, hardware_id=hardware_id)), None)


def same_model(one: str, other: str) -> bool:
    """Whether two names mean the same product: CGG1M is a CGG1."""
    return bool({model.name for model in boards(one)} & {model.name for model in boards(other)}) or one == other


def version_key(version: str) -> tuple[int, ...]:
    """Numbers of a version, for comparison: 1.0.0_0130 -> (1, 0, 0, 130)."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def generation(boards: tuple[Model, ...], version: str) -> int | None:
    """Registration of a stock version: 1 can be activated without the vendor's cloud, 2 cannot; None = not known."""
    group = boards[0].stock_of(version) if boards else None
    if group is not None:
        return group.generation
    return 2 if account_line(version) else 1


def account_line(version: str) -> bool:
    """Whether stock of this version is of the line that takes keys from the vendor's account alone (mi-auth.md 5.3)."""
    return not version.startswith(("0.", "1."))


def same_version(model: str | None, other: str | None) -> bool:
    """Whether two readings mean one version: MJWSD models tell 0009 of 2.1.1_0009."""
    if model is None or other is None:
        return model == other
    short, full = sorted((model, other), key=len)
    return short == full or (len(short) == _VERSION_DIGITS and full.endswith("_" + short))


def image_fits(device_id: int, unit: tuple[Model, ...]) -> bool | None:
    """Whether a pvvx build is the one for a unit that has one of these boards; None = for some of them only."""
    fitting = {model.device_id == device_id for model in unit}
    return None if len(fitting) > 1 else fitting == {True}


def named(advert_name: str | None) -> str | None:
    """The model a name on the air tells, where it tells exactly one; only a hint (custom-firmware.md 1)."""
    if not advert_name:
        return None
    names = {model.name for model in MODELS if advert_name in model.advert_names or _pvvx_name(model, advert_name)}
    return names.pop() if len(names) == 1 else None


def is_name(advert_name: str | None) -> bool:
    """Whether stock or custom firmware of these models calls itself so; only a hint too."""
    return custom_name(advert_name) or named(advert_name) is not None


def prefix_of(advert_name: str | None) -> str | None:
    """The prefix of custom firmware that a name begins with, whatever follows; None for names that stock has."""
    prefix = (advert_name or "")[:_PREFIX]
    return prefix if prefix in _PREFIXES else None


def custom_name(advert_name: str | None) -> bool:
    """Whether this is a name that custom firmware gives by itself."""
    return advert_name is not None and any(_pvvx_name(model, advert_name) for model in MODELS)


def address_in(advert_name: str | None) -> Address | None:
    """The address in a name that custom firmware gives by itself. It holds three bytes; the others are taken as Xiaomi's.

    Digits of either case: only where the system hides addresses is this asked, and there is nothing better to go by.
    """
    if advert_name is None:
        return None
    prefix, digits = advert_name[:_PREFIX], advert_name[_PREFIX:].upper()
    return Address.parse(f"{XIAOMI_OUI}:{digits}") if custom_name(prefix + digits) else None


def _pvvx_name(model: Model, advert_name: str) -> bool:
    """Prefix and the last three bytes of the address."""
    prefix, digits = advert_name[:_PREFIX], advert_name[_PREFIX:]
    return prefix == model.prefix and len(digits) == 6 and all(digit in "0123456789ABCDEF" for digit in digits)


def pvvx_device(name: str) -> int | None:
    """Device id of the first build for a model."""
    return next((model.device_id for model in boards(name)), None)


def product(name: str) -> int | None:
    """The first product id of a model."""
    return next((number for model in boards(name) for number in model.products), None)
