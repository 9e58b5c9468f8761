"""The live view of `mitherm monitor` on a terminal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mitherm.model.report import KeyState, Report
from mitherm.protocol.events import Event, Notice
from mitherm.publish.sink import Counters, Gateway, Sink

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

REFRESH_S: Final = 0.5
TREND_GLYPHS: Final = 12
NOTICES: Final = 3
_TREND_SAMPLES: Final = 360
_TREND_STEP_S: Final = 10.0
_LEAST_SPAN_C: Final = 1.0
"""Smaller changes do not fill the height: noise should look like noise."""
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_LOW_BATTERY_PCT: Final = 15
_KEYS: Final[Mapping[KeyState, tuple[str, str]]] = {
    "unneeded": ("–", "dim"),
    "right": ("✓ key", "green"),
    "missing": ("no key", "yellow"),
    "wrong": ("wrong key", "red"),
    "changed": ("key changed", "red"),
}


def sparkline(values: Sequence[float], width: int = TREND_GLYPHS) -> str:
    """The course of `values` in at most `width` characters."""
    if not values:
        return ""
    width = min(width, len(values))
    cells = [values[len(values) * index // width : len(values) * (index + 1) // width] for index in range(width)]
    means = [sum(cell) / len(cell) for cell in cells]
    span = max(max(means) - min(means), _LEAST_SPAN_C)
    low = (max(means) + min(means) - span) / 2
    return "".join(_BLOCKS[min(7, int((mean - low) / span * 8))] for mean in means)


def age_text(seconds: float) -> str:
    """3 s, 5 min, 2 h, 4 d"""
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(seconds, 0) / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


class LiveTable(Sink):
    """`footer` makes one line about the whole from the gateway's counters."""

    def __init__(self, console: Console, footer: Callable[[Counters], str]) -> None:
        super().__init__("table")
        self._console = console
        self._footer = footer
        self._gateway: Gateway | None = None
        self._notices: deque[Notice] = deque(maxlen=NOTICES)
        self._latest: dict[str, Report] = {}
        self._trend: dict[str, deque[tuple[float, float]]] = {}

    async def open(self, gateway: Gateway) -> None:
        """See Sink.open."""
        self._gateway = gateway

    async def run(self) -> None:
        """See Sink.run; the last state stays on the screen."""
        from rich.live import Live

        with Live(self.render(), console=self._console, auto_refresh=False) as live:
            while await self._refill():
                live.update(self.render(), refresh=True)
            live.update(self.render(), refresh=True)

    async def _refill(self) -> bool:
        """Take reports for one refresh; False when there will be none any more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + REFRESH_S
        try:
            while True:
                async with asyncio.timeout_at(until):
                    batch = await self.feed.batch()
                if not batch:
                    return False
                for report in batch:
                    self.take(report)
        except TimeoutError:
            return True

    def tell(self, event: Event) -> None:
        """Show a notice below the table: what others print to the terminal would be painted over."""
        if isinstance(event, Notice):
            self._notices.append(event)

    def take(self, report: Report) -> None:
        """Note a report."""
        self._latest[report.unit] = report
        self.sent += 1
        if report.event == "reading" and report.temperature_c is not None:
            trend = self._trend.setdefault(report.unit, deque(maxlen=_TREND_SAMPLES))
            at_s = report.at.timestamp()
            if not trend or at_s - trend[-1][0] >= _TREND_STEP_S:
                trend.append((at_s, report.temperature_c))

    def render(self) -> Group:
        """The table and the lines below it."""
        from rich.console import Group
        from rich.text import Text

        styles = {"warning": "yellow", "info": "dim"}
        notices = [Text(f"! {notice.text}", style=styles[notice.level]) for notice in self._notices]
        footer = self._footer(self._gateway.counters()) if self._gateway is not None else ""
        return Group(self._table(), Text(footer, style="dim"), *notices)

    def _table(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column("name", no_wrap=True, style="bold")
        table.add_column("address", no_wrap=True, style="dim")
        for name in ("°C", "%"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("trend", no_wrap=True, min_width=TREND_GLYPHS)
        for name in ("battery", "volts", "signal", "age"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("sends", "key"):
            table.add_column(name, no_wrap=True)
        ages = self._gateway.ages() if self._gateway is not None else {}
        for report in sorted(self._latest.values(), key=lambda value: (value.name or "~", value.unit)):
            table.add_row(*self._row(report, ages.get(report.unit, 0.0)), style="" if report.available else "dim")
        return table

    def _row(self, report: Report, age_s: float) -> tuple[Text, ...]:
        from rich.text import Text

        trend = sparkline([value for _, value in self._trend.get(report.unit, ())])
        signal = "" if report.rssi_dbm is None else f"{report.rssi_dbm} dBm"
        age = Text(age_text(age_s), style="" if report.available else "bold red")
        key, key_style = _KEYS[report.key]
        return (
            Text(report.name or ""),
            Text(report.unit),
            Text("" if report.temperature_c is None else f"{report.temperature_c:.2f}", style="bold cyan"),
            Text("" if report.humidity_pct is None else f"{report.humidity_pct:.2f}", style="cyan"),
            Text(trend, style="blue"),
            *_battery(report),
            Text(signal),
            age,
            Text(report.format or ""),
            Text("sensor fails" if report.fault else key, style="bold red" if report.fault else key_style),
        )


def _battery(report: Report) -> tuple[Text, Text]:
    from rich.text import Text

    low = report.battery_pct is not None and report.battery_pct <= _LOW_BATTERY_PCT
    style = "bold red" if low else ""
    percent = "" if report.battery_pct is None else f"{report.battery_pct} %"
    volts = "" if report.battery_mv is None else f"{report.battery_mv / 1000:.2f}"
    return Text(percent, style=style), Text(volts, style=style)
