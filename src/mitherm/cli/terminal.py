"""What a person sees: progress, notices, tables and errors. Talk goes to stderr, data to stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from mitherm.errors import MithermError
from mitherm.protocol.events import Event, Notice, Progress, StepEnd, StepStart

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_WIDTH = 240
"""Columns of a pipe: nothing is cut there."""
_DEVICE = {
    "unchanged": "Your unit is unchanged.",
    "changed": "Your unit was changed.",
    "unknown": "The state of your unit is not known; look at it again with `mitherm info`.",
}


class Terminal:
    """Renders events and results. rich is imported when first drawn."""

    def __init__(self, *, quiet: bool = False, verbosity: int = 0) -> None:
        self.quiet = quiet
        self.verbosity = verbosity
        self._out: Console | None = None
        self._err: Console | None = None
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}

    @property
    def out(self) -> Console:
        """stdout: data."""
        if self._out is None:
            from rich.console import Console

            self._out = Console(highlight=False, soft_wrap=True)
            if not self._out.is_terminal:
                self._out.width = PLAIN_WIDTH
        return self._out

    @property
    def err(self) -> Console:
        """stderr: everything else."""
        if self._err is None:
            from rich.console import Console

            self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        return self._err

    # --- events -------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Show one event of running work."""
        if self.quiet:
            return
        match event:
            case StepStart(step, reason, label):
                self.close_progress()
                self.err.print(
                    f"[bold cyan]→[/] [bold]{_plain(label or step)}[/]"
                    + (f"  [dim]{_plain(reason)}[/]" if reason else "")
                )
            case StepEnd(step, detail):
                self.close_progress()
                self.err.print(f"[green]✓[/] {_plain(detail or step)}")
            case Notice(level, text, hint):
                self.close_progress()
                mark = "[yellow]![/]" if level == "warning" else "[dim]·[/]"
                self.err.print(f"{mark} {_plain(text)}" + (f"\n  [dim]{_plain(hint)}[/]" if hint else ""))
            case Progress(what, done, total, unit):
                self._progress(what, done, total, unit)

    def _progress(self, what: str, done: int, total: int, unit: str) -> None:
        if not self.err.is_terminal:
            tenth = 10 * done // max(total, 1)
            if tenth != self._tenths.get(what):
                self._tenths[what] = tenth
                self.err.print(f"  {what}: {10 * tenth} % ({done} of {total} {unit})")
            return
        bars = self._open_progress()
        if what not in self._tasks:
            self._tasks[what] = bars.add_task(what, total=total, unit=unit)
        bars.update(self._tasks[what], completed=done, total=total)

    def _open_progress(self) -> Bars:
        if self._bars is None:
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("  {task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.completed} of {task.total} {task.fields[unit]}"),
                TimeRemainingColumn(),
                console=self.err,
            )
            self._bars.start()
        return self._bars

    def close_progress(self) -> None:
        """End the bars so that ordinary lines may follow."""
        self._tenths.clear()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()

    # --- results ------------------------------------------------------------------------------------------------------

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
        """A table on stdout; plain columns where stdout is no terminal."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, no_wrap=column == columns[0])
        for row in rows:
            table.add_row(*(_plain("" if cell is None else str(cell)) for cell in row))
        self.out.print(table)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Name and value, one line each; empty values are left out."""
        facts = [(name, value) for name, value in pairs if value not in (None, "")]
        width = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            self.out.print(f"[dim]{name.ljust(width)}[/]  {_plain(str(value))}")

    def say(self, text: str) -> None:
        """A line of data on stdout, without rich: most commands end with one, and a start is everybody's."""
        click.echo(text)

    def suggest(self, *commands: str) -> None:
        """Closing words: what comes next, as commands to type. On stderr: it is no data."""
        if self.quiet:
            return
        for command in commands:
            self.err.print(f"[dim]Next:[/] {_plain(command)}")

    def error(self, error: MithermError) -> None:
        """What happened, what became of the unit, what to do next."""
        self.close_progress()
        rule = f" [dim]({error.rule})[/]" if error.rule else ""
        self.err.print(f"[bold red]error:[/] {_plain(error.message)}{rule}")
        if error.exit_code not in (2, 3, 6):
            self.err.print(f"  {_DEVICE[error.device]}")
        if error.waiver:
            self.err.print(f"  To do it all the same: {_plain(error.waiver)}")
        if error.hint:
            self.err.print(f"  [dim]hint:[/] {_plain(error.hint)}")

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; only `y` and `yes` agree."""
        self.close_progress()
        self.err.print(f"[bold]?[/] {_plain(question)} [dim](y/N)[/] ", end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _plain(text: str) -> str:
    """Text of units, files and users is never markup."""
    from rich.markup import escape

    return escape(text)
