"""What `monitor` shall do: a TOML file, options that go before it, secrets that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from mitherm.beacon.keyring import Sender
from mitherm.errors import FileMissing, SettingsError
from mitherm.model.address import Address
from mitherm.ops.hearing.receiver import SILENCE_S
from mitherm.primitives.secret import Secret
from mitherm.publish.broker import Broker
from mitherm.publish.homeassistant import DEFAULT_PREFIX
from mitherm.publish.queue import LIMIT
from mitherm.store.toml_file import read_toml


class LayoutChoice(StrEnum):
    """Which topics and payloads to publish."""

    HOME_ASSISTANT = "ha"
    PLAIN = "plain"
    BOTH = "both"


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
    layout: LayoutChoice = LayoutChoice.HOME_ASSISTANT
    queue: int = LIMIT
    """Messages kept on disk while the broker is away."""
    allow_install: bool = False

    def __post_init__(self) -> None:
        if self.queue < 1:
            raise SettingsError("queue is at least 1")

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
        """See `read_toml`."""
        return read_toml(path, cls)

    @property
    def names(self) -> Mapping[Address, str]:
        """Of the units that have one here."""
        return {address: unit.name for address, unit in self.units.items() if unit.name}

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
        broker, database = self.mqtt, self.influx
        if mqtt is not None:
            broker = replace(broker, url=mqtt) if broker else MqttConfig(mqtt)
        if influx is not None:
            database = replace(database, url=influx) if database else InfluxConfig(influx)
        if allow_install and broker is not None:
            broker = replace(broker, allow_install=True)
        return replace(
            self,
            mqtt=broker,
            influx=database,
            prometheus=self.prometheus if prometheus is None else prometheus,
            sqlite=self.sqlite if sqlite is None else sqlite,
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
