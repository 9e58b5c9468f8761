"""What `monitor` shall do: a TOML file, options that go before it, secrets that stand beside it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar, get_type_hints

from mitherm.beacon.keyring import Sender
from mitherm.errors import FileMissing, SettingsError
from mitherm.model.address import Address
from mitherm.ops.hearing.receiver import SILENCE_S
from mitherm.primitives.secret import Secret
from mitherm.publish.broker import Broker
from mitherm.publish.homeassistant import DEFAULT_PREFIX
from mitherm.publish.queue import LIMIT

LAYOUTS: Final = ("ha", "plain", "both")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """`[mqtt]`"""

    url: str = field(repr=False)
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    discovery: str = DEFAULT_PREFIX
    """Home Assistant's discovery prefix."""
    layout: str = "ha"
    queue: int = LIMIT
    """Messages kept on disk while the broker is away."""
    allow_install: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise SettingsError(f"mqtt.layout is one of {', '.join(LAYOUTS)}")
        if self.queue < 1:
            raise SettingsError("mqtt.queue is at least 1")

    def broker(self, environ: Mapping[str, str]) -> Broker:
        """The broker; MITHERM_MQTT_PASSWORD goes before the file, the file before the URL."""
        return Broker.parse(
            self.url,
            password=secret_from(environ, "MITHERM_MQTT_PASSWORD", self.password_file),
            ca_file=_path(self.ca_file),
            cert_file=_path(self.cert_file),
            key_file=_path(self.key_file),
        )


@dataclass(frozen=True, slots=True)
class InfluxConfig:
    """`[influx]`"""

    url: str = field(repr=False)
    token_file: str = ""

    def token(self, environ: Mapping[str, str]) -> Secret | None:
        """MITHERM_INFLUX_TOKEN, else the file."""
        return secret_from(environ, "MITHERM_INFLUX_TOKEN", self.token_file)


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """`[units."A4:C1:38:00:00:01"]`"""

    name: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """The whole file."""

    radio: str = ""
    silence_s: float = SILENCE_S
    only: tuple[Address, ...] = ()
    """Listen to these units alone."""
    ignore: tuple[Address, ...] = ()
    mqtt: MqttConfig | None = None
    influx: InfluxConfig | None = None
    prometheus: str = ""
    """HOST:PORT"""
    sqlite: str = ""
    """A file."""
    units: Mapping[Address, UnitConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.silence_s <= 86400:
            raise SettingsError("silence_s is between 1 and 86400 seconds")

    def accepts(self, sender: Sender) -> bool:
        """Whether to listen to this unit."""
        return sender not in self.ignore and (not self.only or sender in self.only)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises FileMissing, SettingsError; messages quote no values, since URLs may contain passwords."""
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise FileMissing(f"there is no file {path}") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
            raise SettingsError(f"cannot read {path}: {problem}") from None
        try:
            return cls._from(table)
        except SettingsError as problem:
            raise SettingsError(f"{path}: {problem.message}", hint=problem.hint) from None

    @classmethod
    def _from(cls, table: dict[str, Any]) -> Self:
        inner: dict[str, Any] = {}
        for name, kind in (("mqtt", MqttConfig), ("influx", InfluxConfig)):
            if name in table:
                inner[name] = _made(kind, name, _table(table.pop(name), name))
        for name in ("only", "ignore"):
            if name in table:
                inner[name] = _addresses(table.pop(name), name)
        units = _table(table.pop("units", {}), "units")
        inner["units"] = {
            _address(key): _made(UnitConfig, f"units.{key}", _table(one, key)) for key, one in units.items()
        }
        return _made(cls, "", table, inner)

    def with_options(
        self,
        *,
        mqtt: str | None = None,
        influx: str | None = None,
        prometheus: str | None = None,
        sqlite: str | None = None,
        allow_install: bool = False,
    ) -> MonitorConfig:
        """What was given on the command line goes before the file."""
        found = self
        if mqtt is not None:
            found = replace(found, mqtt=replace(found.mqtt, url=mqtt) if found.mqtt else MqttConfig(mqtt))
        if influx is not None:
            found = replace(found, influx=replace(found.influx, url=influx) if found.influx else InfluxConfig(influx))
        if allow_install and found.mqtt is not None:
            found = replace(found, mqtt=replace(found.mqtt, allow_install=True))
        return replace(
            found,
            prometheus=found.prometheus if prometheus is None else prometheus,
            sqlite=found.sqlite if sqlite is None else sqlite,
        )


def secret_from(environ: Mapping[str, str], variable: str, file: str) -> Secret | None:
    """A secret from a variable, else the first line of a file. Raises FileMissing, SettingsError."""
    if value := environ.get(variable):
        return Secret(value.encode())
    if not file:
        return None
    try:
        return Secret(Path(file).expanduser().read_text("utf-8").partition("\n")[0].strip().encode())
    except FileNotFoundError:
        raise FileMissing(f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"cannot read {file}: {type(problem).__name__}") from None


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{name} is a table: [{name}]")
    return value


def _made(kind: type[_T], where: str, table: dict[str, Any], inner: dict[str, Any] | None = None) -> _T:
    """An instance of a configuration class; unknown names and wrong types are refused."""
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    types = get_type_hints(kind)
    prefix = f"{where}." if where else ""
    for name, value in table.items():
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
            raise SettingsError(f"unknown setting {prefix}{name}", hint=hint)
        wanted = (int, float) if types[name] is float else types[name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise SettingsError(f"{prefix}{name} has the wrong type")
    if missing := [name for name in ("url",) if name in names and name not in table]:
        raise SettingsError(f"{prefix}{missing[0]} is missing")
    return kind(**table, **(inner or {}))


def _addresses(value: Any, name: str) -> tuple[Address, ...]:
    if not isinstance(value, list):
        raise SettingsError(f"{name} is a list of addresses")
    return tuple(_address(one) for one in value)


def _address(value: Any) -> Address:
    try:
        return Address.parse(value)
    except (ValueError, AttributeError):
        raise SettingsError(f"{value!r} is no address") from None
