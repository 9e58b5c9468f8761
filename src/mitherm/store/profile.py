"""Profiles: settings of units in TOML files that people write, `name`, `[config]` and `[comfort]`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import tomli_w

from mitherm.errors import BadFile, FileMissing, SettingsError

_NAME: Final = "name"
_CONFIG: Final = "config"
_COMFORT: Final = "comfort"


def read_profile(path: Path) -> dict[str, str]:
    """Name of a setting to what is wished for, as it would be typed. Raises FileMissing, BadFile, SettingsError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except OSError as problem:
        raise BadFile(f"cannot read {path}: {problem.strerror}") from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadFile(f"{path} is no TOML: {problem}") from problem
    if unknown := sorted(set(document) - {_NAME, _CONFIG, _COMFORT}):
        raise SettingsError(f"{path}: unknown key {unknown[0]!r}", hint="a profile has name, [config] and [comfort]")
    request = {_NAME: _typed(path, _NAME, document[_NAME])} if _NAME in document else {}
    for table, prefix in ((_CONFIG, ""), (_COMFORT, f"{_COMFORT}.")):
        values = document.get(table, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {table} is a table: [{table}]")
        request |= {prefix + name: _typed(path, name, value) for name, value in values.items()}
    return request


def _typed(path: Path, name: str, value: object) -> str:
    if isinstance(value, bool | int | float | str):
        return str(value)
    raise SettingsError(f"{path}: {name} is a word, a number, true or false")


def profile_text(settings: Iterable[tuple[str, bool | int | float | str]]) -> str:
    """A profile with these settings."""
    config: dict[str, object] = {}
    comfort: dict[str, object] = {}
    document: dict[str, object] = {}
    for name, value in settings:
        table, _, inner = name.rpartition(".")
        (comfort if table == _COMFORT else document if name == _NAME else config)[inner] = value
    document |= {_CONFIG: config} if config else {}
    document |= {_COMFORT: comfort} if comfort else {}
    return tomli_w.dumps(document)
