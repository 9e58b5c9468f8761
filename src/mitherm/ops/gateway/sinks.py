"""From the configuration of `monitor` to its sinks (those that need no terminal)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mitherm.errors import UsageProblem
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.gateway.config import LayoutChoice, MonitorConfig, MqttConfig
from mitherm.ops.gateway.monitor import Monitor
from mitherm.publish.sink import Sink
from mitherm.store.inventory import KnownUnit

if TYPE_CHECKING:
    from mitherm.publish.topics import Layout


def network_sinks(
    bench: Bench, config: MonitorConfig, monitor: Monitor, environ: Mapping[str, str], state: Path
) -> list[Sink]:
    """Sinks in the order of the options; `state` is the folder for queues. Raises UsageProblem, FileMissing."""
    found: list[Sink] = []
    if config.mqtt is not None:
        found.append(_mqtt(bench, config, config.mqtt, monitor, environ, state))
    if config.prometheus:
        from mitherm.publish.prometheus import PrometheusSink

        found.append(PrometheusSink(config.prometheus, monitor.counters))
    if config.influx is not None:
        from mitherm.publish.influx import InfluxSink

        found.append(InfluxSink(config.influx.url, config.influx.token(environ)))
    if config.sqlite:
        from mitherm.publish.sqlite import SqliteSink

        found.append(SqliteSink(Path(config.sqlite).expanduser()))
    return found


async def remove(config: MonitorConfig, units: Sequence[Address], environ: Mapping[str, str]) -> None:
    """Take units off the broker and out of Home Assistant. Raises UsageProblem, BrokerUnreachable."""
    from mitherm.publish.homeassistant import HomeAssistantLayout
    from mitherm.publish.mqtt import publish_once
    from mitherm.publish.topics import PlainLayout

    if config.mqtt is None:
        raise UsageProblem("from which broker?", hint="give --mqtt URL, or --config FILE")
    broker = config.mqtt.broker(environ)
    layouts = (HomeAssistantLayout(broker.base, config.mqtt.discovery), PlainLayout(broker.base))
    await publish_once(broker, [one for unit in units for layout in layouts for one in layout.removal(unit.compact)])


def renamed(unit: KnownUnit, config: MonitorConfig) -> KnownUnit:
    """The name in the configuration goes before the inventory's."""
    wanted = config.units.get(unit.address)
    return replace(unit, name=wanted.name) if wanted is not None and wanted.name else unit


def _mqtt(
    bench: Bench, config: MonitorConfig, mqtt: MqttConfig, monitor: Monitor, environ: Mapping[str, str], state: Path
) -> Sink:
    from mitherm.ops.gateway.install import Installer, latest_version
    from mitherm.publish.homeassistant import HomeAssistantLayout
    from mitherm.publish.mqtt import MqttSink
    from mitherm.publish.topics import PlainLayout

    broker = mqtt.broker(environ)
    layouts: list[Layout] = []
    name = hashlib.sha256(f"{broker}/{broker.base}".encode()).hexdigest()[:12]
    sink = MqttSink(broker, layouts, queue_file=state / "queues" / f"{name}.sqlite", queue_limit=mqtt.queue)
    if mqtt.layout is not LayoutChoice.PLAIN:
        layout = HomeAssistantLayout(
            broker.base,
            mqtt.discovery,
            silence_s=config.silence_s,
            latest=lambda report: latest_version(report, bench.catalogue),
            areas={str(address): unit.area for address, unit in config.units.items() if unit.area},
            install=mqtt.allow_install,
        )
        layouts.append(layout)
        sink.birth_topic = f"{mqtt.discovery}/status"
        if mqtt.allow_install:
            sink.install_topic, sink.on_install = (
                layout.install_topic(),
                Installer(bench, layout, sink.post, monitor.reload).request,
            )
    if mqtt.layout is not LayoutChoice.HOME_ASSISTANT:
        layouts.append(PlainLayout(broker.base))
    return sink
