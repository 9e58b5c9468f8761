"""Home Assistant over MQTT: device discovery, merged states, events, firmware (beacons.md 12). Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mitherm import __version__
from mitherm.model.family import Family
from mitherm.model.report import Report, utc_text
from mitherm.publish.topics import (
    DEFAULT_BASE,
    OFFLINE,
    ONLINE,
    Message,
    availability_topic,
    bridge_topic,
    compact_json,
    object_id,
)

DEFAULT_PREFIX: Final = "homeassistant"
SETTLE_S: Final = 1.0
"""An event sent in the same instant as the discovery of its entity is lost."""
STOCK_EXPIRY_S: Final = 3600
"""Stock firmware sends a measurement every ten minutes, and receivers miss some."""
_EXPIRY_INTERVALS: Final = 6
_LONGEST_EXPIRY_S: Final = 6 * 3600
_INSTALL: Final = "install"
_EXPIRING: Final = ("temperature", "humidity")
_BUTTON: Final = "button"
_UPDATE: Final = "update"
_BUTTON_EVENTS: Final = (
    "press",
    "double_press",
    "triple_press",
    "long_press",
    "long_double_press",
    "long_triple_press",
    "hold_press",
    "hold_release",
)


def _sensor(
    device_class: str | None, unit: str | None, state_class: str = "measurement", **more: Any
) -> dict[str, Any]:
    fields = {"p": "sensor", "device_class": device_class, "unit_of_measurement": unit, "state_class": state_class}
    return {name: value for name, value in fields.items() if value is not None} | more


def _binary(device_class: str | None, **more: Any) -> dict[str, Any]:
    return {"p": "binary_sensor"} | ({"device_class": device_class} if device_class else {}) | more


_DIAGNOSTIC: Final = {"entity_category": "diagnostic"}
COMPONENTS: Final[dict[str, dict[str, Any]]] = {
    "temperature": _sensor("temperature", "°C", suggested_display_precision=2),
    "humidity": _sensor("humidity", "%", suggested_display_precision=2),
    "battery": _sensor("battery", "%", **_DIAGNOSTIC),
    "voltage": _sensor("voltage", "V", suggested_display_precision=3, **_DIAGNOSTIC),
    "rssi": _sensor("signal_strength", "dBm", enabled_by_default=False, **_DIAGNOSTIC),
    "count": _sensor(None, None, "total_increasing", name="Count"),
    "pressure": _sensor("atmospheric_pressure", "hPa"),
    "illuminance": _sensor("illuminance", "lx"),
    "soil_moisture": _sensor("moisture", "%"),
    "dew_point": _sensor("temperature", "°C", name="Dew point"),
    "co2": _sensor("carbon_dioxide", "ppm"),
    "pm25": _sensor("pm25", "µg/m³"),
    "pm10": _sensor("pm10", "µg/m³"),
    "opening": _binary("opening"),
    "trigger": _binary("power", name="Trigger output"),
    "battery_low": _binary("battery", **_DIAGNOSTIC),
    "door": _binary("door"),
    "window": _binary("window"),
    "motion": _binary("motion"),
    "moisture": _binary("moisture"),
    "problem": _binary("problem", **_DIAGNOSTIC),
}
"""Key in the state message to its component; what is not here is in the state message only."""
_RENAMED: Final = {"power": "trigger"}


@dataclass(slots=True)
class _Unit:
    """What the broker was told about a unit."""

    report: Report
    announced: dict[str, str] = field(default_factory=dict)
    """Component key to platform."""
    facts: tuple[object, ...] = ()
    """What the last discovery message was made from."""
    available: str = ""
    firmware: str = ""
    percent: float | None = None
    """Of an update that is under way."""
    expire_after_s: int = 0


class HomeAssistantLayout:
    """States under `base`, discovery under `prefix`. `latest` tells the newest version known for a unit, or None."""

    def __init__(
        self,
        base: str = DEFAULT_BASE,
        prefix: str = DEFAULT_PREFIX,
        *,
        silence_s: float = 300.0,
        latest: Callable[[Report], str | None] = lambda report: None,
        areas: Mapping[str, str] | None = None,
        install: bool = False,
    ) -> None:
        self._base = base
        self._prefix = prefix
        self._silence_s = silence_s
        self._latest = latest
        self._areas = areas or {}
        self._install = install
        self._units: dict[str, _Unit] = {}

    def messages(self, report: Report) -> list[Message]:
        """Discovery when it changed, then availability, firmware, state, event."""
        unit_id = object_id(report)
        if not report.values and unit_id not in self._units:
            return []
        unit = self._units.setdefault(unit_id, _Unit(report))
        unit.report = report
        unit.expire_after_s = max(unit.expire_after_s, self._expiry(report))
        return [
            *self._discovery(unit_id, unit),
            *self._availability(unit_id, unit),
            *self._firmware(unit_id, unit),
            *([self._state(unit_id, unit)] if report.event in ("reading", "fault") else ()),
            *self._event(unit_id, unit),
        ]

    def refresh(self) -> list[Message]:
        """Everything again: the broker lost it, or Home Assistant has just started."""
        messages: list[Message] = []
        for unit_id, unit in self._units.items():
            unit.facts, unit.available, unit.firmware = (), "", ""
            messages += self._discovery(unit_id, unit)
            messages += [*self._availability(unit_id, unit), *self._firmware(unit_id, unit)]
            if unit.report.available:  # a silent unit's old state would count as fresh
                messages.append(self._state(unit_id, unit))
        return messages

    def removal(self, unit: str) -> list[Message]:
        """An empty discovery message removes the device; retained states go too."""
        self._units.pop(unit, None)
        topics = (
            self._config_topic(unit),
            *(f"{self._base}/{unit}/{tail}" for tail in ("state", "availability", "fw")),
        )
        return [Message(topic, "", retain=True) for topic in topics]

    def last(self, unit: str) -> Report | None:
        """The last report of a unit."""
        entry = self._units.get(unit)
        return entry.report if entry is not None else None

    def installing(self, unit: str, percent: float | None) -> list[Message]:
        """How far an update is; None: it ended, one way or the other."""
        entry = self._units.get(unit)
        if entry is None:
            return []
        entry.percent = percent
        return self._firmware(unit, entry)

    def install_topic(self, unit: str = "+") -> str:
        """Where Home Assistant asks for an update."""
        return f"{self._base}/{unit}/fw/set"

    # ------------------------------------------------------------------------------------------------------------------

    def _discovery(self, unit_id: str, unit: _Unit) -> list[Message]:
        """A component that went is named with its platform once, then left out."""
        facts = _facts(unit)
        if facts == unit.facts:
            return []
        unit.facts = facts
        components = self._components(unit_id, unit)
        removed = {key: {"p": platform} for key, platform in unit.announced.items() if key not in components}
        config = compact_json(self._config(unit_id, unit.report, components | removed))
        if removed:
            unit.facts = ()  # the next message leaves them out
        with_event = any(
            component["p"] == "event" for key, component in components.items() if key not in unit.announced
        )
        unit.announced = {key: component["p"] for key, component in components.items()}
        return [Message(self._config_topic(unit_id), config, retain=True, pause_s=SETTLE_S if with_event else 0.0)]

    def _config_topic(self, unit_id: str) -> str:
        return f"{self._prefix}/device/mitherm_{unit_id}/config"

    def _config(self, unit_id: str, report: Report, components: dict[str, Any]) -> dict[str, Any]:
        return {
            "device": self._device(unit_id, report),
            "origin": {"name": "mitherm", "sw_version": __version__},
            "components": components,
            "state_topic": f"{self._base}/{unit_id}/state",
            "availability": [
                {"topic": bridge_topic(self._base)},
                {"topic": availability_topic(self._base, unit_id)},
            ],
            "availability_mode": "all",
            "qos": 1,
        }

    def _device(self, unit_id: str, report: Report) -> dict[str, Any]:
        """Upper case in `connections` relates it to the device of Home Assistant's own Bluetooth integrations."""
        fields: dict[str, Any] = {"identifiers": [f"mitherm_{unit_id}"]}
        if report.address is not None:
            fields["connections"] = [["bluetooth", str(report.address)]]
        device = {
            "name": _name(report),
            "manufacturer": "Qingping" if (report.model or "").startswith("CG") else "Xiaomi" if report.model else None,
            "model": report.model,
            "model_id": report.model,
            "hw_version": report.hardware,
            "sw_version": f"{report.family} {report.version}" if report.version else None,
            "suggested_area": self._areas.get(report.unit),
        }
        return fields | {name: value for name, value in device.items() if value is not None}

    def _components(self, unit_id: str, unit: _Unit) -> dict[str, dict[str, Any]]:
        components: dict[str, dict[str, Any]] = {}
        for key in _state_values(unit.report):
            name, number = _numbered(key)
            if name in COMPONENTS:
                components[key] = self._component(unit_id, unit, key, name, number)
        if unit.report.values and (_BUTTON in unit.report.values or _BUTTON in unit.announced):
            components[_BUTTON] = self._button(unit_id)
        if unit.report.version is not None:
            components[_UPDATE] = self._update(unit_id)
        return components

    def _component(self, unit_id: str, unit: _Unit, key: str, name: str, number: int) -> dict[str, Any]:
        config = {**COMPONENTS[name], "unique_id": f"mitherm_{unit_id}_{key}"}
        if number > 1:
            config["name"] = f"{config.get('name', name.replace('_', ' ').capitalize())} {number}"
        if config["p"] == "binary_sensor":
            config["value_template"] = f"{{{{ 'ON' if value_json.{key} else 'OFF' }}}}"
        else:
            config["value_template"] = f"{{{{ value_json.{key} }}}}"
        if name in _EXPIRING:
            config["expire_after"] = unit.expire_after_s
        return config

    def _button(self, unit_id: str) -> dict[str, Any]:
        return {
            "p": "event",
            "unique_id": f"mitherm_{unit_id}_{_BUTTON}",
            "name": "Button",
            "device_class": "button",
            "event_types": list(_BUTTON_EVENTS),
            "state_topic": f"{self._base}/{unit_id}/event",
        }

    def _update(self, unit_id: str) -> dict[str, Any]:
        config = {
            "p": "update",
            "unique_id": f"mitherm_{unit_id}_fw",
            "name": "Firmware",
            "device_class": "firmware",
            "state_topic": f"{self._base}/{unit_id}/fw",
        }
        if self._install:
            config |= {"command_topic": self.install_topic(unit_id), "payload_install": _INSTALL}
        return config

    def _expiry(self, report: Report) -> int:
        """Seconds, in whole minutes so that the discovery message seldom changes."""
        least = STOCK_EXPIRY_S if report.family is Family.STOCK else self._silence_s
        seconds = max(least, _EXPIRY_INTERVALS * (report.health.reading_interval_s or 0.0))
        return min(_LONGEST_EXPIRY_S, 60 * math.ceil(seconds / 60))

    # --- states -------------------------------------------------------------------------------------------------------

    def _availability(self, unit_id: str, unit: _Unit) -> list[Message]:
        available = ONLINE if unit.report.available else OFFLINE
        if available == unit.available:
            return []
        unit.available = available
        return [Message(availability_topic(self._base, unit_id), available, retain=True)]

    def _firmware(self, unit_id: str, unit: _Unit) -> list[Message]:
        if unit.report.version is None:
            return []
        latest = self._latest(unit.report) or unit.report.version
        fields: dict[str, Any] = {"installed_version": unit.report.version, "latest_version": latest}
        if self._install:
            fields |= {"in_progress": unit.percent is not None, "update_percentage": unit.percent}
        firmware = compact_json(fields)
        if firmware == unit.firmware:
            return []
        unit.firmware = firmware
        return [Message(f"{self._base}/{unit_id}/fw", firmware, retain=True)]

    def _state(self, unit_id: str, unit: _Unit) -> Message:
        """Always the merged state: a missing key would turn binary sensors off."""
        state = _state_values(unit.report) | {"time": utc_text(unit.report.at)}
        return Message(f"{self._base}/{unit_id}/state", compact_json(state), retain=True)

    def _event(self, unit_id: str, unit: _Unit) -> list[Message]:
        """Never retained."""
        event_type = (unit.report.received or {}).get(_BUTTON)
        messages = []
        for name in event_type if isinstance(event_type, list) else [event_type]:
            if name in _BUTTON_EVENTS:
                payload = {"event_type": name, "time": utc_text(unit.report.at)}
                messages.append(Message(f"{self._base}/{unit_id}/event", compact_json(payload)))
        return messages


def _state_values(report: Report) -> dict[str, Any]:
    """The keys of the state message; a quantity sent several times is numbered from the second on."""
    state: dict[str, Any] = {}
    for name, value in (report.values or {}).items():
        if name == _BUTTON:
            continue
        key = _RENAMED.get(name, name)
        for number, single in enumerate(value if isinstance(value, list) else [value], 1):
            state[key if number == 1 else f"{key}_{number}"] = single
    if report.rssi_dbm is not None:
        state["rssi"] = report.rssi_dbm
    if report.family is not Family.STOCK:  # stock has no word for a sensor that fails
        state["problem"] = report.fault
    return state


def _facts(unit: _Unit) -> tuple[object, ...]:
    """All that discovery depends on; making the message for every reading would cost more than decoding it."""
    report = unit.report
    button = _BUTTON in (report.values or {})
    about = (report.name, report.model, report.hardware, report.family, report.version, report.address)
    return (*_state_values(report), button, unit.expire_after_s, *about)


def _name(report: Report) -> str:
    """All stock units have the same name."""
    if report.name is None or report.name == report.model:
        tail = report.address.compact[-6:].upper() if report.address is not None else report.unit
        return f"{report.name or 'Thermometer'} {tail}"
    return report.name


def _numbered(key: str) -> tuple[str, int]:
    name, _, number = key.rpartition("_")
    return (name, int(number)) if name in COMPONENTS and number.isdecimal() else (key, 1)
