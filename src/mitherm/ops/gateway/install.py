"""Firmware updates that Home Assistant asks for: the guarded `flash`, one unit at a time, with progress told back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from mitherm.errors import MithermError
from mitherm.image.catalogue import Catalogue
from mitherm.model.address import Address
from mitherm.model.models import version_key
from mitherm.model.report import Report
from mitherm.ops.bench import Bench
from mitherm.ops.files.images import ImageRequest
from mitherm.ops.files.library import ImageSource
from mitherm.ops.updating.flash import flash
from mitherm.protocol.events import Event, Notice, Progress
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.mqtt import Post

PROGRESS_PCT: Final = 5.0


def latest_version(report: Report, catalogue: Catalogue) -> str | None:
    """The newest published version of the custom firmware that runs on the unit.

    None on stock: newer stock firmware locks units down, and nobody should get it by one click.
    """
    if not report.family.custom:
        return None
    model = report.model or "LYWSD03MMC"
    fitting = [file for file in catalogue.files if file.family == report.family and file.model == model]
    return max((file.version for file in fitting if file.version), key=version_key, default=None)


@dataclass(slots=True)
class Installer:
    """Requests come as object ids. What fails is told as a notice and leaves the unit to its guards."""

    bench: Bench
    layout: HomeAssistantLayout
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def request(self, unit: str, post: Post, done: Callable[[], None]) -> None:
        """Begin, unless this unit's update is under way already. `post` publishes progress; `done` is called afterwards:
        what is known about units has changed.
        """
        report = self.layout.last(unit)
        if report is None or report.address is None or unit in self._running:
            return
        work = self._install(unit, report, report.address, post, done)
        task = self._running[unit] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._running.pop(unit, None))

    async def _install(self, unit: str, report: Report, address: Address, post: Post, done: Callable[[], None]) -> None:
        async with self._turn:  # one at a time: two transfers at once would halve each other's radio time
            post(self.layout.installing(unit, 0.0))
            try:
                await self._flash(report, address, self._progress(unit, post))
            except MithermError as problem:
                self.bench.warn(f"update of {address}: {problem.message}", problem.hint)
            finally:
                done()
                post(self.layout.installing(unit, None))

    async def _flash(self, report: Report, address: Address, tell: Callable[[Event], None]) -> None:
        if not report.family.custom:
            return
        images = ImageSource.of(self.bench)
        image = images.find(ImageRequest(report.family, report.model))
        result = await flash(replace(self.bench, tell=tell, ask=lambda question: True), str(address), image.name)
        self.bench.note(f"update of {address}: {result.outcome}")

    def _progress(self, unit: str, post: Post) -> Callable[[Event], None]:
        """Publishes every twentieth of the transfer: more would only fill the queue."""
        published = 0.0

        def tell(event: Event) -> None:
            nonlocal published
            if isinstance(event, Progress) and event.unit == "blocks":
                percent = 100.0 * event.done / max(event.total, 1)
                if percent - published >= PROGRESS_PCT:
                    published = percent
                    post(self.layout.installing(unit, percent))
            elif isinstance(event, Notice):
                self.bench.tell(event)

        return tell
