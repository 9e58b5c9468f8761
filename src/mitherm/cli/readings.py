"""Readings as people see them, in lists and live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def reading_text(reading: Mapping[str, Any] | None) -> str:
    """21.5 °C  45 %  2.95 V"""
    if reading is None:
        return ""
    volts = reading["battery_mv"]
    texts = {"temperature_c": "{} °C", "humidity_pct": "{} %", "battery_pct": "battery {} %"}
    parts = [text.format(reading[name]) for name, text in texts.items() if reading.get(name) is not None]
    return "  ".join([*parts, f"{volts / 1000:.2f} V"] if volts is not None else parts)
