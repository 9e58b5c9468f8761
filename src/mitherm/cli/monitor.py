"""`mitherm monitor`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from mitherm.cli.context import App
from mitherm.cli.documents import lines
from mitherm.cli.documents.units import removal
from mitherm.cli.live_table import LiveTable
from mitherm.cli.options import command
from mitherm.cli.readings import reading_text
from mitherm.cli.signals import stopped_by_signals
from mitherm.cli.unit import unit_address
from mitherm.model.report import Report
from mitherm.ops.gateway.config import MonitorConfig
from mitherm.ops.gateway.service import Notifier
from mitherm.ops.gateway.sinks import build_monitor
from mitherm.ops.gateway.sinks import remove as remove_units
from mitherm.protocol.events import Notice
from mitherm.publish.lines import LineSink
from mitherm.publish.sink import Counters, Sink

NETWORK: Final = ("mqtt", "prometheus", "influx")


@command(
    "monitor",
    examples="""
    mitherm monitor
    mitherm monitor --json --duration 60
    mitherm monitor --mqtt mqtt://user@broker --sqlite readings.db
    mitherm monitor --config /etc/mitherm/monitor.toml
    """,
)
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), help="What goes to stdout.")
@click.option(
    "--mqtt",
    metavar="URL",
    envvar="MITHERM_MQTT",
    help="mqtt[s]://[USER@]HOST[:PORT][/TOPIC], with Home Assistant discovery.",
)
@click.option("--prometheus", metavar="ADDR", help="Serve metrics at HOST:PORT.")
@click.option("--influx", metavar="URL", help="http://HOST:8086/?db=NAME, ?org=O&bucket=B, or file:PATH.")
@click.option("--sqlite", metavar="FILE", help="Add readings to an SQLite file.")
@click.option("--duration", type=click.FloatRange(0), metavar="S", help="How long to listen; without it, until Ctrl-C.")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings in TOML; options go before it."
)
@click.option("--allow-install", is_flag=True, help="Let Home Assistant install firmware, through all guards.")
@click.option("--remove", multiple=True, metavar="UNIT", help="Take UNIT out of Home Assistant, then end. Repeatable.")
@click.pass_obj
def monitor_command(
    app: App,
    /,
    form: str | None,
    duration: float | None,
    config: Path | None,
    remove: tuple[str, ...],
    **options: Any,
) -> int:
    """Decode everything that is on the air, with the keys of the vault, and pass it on.

    Passwords: MITHERM_MQTT_PASSWORD and MITHERM_INFLUX_TOKEN, or files named in the configuration.
    """
    settings = (MonitorConfig.load(config) if config else MonitorConfig()).with_options(**options)
    if remove:
        return _remove(app, settings, remove)
    if settings.radio and app.settings.radio is None:
        app.settings.radio = settings.radio
    form = "jsonl" if app.settings.as_json else form or _usual_form(config is not None)
    watched = form == "table" and sys.stdout.isatty()
    real_time = watched or duration is None or any(getattr(settings, name) for name in NETWORK)
    app.run(lambda: _monitor(app, settings, form, duration), real_time=real_time)
    return 0


def _remove(app: App, settings: MonitorConfig, names: tuple[str, ...]) -> int:
    units = [unit_address(app, name) for name in names]
    app.run(lambda: remove_units(settings, units, os.environ), real_time=True)
    return app.finish(removal(units), lambda result: app.terminal.say(f"Removed: {', '.join(result['removed'])}"))


def _usual_form(is_service: bool) -> str | None:
    """A service says nothing on stdout unless it is asked to."""
    return None if is_service and not sys.stdout.isatty() else "table"


async def _monitor(app: App, config: MonitorConfig, form: str | None, duration_s: float | None) -> None:
    async with app.open_bench() as bench:
        table = LiveTable(app.terminal.out, footer) if form == "table" and app.terminal.out.is_terminal else None
        if table is not None:
            bench = replace(bench, tell=table.tell)
        shown = table or (_lines(form) if form is not None else None)
        monitor = build_monitor(bench, config, sinks=(shown,) if shown else (), notifier=Notifier())
        with stopped_by_signals(monitor.stop):
            await monitor.run(duration_s)
        if table is None:
            app.terminal.tell(Notice("info", footer(monitor.counters())))
        if not monitor.stop.is_set():
            monitor.raise_if_unreached()


def _lines(form: str) -> Sink:
    encode, header = {
        "jsonl": (lines.json_line, ""),
        "csv": (lines.csv_line, lines.csv_header()),
        "table": (text_line, ""),
    }[form]
    return LineSink("stdout", sys.stdout, encode, header)


def text_line(report: Report) -> str:
    """12:00:05  A4:C1:38:00:00:01  ATC_000001  21.5 °C  45 %  battery 87 %  2.95 V"""
    unreadable = {"missing": "no key", "wrong": "wrong key", "changed": "key changed"}.get(report.key)
    words = {"silent": "silent", "fault": "sensor fails" if report.fault else "sensor works again"}.get(report.event)
    cells = (
        f"{report.at:%H:%M:%S}",
        report.unit,
        report.name,
        None if report.rssi_dbm is None else f"{report.rssi_dbm} dBm",
        report.format,
        words or reading_text(lines.report(report)),
        unreadable,
    )
    return "  ".join(cell for cell in cells if cell) + "\n"


def footer(counters: Counters) -> str:
    """7 units · 120 frames: 40 new, 80 unchanged · mqtt: 55 sent"""
    frames = counters["mitherm_frames_total/result"]
    troubles = [f"{name.removeprefix('error:')} {number:.0f}" for name, number in sorted(frames.items()) if ":" in name]
    parts = [
        f"{counters['mitherm_units']['']:.0f} units",
        f"{sum(frames.values()):.0f} frames, {frames.get('new', 0):.0f} new",
        f"not read: {', '.join(troubles)}" if troubles else "",
        f"{dropped:.0f} adverts dropped" if (dropped := counters["mitherm_adverts_dropped_total"][""]) else "",
    ]
    return " · ".join(part for part in (*parts, *_sinks(counters)) if part)


def _sinks(counters: Counters) -> list[str]:
    dropped, waiting = counters["mitherm_sink_dropped_total/sink"], counters["mitherm_sink_waiting/sink"]
    sinks = []
    for name, sent in counters["mitherm_sink_sent_total/sink"].items():
        if name == "table":
            continue
        more = [
            f"{number:.0f} {word}"
            for number, word in ((waiting[name], "waiting"), (dropped[name], "dropped"))
            if number
        ]
        sinks.append(", ".join([f"{name}: {sent:.0f} sent", *more]))
    return sinks
