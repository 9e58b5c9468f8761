"""From a configuration to a monitor: layouts first, then the sinks that use them, then what feeds the sinks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mitherm.errors import UsageProblem
from mitherm.model.address import Address
from mitherm.ops.bench import Bench
from mitherm.ops.gateway.config import LayoutChoice, MonitorConfig, MqttConfig
from mitherm.ops.gateway.monitor import Monitor
from mitherm.ops.gateway.service import Notifier
from mitherm.ops.hearing.receiver import Receiver
from mitherm.publish.broker import Broker
from mitherm.publish.sink import Sink

if TYPE_CHECKING:
    from mitherm.publish.homeassistant import HomeAssistantLayout
    from mitherm.publish.mqtt import InstallRequests
    from mitherm.publish.topics import Layout


async def monitor(
    bench: Bench,
    config: MonitorConfig,
    *,
    sinks: Sequence[Sink] = (),
    duration_s: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Listen and pass on, to `sinks` and to those of the configuration, for a time or without end.

    Raises what `build_monitor` and `Monitor.run` raise, and BrokerUnreachable where a broker was never reached.
    """
    running = build_monitor(bench, config, sinks=sinks, environ=environ)
    await running.run(duration_s)
    running.raise_if_unreached()


def build_monitor(
    bench: Bench,
    config: MonitorConfig,
    *,
    sinks: Sequence[Sink] = (),
    environ: Mapping[str, str] = os.environ,
    notifier: Notifier | None = None,
) -> Monitor:
    """A monitor that is ready to run: `sinks`, then those of the configuration. Passwords come from `environ` or files.

    Raises UsageProblem, FileMissing.
    """
    receiver = Receiver(accept=config.accepts, silence_s=config.silence_s)
    every = (*sinks, *_sinks(bench, config, environ))
    return Monitor(bench, receiver, every, names=config.names, notifier=notifier)


async def remove(config: MonitorConfig, units: Sequence[Address], environ: Mapping[str, str]) -> None:
    """Take units off the broker and out of Home Assistant. Raises UsageProblem, BrokerUnreachable."""
    from mitherm.publish.homeassistant import HomeAssistantLayout
    from mitherm.publish.mqtt import publish_once
    from mitherm.publish.topics import PlainLayout

    if config.mqtt is None:
        raise UsageProblem("from which broker?", hint="give --mqtt URL, or --config FILE")
    broker = config.mqtt.broker(environ)
    layouts = (HomeAssistantLayout(broker.base, config.mqtt.discovery), PlainLayout(broker.base))
    await publish_once(
        broker, [message for unit in units for layout in layouts for message in layout.removal(unit.compact)]
    )


def _sinks(bench: Bench, config: MonitorConfig, environ: Mapping[str, str]) -> Iterator[Sink]:
    """In the order of the options. What a sink needs is imported only where it is asked for."""
    if config.mqtt is not None:
        yield _mqtt(bench, config, config.mqtt, environ)
    if config.prometheus:
        from mitherm.publish.prometheus import PrometheusSink

        yield PrometheusSink(config.prometheus)
    if config.influx is not None:
        from mitherm.publish.influx import InfluxSink

        yield InfluxSink(config.influx.url, config.influx.token(environ))
    if config.sqlite:
        from mitherm.publish.sqlite import SqliteSink

        yield SqliteSink(Path(config.sqlite).expanduser())


def _mqtt(bench: Bench, config: MonitorConfig, mqtt: MqttConfig, environ: Mapping[str, str]) -> Sink:
    from mitherm.publish.mqtt import MqttSink
    from mitherm.publish.topics import PlainLayout

    broker = mqtt.broker(environ)
    layouts: list[Layout] = []
    requests = None
    if mqtt.layout is not LayoutChoice.PLAIN:
        layout = _home_assistant(bench, config, mqtt, broker)
        layouts.append(layout)
        requests = _requests(bench, layout) if mqtt.allow_install else None
    if mqtt.layout is not LayoutChoice.HOME_ASSISTANT:
        layouts.append(PlainLayout(broker.base))
    return MqttSink(
        broker,
        layouts,
        birth_topic=f"{mqtt.discovery}/status" if mqtt.layout is not LayoutChoice.PLAIN else None,
        requests=requests,
        queue_file=_queue_file(bench, broker),
        queue_limit=mqtt.queue,
    )


def _home_assistant(bench: Bench, config: MonitorConfig, mqtt: MqttConfig, broker: Broker) -> HomeAssistantLayout:
    from mitherm.ops.gateway.install import latest_version
    from mitherm.publish.homeassistant import HomeAssistantLayout

    return HomeAssistantLayout(
        broker.base,
        mqtt.discovery,
        silence_s=config.silence_s,
        latest=lambda report: latest_version(report, bench.catalogue),
        areas={str(address): unit.area for address, unit in config.units.items() if unit.area},
        install=mqtt.allow_install,
    )


def _requests(bench: Bench, layout: HomeAssistantLayout) -> InstallRequests:
    from mitherm.ops.gateway.install import Installer
    from mitherm.publish.mqtt import InstallRequests

    return InstallRequests(layout.install_topic(), Installer(bench, layout).request)


def _queue_file(bench: Bench, broker: Broker) -> Path:
    """One queue per broker and base topic, beside the journal: what waits for one must not go to another."""
    name = hashlib.sha256(f"{broker}/{broker.base}".encode()).hexdigest()[:12]
    return bench.stores.journal.path.parent / "queues" / f"{name}.sqlite"
