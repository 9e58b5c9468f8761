"""MQTT messages as values, and the topics that do not depend on Home Assistant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mitherm.model.report import MAIN, Report, quantities, utc_text

ONLINE: Final = "online"
OFFLINE: Final = "offline"
DEFAULT_BASE: Final = "mitherm"
_ALWAYS: Final = ("seen", "rssi_dbm", "availability")
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Message:
    """What to publish. `pause_s`: wait so long after it, for listeners who must first act on it."""

    topic: str
    payload: str
    retain: bool = False
    pause_s: float = 0.0


class Layout(Protocol):
    """Turns reports into messages and remembers what others need to be told again."""

    def messages(self, report: Report) -> list[Message]:
        """What to publish because of this report, in order."""

    def refresh(self) -> list[Message]:
        """Everything that somebody who just arrived must know."""

    def removal(self, unit: str) -> list[Message]:
        """Take a unit (an object id) off the broker."""


def object_id(report: Report) -> str:
    """The unit in topics and ids: the address as 12 hex digits, else the system's name for it, made harmless."""
    return report.address.compact if report.address is not None else _NOT_ALLOWED.sub("_", report.unit)


def bridge_topic(base: str) -> str:
    """Whether a gateway is there: online, or by its last will offline."""
    return f"{base}/bridge/status"


def availability_topic(base: str, unit: str) -> str:
    """Whether the unit is heard."""
    return f"{base}/{unit}/availability"


def compact_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class PlainLayout:
    """For programs that know nothing of Home Assistant: one retained topic per quantity.

    mitherm/a4c1380a0b0c/temperature_c   21.37
    mitherm/a4c1380a0b0c/seen            2026-01-01T12:00:00.000Z
    mitherm/a4c1380a0b0c/availability    online
    """

    def __init__(self, base: str = DEFAULT_BASE) -> None:
        self._base = base
        self._last: dict[str, Report] = {}

    def messages(self, report: Report) -> list[Message]:
        """The quantities just received, and availability when it changed."""
        unit = object_id(report)
        before = self._last.get(unit)
        if not report.values:
            return []
        self._last[unit] = report
        messages = []
        if before is None or before.available != report.available:
            messages.append(self._availability(unit, report))
        return messages + self._values(unit, report, quantities(report.received or {}))

    def refresh(self) -> list[Message]:
        """All quantities of all units."""
        messages = []
        for unit, report in self._last.items():
            messages += [self._availability(unit, report), *self._values(unit, report, quantities(report.values or {}))]
        return messages

    def removal(self, unit: str) -> list[Message]:
        """Empty retained messages."""
        report = self._last.pop(unit, None)
        names = dict.fromkeys([*quantities((report.values if report else None) or {}), *MAIN, *_ALWAYS])
        return [Message(f"{self._base}/{unit}/{name}", "", retain=True) for name in names]

    def _availability(self, unit: str, report: Report) -> Message:
        return Message(availability_topic(self._base, unit), ONLINE if report.available else OFFLINE, retain=True)

    def _values(self, unit: str, report: Report, values: dict[str, Any]) -> list[Message]:
        if not values:
            return []
        topics = values | {"rssi_dbm": report.rssi_dbm, "seen": utc_text(report.at)}
        return [
            Message(
                f"{self._base}/{unit}/{name}", value if isinstance(value, str) else compact_json(value), retain=True
            )
            for name, value in topics.items()
            if value is not None
        ]
