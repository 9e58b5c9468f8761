"""Topics, discovery, the queue on disk, broker URLs: everything of MQTT that needs no broker."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mitherm.errors import Busy, DiskProblem, FileMissing, UsageProblem
from mitherm.model.family import Family
from mitherm.primitives.secret import Secret
from mitherm.publish.broker import Broker
from mitherm.publish.homeassistant import HomeAssistantLayout
from mitherm.publish.queue import MessageQueue
from mitherm.publish.topics import Message, PlainLayout
from monitor.reports import report

UNIT = "a4c1380a0b0c"


def by_topic(messages: list[Message]) -> dict[str, Any]:
    """Topic tail to decoded payload."""
    return {
        one.topic.rpartition("/")[2]: json.loads(one.payload) if one.payload[:1] == "{" else one.payload
        for one in messages
    }


class TestHomeAssistant:
    """Rules of beacons.md 12 that the vectors do not tell."""

    def test_components_come_with_their_values(self) -> None:
        """No component before its value exists; then discovery is repeated with more."""
        layout = HomeAssistantLayout()
        first = by_topic(layout.messages(report({"temperature": 21.0})))
        assert set(first["config"]["components"]) == {"temperature", "rssi", "problem"}
        assert "config" not in by_topic(layout.messages(report({"temperature": 21.1})))
        second = by_topic(layout.messages(report({"temperature": 21.0, "voltage": 3.0})))
        assert set(second["config"]["components"]) == {"temperature", "rssi", "problem", "voltage"}

    def test_a_unit_without_values_is_not_announced(self) -> None:
        """Nobody wants an empty device."""
        assert HomeAssistantLayout().messages(report({}, event="seen")) == []

    def test_stock_values_live_longer(self) -> None:
        """Its measurements come every ten minutes; slow units get six intervals."""
        stock = by_topic(HomeAssistantLayout().messages(report(family=Family.STOCK)))
        assert stock["config"]["components"]["temperature"]["expire_after"] == 3600
        custom = by_topic(HomeAssistantLayout(silence_s=100).messages(report()))
        assert custom["config"]["components"]["temperature"]["expire_after"] == 120
        assert "problem" not in stock["state"]

    def test_a_value_that_is_gone_is_removed_once(self) -> None:
        """First named with its platform, then left out."""
        layout = HomeAssistantLayout()
        layout.messages(report({"temperature": 21.0, "power": True}))
        gone = by_topic(layout.messages(report({"temperature": 21.0})))
        assert gone["config"]["components"]["trigger"] == {"p": "binary_sensor"}
        assert "trigger" not in by_topic(layout.messages(report({"temperature": 21.0})))["config"]["components"]
        assert "config" not in by_topic(layout.messages(report({"temperature": 21.0})))

    def test_buttons_are_events(self) -> None:
        """Never retained, never part of the state; discovery gets a moment's start."""
        messages = HomeAssistantLayout().messages(report({"temperature": 21.0, "button": "long_press"}))
        event = next(one for one in messages if one.topic.endswith("/event"))
        assert not event.retain
        assert json.loads(event.payload)["event_type"] == "long_press"
        assert messages[0].pause_s > 0
        assert "button" not in by_topic(messages)["state"]
        assert not [
            one for one in HomeAssistantLayout().messages(report({"button": None})) if one.topic.endswith("/event")
        ]

    def test_silence_is_told_and_not_refreshed(self) -> None:
        """Offline once; a refresh repeats no state of a silent unit, which would count as fresh."""
        layout = HomeAssistantLayout()
        layout.messages(report())
        silent = report(event="silent", available=False, received={})
        assert by_topic(layout.messages(silent)) == {"availability": "offline"}
        assert layout.messages(silent) == []
        assert set(by_topic(layout.refresh())) == {"config", "availability"}

    def test_firmware_and_its_update(self) -> None:
        """Announced when the version is known; a command topic only where installing is allowed."""
        told = by_topic(HomeAssistantLayout(latest=lambda one: "5.8").messages(report(version="5.0", hardware="B1.4")))
        assert told["fw"] == {"installed_version": "5.0", "latest_version": "5.8"}
        assert told["config"]["device"]["sw_version"] == "pvvx 5.0"
        assert "command_topic" not in told["config"]["components"]["update"]
        layout = HomeAssistantLayout(latest=lambda one: "5.8", install=True)
        told = by_topic(layout.messages(report(version="5.0")))
        assert told["config"]["components"]["update"]["command_topic"] == f"mitherm/{UNIT}/fw/set"
        (progress,) = layout.installing(UNIT, 50.0)
        assert json.loads(progress.payload)["update_percentage"] == 50.0
        assert json.loads(layout.installing(UNIT, None)[0].payload)["in_progress"] is False

    def test_several_of_a_kind_are_numbered(self) -> None:
        """With names and ids of their own."""
        told = by_topic(HomeAssistantLayout().messages(report({"temperature": [20.0, 30.0]})))
        second = told["config"]["components"]["temperature_2"]
        assert (second["name"], second["unique_id"]) == ("Temperature 2", f"mitherm_{UNIT}_temperature_2")
        assert told["state"]["temperature_2"] == 30.0

    def test_a_hidden_address_gives_a_harmless_id(self) -> None:
        """No connection to merge with, and no character that topics do not like."""
        messages = HomeAssistantLayout().messages(report(address=None, unit="6F-/+#", name=None))
        assert messages[0].topic == "homeassistant/device/mitherm_6F-___/config"
        assert "connections" not in by_topic(messages)["config"]["device"]

    def test_stock_units_are_told_apart(self) -> None:
        """They all advertise the same name."""
        told = by_topic(HomeAssistantLayout().messages(report(name="LYWSD03MMC", model="LYWSD03MMC")))
        assert told["config"]["device"]["name"] == "LYWSD03MMC 0A0B0C"

    def test_removal_leaves_nothing(self) -> None:
        """Every retained topic is emptied."""
        layout = HomeAssistantLayout()
        retained = {one.topic for one in layout.messages(report(version="5.8")) if one.retain}
        removed = layout.removal(UNIT)
        assert {one.topic for one in removed} == retained
        assert {(one.payload, one.retain) for one in removed} == {("", True)}
        assert layout.refresh() == []


def test_the_plain_layout() -> None:
    """One topic per quantity, numbers as JSON, what came with this frame only."""
    layout = PlainLayout("house")
    told = {one.topic: one.payload for one in layout.messages(report({"temperature": 21.37, "voltage": 2.983}))}
    assert told == {
        f"house/{UNIT}/availability": "online",
        f"house/{UNIT}/temperature_c": "21.37",
        f"house/{UNIT}/battery_mv": "2983",
        f"house/{UNIT}/rssi_dbm": "-60",
        f"house/{UNIT}/seen": "2026-01-01T12:00:00.000Z",
    }
    assert {one.topic for one in layout.refresh()} == set(told)
    assert {one.topic for one in layout.removal(UNIT)} >= set(told)
    assert PlainLayout().removal(UNIT), "also by a program that never saw the unit"


class TestQueue:
    """Messages that wait."""

    def test_order_and_acknowledgement(self) -> None:
        """The head stays until it is done."""
        queue = MessageQueue(None)
        for number in range(5):
            queue.put(Message("t", str(number), retain=number % 2 == 0, pause_s=0.5))
        head = queue.head(2)
        assert [one for _, one in head] == [Message("t", "0", True, 0.5), Message("t", "1", False, 0.5)]
        assert queue.head(2) == head
        queue.done(head[-1][0])
        assert [one.payload for _, one in queue.head(9)] == ["2", "3", "4"]
        assert len(queue) == 3

    def test_a_full_queue_drops_the_oldest(self) -> None:
        """Counted, and only beyond the bound."""
        queue = MessageQueue(None, limit=3)
        for number in range(5):
            queue.put(Message("t", str(number)))
        assert [one.payload for _, one in queue.head(9)] == ["2", "3", "4"]
        assert (len(queue), queue.dropped) == (3, 2)

    def test_it_survives(self, tmp_path: Path) -> None:
        """A new process finds what waited; numbers go on, so that an old acknowledgement means nothing new."""
        path = tmp_path / "folder" / "queue"
        queue = MessageQueue(path)
        queue.put(Message("t", "old"))
        (number, _), *_ = queue.head(1)
        queue.close()
        again = MessageQueue(path)
        again.put(Message("t", "new"))
        assert [(one.payload, index > number) for index, one in again.head(9)] == [("old", False), ("new", True)]
        again.close()

    def test_one_owner(self, tmp_path: Path) -> None:
        """A second gateway on the same queue would send everything twice."""
        queue = MessageQueue(tmp_path / "queue")
        with pytest.raises(Busy):
            MessageQueue(tmp_path / "queue")
        queue.close()
        MessageQueue(tmp_path / "queue").close()

    def test_a_damaged_file_is_named(self, tmp_path: Path) -> None:
        """Not overwritten."""
        path = tmp_path / "queue"
        path.write_bytes(b"no database " * 200)
        with pytest.raises(DiskProblem, match="queue"):
            MessageQueue(path)
        with pytest.raises(sqlite3.DatabaseError):
            sqlite3.connect(path).execute("SELECT 1 FROM message")


class TestBroker:
    """MQTT URLs."""

    def test_parts(self) -> None:
        """Ports by scheme, credentials decoded, the path is the first topic."""
        broker = Broker.parse("mqtts://me:p%40ss@host/house/")
        assert (broker.host, broker.port, broker.tls, broker.username, broker.base) == (
            "host",
            8883,
            True,
            "me",
            "house",
        )
        assert broker.password is not None
        assert broker.password.reveal() == b"p@ss"
        assert (Broker.parse("mqtt://host:18").port, Broker.parse("mqtt://host").base) == (18, "mitherm")

    def test_the_password_is_shown_nowhere(self) -> None:
        """Neither by str nor by repr, and a better source goes before the URL."""
        broker = Broker.parse("mqtt://me:first@host", password=Secret(b"second"))
        assert broker.password is not None
        assert broker.password.reveal() == b"second"
        assert "first" not in f"{broker} {broker!r}"
        assert "second" not in f"{broker} {broker!r}"

    @pytest.mark.parametrize(
        "url", ["host", "http://host", "mqtt://", "mqtt://u:secret@h:port", "mqtt://h/a+b", "mqtt://h/%23"]
    )
    def test_bad_urls_are_not_quoted(self, url: str) -> None:
        """A URL may hold a password."""
        with pytest.raises(UsageProblem) as caught:
            Broker.parse(url)
        assert "secret" not in caught.value.message

    def test_missing_files(self) -> None:
        """Before anything begins."""
        with pytest.raises(FileMissing):
            Broker.parse("mqtt://host", ca_file=Path("/nowhere"))
