"""The settings of a pvvx unit by name: configuration, name, comfort window; shown, compared, changed (custom-firmware.md 5, 6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Final, Self

from mitherm.errors import SettingsError
from mitherm.protocol.pvvx import words as pvvx_words
from mitherm.protocol.pvvx.client import NAME_LIMIT
from mitherm.protocol.pvvx.config import Config, Field, version_text
from mitherm.protocol.pvvx.structs import Comfort
from mitherm.protocol.pvvx.words import Value

NAME: Final = "name"
COMFORT: Final = "comfort."
HARDWARE: Final = frozenset({"hw_ver", "hw_clock", "hw_memo", "hw_trg", "hw_mi_beacon", "hw_shtc3", "screen_type"})
"""Say which hardware this is; the firmware finds out itself and overwrites most of them."""
DISPLAY: Final = frozenset(
    {"lcd_step", "screen_off", "x100", "time_am_pm", "date_ddmm", "not_day_of_week", "show_clock"}
)
"""Work differently, or not at all, from board to board."""
_UNUSED: Final = frozenset({"", "reserved2", "reserved3"})
_RADIO_MODES: Final = frozenset({"longrange", "bt5phy", "ext_adv"})
_LONGEST_INTERVAL: Final = 80
"""5 s; receivers that listen now and then miss what comes more seldom."""
_WEAK_POWER: Final = range(128, 140)
"""Register values below -10 dBm."""
_COMFORT_LIMITS: Final = {"temp": (-50, 100, "C"), "humi": (0, 100, "%")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting for people: `value` in `unit`, `text` with both."""

    name: str
    value: Value
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a unit has; None where that was not read."""

    config: Config
    name: str | None = None
    comfort: Comfort | None = None

    def shown(self) -> dict[str, Setting]:
        """Every setting that was read, by name."""
        settings = [self._of_config(field) for field in self.config.layout.fields if field.name not in _UNUSED]
        if self.name is not None:
            settings.append(Setting(NAME, self.name, "", self.name))
        if self.comfort is not None:
            settings += _of_comfort(self.comfort)
        return {setting.name: setting for setting in settings}

    def _of_config(self, field: Field) -> Setting:
        raw, version = field.get(self.config.data), self.config.version
        return Setting(
            field.name,
            pvvx_words.value(field, version, raw),
            field.unit,
            pvvx_words.text(field, version, raw),
        )

    def changed(self, request: Mapping[str, str]) -> Self:
        """A copy with what is wished for, checked against what this version takes. Raises SettingsError."""
        check_names(request, self.config)
        if (NAME in request and self.name is None) or (wants_comfort(request) and self.comfort is None):
            raise SettingsError(f"pvvx {version_text(self.config.version)} keeps no name or no comfort window")
        version, layout = self.config.version, self.config.layout
        raw = {
            name: pvvx_words.parse(field, version, request[name]) for name in request if (field := layout.field(name))
        }
        config = self.config.changed(raw)
        for name, number in raw.items():
            _check_taken(config, name, number, request[name])
        return replace(
            self,
            config=config,
            name=_checked_name(request[NAME]) if NAME in request else self.name,
            comfort=_with_comfort(self.comfort, request),
        )

    def differences(self, other: Settings) -> list[str]:
        """Names of the settings that both have and that differ."""
        mine, its = self.shown(), other.shown()
        return [name for name in mine if name in its and mine[name] != its[name]]

    def wishes(self) -> dict[str, str]:
        """What to request for to have a unit like this one; what only its hardware decides is left out."""
        return {name: str(setting.value) for name, setting in self.shown().items() if name not in HARDWARE}


def wants_comfort(names: Iterable[str]) -> bool:
    """Whether the comfort window is among them."""
    return any(name.startswith(COMFORT) for name in names)


def hiding(before: Config, after: Config) -> tuple[str, ...]:
    """Changes after which a receiver may not hear the unit any more (product-needs.md H14)."""
    was, now = before.values, after.values
    changes = [name for name in sorted(_RADIO_MODES) if now.get(name, 0) > was.get(name, 0)]
    if now["advertising_interval"] > max(was["advertising_interval"], _LONGEST_INTERVAL):
        changes.append("advertising_interval")
    if now["rf_tx_power"] in _WEAK_POWER and now["rf_tx_power"] != was["rf_tx_power"]:
        changes.append("rf_tx_power")
    return tuple(changes)


def names_of(config: Config) -> list[str]:
    """Every setting that this version knows."""
    names = [field.name for field in config.layout.fields if field.name not in _UNUSED]
    return [*names, NAME, *(COMFORT + field.name for field in fields(Comfort))]


def knows(config: Config, name: str) -> bool:
    """Whether this version has the setting."""
    return name in names_of(config)


def check_names(names: Iterable[str], config: Config) -> None:
    """Raises SettingsError for a name that this version does not know."""
    valid = names_of(config)
    for name in names:
        if name in valid:
            continue
        near = get_close_matches(name, valid, 1)
        raise SettingsError(
            f"pvvx {version_text(config.version)} has no setting {name!r}",
            hint=f"did you mean {near[0]}?" if near else f"it has {', '.join(valid)}",
        )


def _check_taken(config: Config, name: str, number: int, typed: str) -> None:
    """The firmware makes something else of a value out of its range; say so before it is written."""
    field = config.layout.field(name)
    taken = config.clamped.values[name]
    if field is None or taken == number:
        return
    nearest = pvvx_words.text(field, config.version, taken)
    raise SettingsError(f"the unit does not take {name}={typed}; the nearest it takes is {nearest}")


def _checked_name(name: str) -> str:
    if not 0 < len(name.encode()) <= NAME_LIMIT or not name.isprintable():
        raise SettingsError(f"a name has 1 to {NAME_LIMIT} bytes that can be printed, not {name!r}")
    return name


# --- comfort window ---------------------------------------------------------------------------------------------------


def _of_comfort(comfort: Comfort) -> list[Setting]:
    settings = []
    for field in fields(Comfort):
        number, unit = getattr(comfort, field.name) / 100, _COMFORT_LIMITS[field.name[:4]][2]
        settings.append(Setting(COMFORT + field.name, number, unit, f"{number:g} {unit}"))
    return settings


def _with_comfort(comfort: Comfort | None, request: Mapping[str, str]) -> Comfort | None:
    limits = {name.removeprefix(COMFORT): typed for name, typed in request.items() if name.startswith(COMFORT)}
    if comfort is None or not limits:
        return comfort
    result = replace(comfort, **{name: _hundredths(name, typed) for name, typed in limits.items()})
    if result.temp_lo > result.temp_hi or result.humi_lo > result.humi_hi:
        raise SettingsError("the comfort window ends before it begins")
    return result


def _hundredths(name: str, typed: str) -> int:
    low, high, unit = _COMFORT_LIMITS[name[:4]]
    number = pvvx_words.in_unit(COMFORT + name, unit, typed.strip())
    if not low <= number <= high:
        raise SettingsError(f"{COMFORT}{name} is {low} to {high} {unit}, not {typed}")
    return round(number * 100)
