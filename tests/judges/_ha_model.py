"""What Home Assistant does with MQTT discovery, as far as beacons.md 12 verified it: entities, states, devices."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

PREFIX: Final = "homeassistant"
_CONFIG: Final = re.compile(rf"{PREFIX}/device/([A-Za-z0-9_-]+)/config")
_VALUE: Final = re.compile(r"\{\{ value_json\.(\w+) \}\}")
_SWITCH: Final = re.compile(r"\{\{ 'ON' if value_json\.(\w+) else 'OFF' \}\}")
_SHARED: Final = ("state_topic", "availability", "availability_mode", "qos", "encoding", "command_topic")
_LONG: Final = {
    "dev": "device",
    "o": "origin",
    "cmps": "components",
    "platform": "p",
    "uniq_id": "unique_id",
    "stat_t": "state_topic",
    "avty": "availability",
    "val_tpl": "value_template",
    "ids": "identifiers",
    "cns": "connections",
}


@dataclass
class Entity:
    """One entity of a discovered device."""

    entity_id: str
    config: dict[str, Any]
    state: str = "unknown"
    updated_s: float = 0.0
    event: str | None = None


@dataclass
class Device:
    """One discovered device."""

    info: dict[str, Any]
    entities: dict[str, Entity] = field(default_factory=dict)


@dataclass
class HomeAssistant:
    """Fed with messages in order; `now_s` is moved by the caller. Retained messages reach later subscribers."""

    now_s: float = 0.0
    devices: dict[str, Device] = field(default_factory=dict)
    _retained: dict[str, str] = field(default_factory=dict)
    _available: dict[str, str] = field(default_factory=dict)

    def publish(self, topic: str, payload: str, retain: bool) -> None:
        """A message reaches the broker."""
        if retain:
            self._retained[topic] = payload
        if match := _CONFIG.fullmatch(topic):
            self._discover(match[1], payload)
        else:
            self._deliver(topic, payload, retained=False)

    def entity(self, entity_id: str) -> Entity | None:
        """An entity by its id."""
        found = (one for device in self.devices.values() for one in device.entities.values())
        return next((one for one in found if one.entity_id == entity_id), None)

    def state(self, entity_id: str) -> str | None:
        """The state a user sees; None for a disabled entity. Raises KeyError."""
        entity = self.entity(entity_id)
        if entity is None:
            raise KeyError(entity_id)
        if not entity.config.get("enabled_by_default", True):
            return None
        topics = [one["topic"] for one in entity.config.get("availability", ())]
        if any(self._available.get(topic) != "online" for topic in topics):
            return "unavailable"
        expiry = entity.config.get("expire_after")
        return "unavailable" if expiry and self.now_s - entity.updated_s > expiry else entity.state

    def _discover(self, object_id: str, payload: str) -> None:
        if not payload:
            self.devices.pop(object_id, None)
            return
        config = _long(json.loads(payload))
        if not config.get("origin", {}).get("name"):
            return
        device = self.devices.setdefault(object_id, Device(config["device"]))
        device.info = config["device"]
        shared = {name: config[name] for name in _SHARED if name in config}
        for key, component in config["components"].items():
            component = _long(component)
            if component.keys() <= {"p"}:
                device.entities.pop(key, None)
                continue
            self._add(device, key, shared | component)

    def _add(self, device: Device, key: str, config: dict[str, Any]) -> None:
        if key in device.entities:
            device.entities[key].config = config
            return
        name = config.get("name") or config["device_class"]
        entity_id = f"{config['p']}.{_slug(device.info['name'])}_{_slug(name)}"
        device.entities[key] = Entity(entity_id, config, "unknown")
        for topic in (config["state_topic"], *(one["topic"] for one in config.get("availability", ()))):
            if topic in self._retained:
                self._deliver(topic, self._retained[topic], retained=True)

    def _deliver(self, topic: str, payload: str, *, retained: bool) -> None:
        for device in self.devices.values():
            for entity in device.entities.values():
                if topic in [one["topic"] for one in entity.config.get("availability", ())]:
                    self._available[topic] = payload
                if entity.config["state_topic"] == topic and payload:
                    self._update(entity, json.loads(payload), retained)

    def _update(self, entity: Entity, payload: dict[str, Any], retained: bool) -> None:
        match entity.config["p"]:
            case "event":
                if not retained and payload.get("event_type") in entity.config["event_types"]:
                    entity.event = payload["event_type"]
                return
            case "update":
                entity.state = "off" if payload["installed_version"] == payload["latest_version"] else "on"
                return
            case "binary_sensor":
                match = _SWITCH.fullmatch(entity.config["value_template"])
                entity.state = "on" if match and payload.get(match[1]) else "off"
            case _:
                match = _VALUE.fullmatch(entity.config["value_template"])
                if match is None or match[1] not in payload:
                    return
                entity.state = str(payload[match[1]])
        entity.updated_s = self.now_s


def _long(table: dict[str, Any]) -> dict[str, Any]:
    found = {_LONG.get(name, name): value for name, value in table.items()}
    if isinstance(found.get("device"), dict):
        found["device"] = {_LONG.get(name, name): value for name, value in found["device"].items()}
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
