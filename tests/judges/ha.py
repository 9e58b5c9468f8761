"""Judge of beacon-ha-discovery: our messages give the same entities and states as the recorded ones (beacons.md 12).

A model of Home Assistant must first reproduce the recorded states from the recorded messages. A second one gets what our
layout makes of the same readings, and must show the same, with states merged. A third check holds every message of ours
against the traps of beacons.md 12.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from judges._ha_model import HomeAssistant
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.report import Event, Report
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.topics import Message, bridge_topic

_BEGUN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NOT_VALUES: Final = ("rssi", "trigger", "problem", "time")
_TOPIC_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_UPPER: Final = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}")


@dataclass
class _Told:
    """What the recorded messages told about one unit."""

    device: dict[str, Any] = field(default_factory=dict)
    components: set[str] = field(default_factory=set)
    state: dict[str, Any] = field(default_factory=dict)
    version: str | None = None
    latest: str | None = None

    def report(self, event: Event, at: datetime, received: dict[str, Any]) -> Report:
        """The same as a listener would report it."""
        known = {
            name: value for name, value in self.state.items() if name not in _NOT_VALUES and name in self.components
        }
        if "trigger" in self.state and "trigger" in self.components:
            known["power"] = self.state["trigger"]
        if "button" in self.components:
            known["button"] = None
        address = Address.parse(self.device["connections"][0][1])
        return Report(
            unit=str(address),
            event=event,
            at=at,
            address=address,
            name=self.device["name"],
            model=self.device.get("model"),
            hardware=self.device.get("hw_version"),
            family=Family.of(self.device.get("sw_version", "").partition(" ")[0]),
            version=self.version,
            rssi_dbm=self.state.get("rssi"),
            values=known | received,
            received=received or known,
        )


class Ours:
    """Our side of the story: reports made from the recorded messages, through our layout, into a Home Assistant."""

    def __init__(self) -> None:
        self.home = HomeAssistant()
        self.messages: list[Message] = []
        self._layout = HomeAssistantLayout(latest=lambda report: self._units[str(report.address)].latest)
        self._units: defaultdict[str, _Told] = defaultdict(_Told)

    def take(self, topic: str, payload: Any) -> None:
        """A recorded message happened: say the same in our way."""
        match topic.split("/"):
            case [_, "bridge", "status"]:
                self.home.publish(bridge_topic("mitherm"), payload, retain=True)
            case ["homeassistant", "device", object_id, "config"] if not payload:
                self._send(self._layout.removal(object_id.removeprefix("mitherm_")))
            case ["homeassistant", "device", object_id, "config"] if "origin" in payload:
                self._configure(self._unit(object_id.removeprefix("mitherm_")), payload)
            case [_, unit, "state"]:
                self._unit(unit).state |= payload
                self._report(self._unit(unit), "reading", {})
            case [_, unit, "event"]:
                self._report(self._unit(unit), "reading", {"button": payload["event_type"]})
            case [_, unit, "fw"]:
                told = self._unit(unit)
                told.version, told.latest = payload["installed_version"], payload["latest_version"]
                self._report(told, "seen", {})

    def _unit(self, object_id: str) -> _Told:
        return self._units[str(Address.parse(object_id))]

    def _configure(self, told: _Told, payload: dict[str, Any]) -> None:
        told.device = payload["device"]
        told.version = told.device.get("sw_version", "").partition(" ")[2] or None
        told.components = {key for key, one in payload["components"].items() if one.keys() > {"p"}}
        self._report(told, "seen", {})

    def _report(self, told: _Told, event: Event, received: dict[str, Any]) -> None:
        at = _BEGUN + timedelta(seconds=self.home.now_s)
        self._send(self._layout.messages(told.report(event, at, received)))

    def _send(self, messages: list[Message]) -> None:
        for message in messages:
            self.messages.append(message)
            self.home.publish(message.topic, message.payload, message.retain)


def judge(document: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The cases in order; then our messages against the traps."""
    recorded, merged, ours = HomeAssistant(), HomeAssistant(), Ours()
    states: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for case in document["cases"]:
        for message in case["publish"]:
            topic, payload, retain = message["topic"], message["payload"], message["retain"]
            text = payload if isinstance(payload, str) else json.dumps(payload)
            recorded.publish(topic, text, retain)
            if topic.endswith("/state") and isinstance(payload, dict):
                states[topic] |= payload
                text = json.dumps(states[topic])
            merged.publish(topic, text, retain)
            ours.take(topic, payload)
        recorded.now_s += case["wait_s"]
        merged.now_s += case["wait_s"]
        ours.home.now_s += case["wait_s"] * _scale(recorded, ours.home)
        yield f"{case['name']} (model)", _differences(recorded, case, case.get("states", {}))
        wanted = {name: _state(merged, name) for name in case.get("states", {})}
        yield f"{case['name']} (ours)", _differences(ours.home, case, wanted)
    yield from traps(ours.messages)


def _scale(recorded: HomeAssistant, ours: HomeAssistant) -> float:
    """Recorded expiry is short to make the test quick; time on our side passes in proportion."""
    spans = [_expiry(home) for home in (recorded, ours)]
    return spans[1] / spans[0] if all(spans) else 1.0


def _expiry(home: HomeAssistant) -> float:
    configs = (entity.config for device in home.devices.values() for entity in device.entities.values())
    return max((float(config.get("expire_after", 0)) for config in configs), default=0.0)


def _state(home: HomeAssistant, entity_id: str) -> str | None:
    try:
        return home.state(entity_id)
    except KeyError:
        return "not there"


def _differences(home: HomeAssistant, case: dict[str, Any], states: dict[str, Any]) -> str | None:
    wrong = []
    for entity_id, wanted in states.items():
        got = _state(home, entity_id)
        if got != wanted:
            wrong.append(f"{entity_id} is {got!r}, not {wanted!r}")
    for entity_id, wanted in case.get("event", {}).items():
        entity = home.entity(entity_id)
        if entity is None or entity.event != wanted:
            wrong.append(f"{entity_id} did not tell {wanted!r}")
    wrong += [f"{entity_id} is still there" for entity_id in case.get("absent", ()) if home.entity(entity_id)]
    names = [device.info["name"] for device in home.devices.values()]
    if case.get("absent_device") in names:
        wrong.append(f"device {case['absent_device']!r} was taken")
    wrong += _device_differences(home, case.get("device", {}))
    return "; ".join(wrong) or None


def _device_differences(home: HomeAssistant, wanted: dict[str, Any]) -> list[str]:
    """`identifiers` are recorded as Home Assistant keeps them, with the domain in front."""
    if not wanted:
        return []
    if len(home.devices) != 1:
        return [f"{len(home.devices)} devices"]
    info = next(iter(home.devices.values())).info
    shown = info | {"identifiers": [["mqtt", one] for one in info["identifiers"]]}
    return [f"device {name} is {shown.get(name)!r}" for name, value in wanted.items() if shown.get(name) != value]


def traps(messages: list[Message]) -> Iterator[tuple[str, str | None]]:
    """Every rule of beacons.md 12 that a message can break."""
    configs = [
        (message, json.loads(message.payload))
        for message in messages
        if message.topic.endswith("/config") and message.payload
    ]
    states = [json.loads(one.payload) for one in messages if one.topic.endswith("/state") and one.payload]
    keys = [
        [set(json.loads(one.payload)) for one in messages if one.topic == topic and one.payload]
        for topic in _state_topics(messages)
    ]
    events = [message for message in messages if message.topic.endswith("/event")]
    components = [component for _, config in configs for component in config["components"].values()]
    told = [set(re.findall(r"value_json\.(\w+)", one.get("value_template", ""))) for one in components]
    rules = {
        "discovery is retained": all(message.retain for message, _ in configs),
        "topics hold only letters, digits, _ and -": all(
            _TOPIC_WORD.fullmatch(word) for message in messages for word in message.topic.split("/")
        ),
        "origin has a name": all(config["origin"]["name"] for _, config in configs),
        "bluetooth connections are upper case": all(
            kind == "bluetooth" and _UPPER.fullmatch(address)
            for _, config in configs
            for kind, address in config["device"].get("connections", ())
        ),
        "every component names its platform": all("p" in one for one in components),
        "unique ids are unique": all(_unique(config["components"]) for _, config in configs),
        "a component stands for a value that was sent": all(one <= set().union(*states) for one in told),
        "states are merged: no key is ever left out": all(
            before <= after | {"trigger", "button"} for unit in keys for before, after in pairwise(unit)
        ),
        "temperature and humidity expire": all(
            config["components"][name].get("expire_after")
            for _, config in configs
            for name in ("temperature", "humidity")
            if config["components"].get(name, {}).keys() > {"p"}
        ),
        "the last will makes everything unavailable": all(
            {"topic": bridge_topic("mitherm")} in config["availability"] for _, config in configs
        ),
        "signal strength is disabled at first": all(
            one.get("enabled_by_default") is False for one in components if one.get("device_class") == "signal_strength"
        ),
        "events are never retained": all(not message.retain for message in events),
        "an entity has time to appear before its first event": any(message.pause_s > 0 for message, _ in configs)
        or not events,
        "states carry their time": all("time" in state for state in states),
    }
    for rule, holds in rules.items():
        yield f"trap: {rule}", None if holds else "broken"


def _state_topics(messages: list[Message]) -> set[str]:
    return {message.topic for message in messages if message.topic.endswith("/state") and message.payload}


def _unique(components: dict[str, Any]) -> bool:
    ids = [one["unique_id"] for one in components.values() if "unique_id" in one]
    return len(ids) == len(set(ids))


AREAS = {"beacon-ha-discovery": judge}
