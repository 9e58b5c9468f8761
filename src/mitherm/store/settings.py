"""Settings: option > MITHERM_* variable > config.toml > default. The program never writes the user's file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mitherm.errors import SettingsError

Origin: TypeAlias = Literal["option", "environment", "config.toml", "default"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, with its default."""

    radio: str = "system"
    """The RADIO to use."""
    timeout_s: float = 30.0
    """How long to look for a unit."""
    region: str = "de"
    """Server region of the Xiaomi account."""
    mqtt_url: str | None = field(default=None, repr=False)
    """Broker of `monitor`; may hold a password."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force, and where each came from."""

    settings: Settings
    origins: Mapping[str, Origin]


def load_settings(path: Path, environ: Mapping[str, str], options: Mapping[str, object]) -> LoadedSettings:
    """Settings from all sources; options that are None were not given. Raises SettingsError."""
    file = _file(path)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name, (variable, check) in _RULES.items():
        sources: tuple[tuple[Origin, object, str], ...] = (
            ("option", options.get(name), f"option {name}"),
            ("environment", environ.get(variable) or None, variable),
            ("config.toml", file.get(name), f"{name} in {path}"),
        )
        given = next((source for source in sources if source[1] is not None), None)
        origins[name] = given[0] if given else "default"
        if given:
            values[name] = _checked(check, given[1], given[2])
    return LoadedSettings(Settings(**values), origins)


def template() -> str:
    """A commented config.toml with every setting at its default."""
    lines = [f"# {name} = {_toml(getattr(Settings(), name))}" for name in _RULES]
    return "# mitherm settings; remove the # of what you want to change\n" + "\n".join(lines) + "\n"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text is needed")
    return value.strip()


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a number of seconds is needed")
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError("a number of seconds is needed") from None
    if not 0 < seconds <= 86400:
        raise ValueError("it must be more than 0 and at most 86400 seconds")
    return seconds


_RULES: Final[dict[str, tuple[str, Callable[[object], object]]]] = {
    "radio": ("MITHERM_RADIO", _text),
    "timeout_s": ("MITHERM_TIMEOUT", _seconds),
    "region": ("MITHERM_REGION", _text),
    "mqtt_url": ("MITHERM_MQTT", _text),
}
"""Setting to its variable and its check, in the order of the fields."""


def _file(path: Path) -> Mapping[str, object]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise SettingsError(f"cannot read {path}: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path} is no valid TOML: {problem}") from None
    names = [one.name for one in fields(Settings)]
    for name in values:
        if name not in names:
            raise SettingsError(f"{path} has an unknown setting {name!r}", hint=_suggestion(name, names))
    return values


def _suggestion(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known settings: {', '.join(names)}."


def _checked(check: Callable[[object], object], value: object, where: str) -> object:
    try:
        return check(value)
    except ValueError as problem:
        raise SettingsError(f"{where}: {problem}") from None


def _toml(value: object) -> str:
    return f'"{value or ""}"' if value is None or isinstance(value, str) else str(value)
