"""From the configuration of `monitor` to its sinks (those that need no terminal)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mitherm.model.report import Report
from mitherm.ops.monitor_config import MonitorConfig, MqttConfig
from mitherm.publish.sink import Sink
from mitherm.store.inventory import KnownUnit

if TYPE_CHECKING:
    from mitherm.publish.topics import Layout

Counters = Callable[[], Mapping[str, Mapping[str, float]]]


def network_sinks(config: MonitorConfig, counters: Counters, environ: Mapping[str, str], state: Path) -> list[Sink]:
    """Sinks in the order of the options; `state` is the folder for queues. Raises UsageProblem, FileMissing."""
    found: list[Sink] = []
    if config.mqtt is not None:
        found.append(_mqtt(config, config.mqtt, environ, state))
    if config.prometheus:
        from mitherm.publish.prometheus import PrometheusSink

        found.append(PrometheusSink(config.prometheus, counters))
    if config.influx is not None:
        from mitherm.publish.influx import InfluxSink

        found.append(InfluxSink(config.influx.url, config.influx.token(environ)))
    if config.sqlite:
        from mitherm.publish.sqlite import SqliteSink

        found.append(SqliteSink(Path(config.sqlite).expanduser()))
    return found


def renamed(unit: KnownUnit, config: MonitorConfig) -> KnownUnit:
    """The name in the configuration goes before the inventory's."""
    wanted = config.units.get(unit.address)
    return replace(unit, name=wanted.name) if wanted is not None and wanted.name else unit


def latest_version(report: Report) -> str | None:
    """The newest published firmware of the family that runs on the unit."""
    from mitherm.image.catalogue import entries

    model = report.model or "LYWSD03MMC"
    fitting = [one.version for one in entries() if one.version and one.family == report.family and one.model == model]
    return max(fitting, key=_version_key, default=None)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.replace("_", ".").split(".") if part.isdecimal())


def _mqtt(config: MonitorConfig, mqtt: MqttConfig, environ: Mapping[str, str], state: Path) -> Sink:
    from mitherm.publish.homeassistant import HomeAssistantLayout
    from mitherm.publish.mqtt import MqttSink
    from mitherm.publish.topics import PlainLayout

    broker = mqtt.broker(environ)
    layouts: list[Layout] = []
    install_topic = None
    if mqtt.layout in ("ha", "both"):
        areas = {str(address): unit.area for address, unit in config.units.items() if unit.area}
        layout = HomeAssistantLayout(
            broker.base,
            mqtt.discovery,
            silence_s=config.silence_s,
            latest=latest_version,
            areas=areas,
            install=mqtt.allow_install,
        )
        install_topic = layout.install_topic() if mqtt.allow_install else None
        layouts.append(layout)
    if mqtt.layout in ("plain", "both"):
        layouts.append(PlainLayout(broker.base))
    name = hashlib.sha256(f"{broker}/{broker.base}".encode()).hexdigest()[:12]
    return MqttSink(
        broker,
        layouts,
        queue_file=state / "queues" / f"{name}.sqlite",
        queue_limit=mqtt.queue,
        birth_topic=f"{mqtt.discovery}/status" if mqtt.layout != "plain" else None,
        install_topic=install_topic,
    )
