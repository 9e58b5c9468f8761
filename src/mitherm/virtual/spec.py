"""What a new virtual unit shall be: `FIRMWARE[,key=value...]` or a `[[unit]]` table of a fleet file (cli-contract.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from mitherm.errors import NotSupported, SettingsError
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.virtual.firmware.gatt_stock import PLAYED

BOUND: Final = ("no", "mi-home", "flasher")
HARDWARE: Final[Mapping[str, str]] = {
    "B1.4": "B1.4F1.0-CFMK-LB-ZCXTJ--",
    "B1.5": "B1.5F2.0-CFMK-LB-JHBD---",
    "B1.6": "B1.6F2.0-CFMK-LB-ZCXTJ--",
    "B1.7": "B1.7F1.0-CFMK-LB-MJDZ---",
    "B1.9": "B1.9F1.0-CFMK-LB-FLD----",
    "B2.0": "B2.0F1.0-CFMK-LB-MJDZ---",
    "B1.6-2025": "B1.6F2.0-3-FY-NF-S-G-JH-",
}
"""Board -> the 24 bytes at 0x55000 (virtual-unit.md 1.1)."""

_PLAYED_HINT: Final = f"stock of {', '.join(PLAYED)} and pvvx of all models with a build can be played"
NEW_BOARD_KIND: Final = "stock-2.1.1_0159_B1.6"


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One unit to be made."""

    firmware: str
    address: Address | None = None
    model: str = models.LYWSD03MMC
    hardware: str = ""
    bound: str = "no"
    battery_mv: int = 3000
    sag_mv: int = 100
    inserted: bool = True
    temperature_c: float = 21.5
    humidity_pct: float = 45.0
    rssi_dbm: int | bool = -60
    name: str | None = None
    faults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.hardware:
            object.__setattr__(self, "hardware", self._usual_hardware())
        self._check()
        self._check_model()

    def _usual_hardware(self) -> str:
        if self.model == models.LYWSD03MMC:
            return "B1.6-2025" if self.firmware == NEW_BOARD_KIND else "B1.4"
        board = models.board(self.model)
        return board.identity[:4] if board is not None else ""

    def _check_model(self) -> None:
        if not models.boards(self.model):
            names = sorted({model.name for model in models.MODELS})
            raise SettingsError(f"unknown model {self.model!r}", hint=f"models: {', '.join(names)}")
        if self.family is Family.STOCK and self.board.name not in PLAYED:
            raise NotSupported(f"stock {self.model} cannot be played: no facts about its GATT", hint=_PLAYED_HINT)
        if self.family is Family.PVVX and self.board.device_id is None:
            raise NotSupported(f"there is no pvvx firmware for the {self.model}", hint=_PLAYED_HINT)
        if self.family is Family.ATC1441 and self.board.name != models.LYWSD03MMC:
            raise NotSupported(f"atc1441's firmware runs on the {models.LYWSD03MMC} only")

    def _check(self) -> None:
        if self.bound not in BOUND:
            raise SettingsError(f"bound={self.bound} is not known", hint=f"bound is one of {', '.join(BOUND)}")
        if self.model == models.LYWSD03MMC and self.hardware not in HARDWARE:
            raise SettingsError(f"unknown hardware {self.hardware!r}", hint=f"boards: {', '.join(HARDWARE)}")
        if self.name is not None and not self.firmware.startswith("pvvx"):
            raise SettingsError("only pvvx firmware stores a name")
        if not 0 <= self.battery_mv <= 3600:
            raise SettingsError(f"battery_mv={self.battery_mv} is outside 0..3600")

    @property
    def board(self) -> models.Model:
        """What is known about the model."""
        return models.boards(self.model)[0]

    @property
    def family(self) -> Family:
        """stock, pvvx or atc1441."""
        return Family.of(self.firmware.partition("-")[0])


def parse_spec(text: str) -> UnitSpec:
    """From the command line; raises SettingsError."""
    firmware, *pairs = text.split(",")
    table: dict[str, Any] = {"firmware": firmware.strip()}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"{pair!r} is not of the form key=value", hint="SPEC is FIRMWARE[,key=value...]")
        table[key.strip()] = value.strip()
    return spec_from_table(table)


def spec_from_table(table: Mapping[str, Any]) -> UnitSpec:
    """From a table of a fleet file (or of strings); raises SettingsError for unknown keys and wrong types."""
    if not table.get("firmware"):
        raise SettingsError("a unit needs a FIRMWARE", hint="for example stock-1.0.0_0130, pvvx-5.8, atc1441")
    types = {field.name: field.type for field in fields(UnitSpec)}
    if unknown := set(table) - set(types):
        raise SettingsError(f"unknown key {sorted(unknown)[0]!r}", hint=f"known: {', '.join(types)}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            values[key] = _convert(key, value)
        except (ValueError, TypeError):
            raise SettingsError(f"{key}={value!r} cannot be understood") from None
    return UnitSpec(**values)


def _convert(key: str, value: Any) -> Any:
    if key == "address":
        return Address.parse(str(value))
    if key in ("battery_mv", "sag_mv"):
        return int(value)
    if key in ("temperature_c", "humidity_pct"):
        return float(value)
    if key == "inserted":
        return value if isinstance(value, bool) else {"true": True, "false": False}[str(value)]
    if key == "rssi_dbm":
        return False if value is False or str(value).lower() == "false" else int(value)
    if key == "faults":
        return dict(value)
    return str(value)


def with_address(spec: UnitSpec, address: Address) -> UnitSpec:
    """The same spec for a given address."""
    return replace(spec, address=address)
