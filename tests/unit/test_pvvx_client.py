"""Conversations with a virtual pvvx, every version and stray frame included."""

from dataclasses import replace

import pytest

from mitherm.errors import AttRefused, LinkTimeout, NotSupported, SettingsError
from mitherm.model.address import Address
from mitherm.model.keys import did_record
from mitherm.primitives.secret import Secret
from mitherm.protocol.pvvx import client
from mitherm.protocol.pvvx.keys import DELETED, DID, KEYS, ItemCollector, key_frames
from mitherm.protocol.pvvx.structs import Comfort, HistoryRecord
from mitherm.protocol.uuids import CUSTOM_COMMAND
from mitherm.virtual.board.chip import Chip
from mitherm.virtual.board.mi_records import MI_STORE, MiRecordStore
from mitherm.virtual.central import CentralLink
from mitherm.virtual.factory import make_unit
from mitherm.virtual.faults import FaultTable
from mitherm.virtual.spec import UnitSpec
from mitherm.virtual.unit import Unit

ADDRESS = Address.parse("A4:C1:38:33:22:11")
OLD, NEW = b"o" * 28, b"n" * 28


def unit(version: str = "5.8", bound: str = "no", *, fill: bool = False) -> Unit:
    """A running unit; `fill` adds two generations of keys and a counter."""
    made = make_unit(UnitSpec(f"pvvx-{version}", ADDRESS, bound=bound), lambda n: bytes(range(1, n + 1)))
    if fill:
        records = MiRecordStore(made.flash)
        records.write(1, did_record("blt.3.129vabcdefATC"))
        records.write(0x10, OLD)
        records.write(0x10, NEW)
        records.write(4, b"\x10\0\0\0")
    one = Unit(Chip(made.flash, entropy=lambda n: bytes(range(2, n + 2))))
    one.power_up(0.0)
    return one


def link(version: str = "5.8", *, fill: bool = False) -> CentralLink:
    return CentralLink(unit(version, fill=fill)).connect()


VERSIONS = ["0.8", "1.4", "2.1", "2.8", "3.2", "3.6", "4.1", "4.3", "4.7", "5.1", "5.8"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_tells_its_records(version: str) -> None:
    """Command 15 is understood everywhere, whatever stray frames come first."""
    records = link(version, fill=True).run(client.read_mi_records())
    assert records.mac.address == ADDRESS
    assert records.did_text == "blt.3.129vabcdefATC"
    assert records.current is not None
    assert records.current.record == NEW
    assert [keys.record for keys in records.previous] == [OLD]


@pytest.mark.parametrize("version", VERSIONS)
def test_config_is_read_without_touching_flash(version: str) -> None:
    """A GATT read gives the version and all fields."""
    pair = link(version)
    before = bytes(pair.unit.chip.flash.data)
    config = pair.run(client.read_config())
    assert config.values["advertising_interval"] > 0
    assert bytes(pair.unit.chip.flash.data) == before


@pytest.mark.parametrize("version", ["2.1", "2.8", "4.3", "5.8"])
def test_erasing(version: str) -> None:
    """DID, keys, counter and superseded records are gone, with or without an answer to 17."""
    pair = link(version, fill=True)
    pair.run(client.erase_mi_records())
    assert pair.unit.chip.flash.is_blank(MI_STORE, 4096)


def test_erasing_is_refused_where_the_command_does_not_exist() -> None:
    """Before 2.1 nothing is written."""
    pair = link("1.4", fill=True)
    with pytest.raises(NotSupported):
        pair.run(client.erase_mi_records())
    assert not pair.unit.chip.flash.is_blank(MI_STORE, 4)


@pytest.mark.parametrize("version", ["1.4", "2.8", "4.2", "5.8"])
def test_keys_are_replaced_in_place(version: str) -> None:
    """Old pair back into force; everything else in the sector stays."""
    pair = link(version, fill=True)
    after = pair.run(client.set_keys(did_record("blt.3.1aaaaaaaaaaaa"), Secret(OLD)))
    assert after.did_text == "blt.3.1aaaaaaaaaaaa"
    assert after.keys == Secret(OLD)
    assert after.deleted == (Secret(OLD),)


def test_nothing_to_replace() -> None:
    """An empty store takes no keys, and the client says so before writing."""
    pair = link()
    with pytest.raises(NotSupported):
        pair.run(client.set_keys(None, Secret(NEW)))


def test_wrong_lengths_never_leave() -> None:
    """A key of another length would be taken for a question."""
    with pytest.raises(SettingsError):
        link(fill=True).run(client.set_keys(None, Secret(b"short")))


def test_flash_is_copied() -> None:
    """4 KiB by DE equal the flash."""
    pair = link(fill=True)
    assert pair.run(client.read_flash(MI_STORE, 4096)) == pair.unit.chip.flash.read(MI_STORE, 4096)


@pytest.mark.parametrize("version", ["2.8", "4.3", "5.8"])
def test_measurement(version: str) -> None:
    """One frame with what the sensor sees."""
    one = link(version).run(client.measure())
    assert (one.temp_x100, one.humi_x100, one.battery_mv // 100) == (2150, 4500, 29)


def test_device_id() -> None:
    """Known from 4.5 on."""
    found = link().run(client.device_id())
    assert found is not None
    assert (found.hardware_id, found.version, found.services) == (0, 0x58, 0x8153FF)
    assert link("4.3").run(client.device_id()) is None


def test_name_survives_the_reboot_it_arms() -> None:
    """Stored, in force after the reconnect."""
    pair = link()
    assert pair.run(client.read_name()) == "ATC_332211"
    assert pair.run(client.set_name("Küche")) == "Küche"
    pair.close()
    pair.unit.advance(pair.now + 5)
    assert CentralLink(pair.unit, pair.now + 5).connect().run(client.read_name()) == "Küche"


def test_names_too_long_are_refused() -> None:
    """The eighteenth byte would be lost."""
    with pytest.raises(SettingsError):
        link().run(client.set_name("x" * 18))


def test_settings_round_trip() -> None:
    """Comfort, thresholds, configuration: written, clamped, read back."""
    pair = link()
    comfort = Comfort(-525, 3050, 2000, 8025)
    pair.run(client.write_comfort(comfort))
    assert pair.run(client.read_comfort()) == comfort
    trigger = replace(pair.run(client.read_trigger()), temp_threshold=-1000)
    assert pair.run(client.write_trigger(trigger)).temp_threshold == -1000
    config = pair.run(client.read_config()).changed({"advertising_interval": 255})
    stored = pair.run(client.write_config(config))
    assert stored == config.clamped
    assert stored.values["advertising_interval"] == 160


def test_an_equal_configuration_is_not_written() -> None:
    """5.8 wears its flash with every 55."""
    pair = link()
    before = bytes(pair.unit.chip.flash.data)
    pair.run(client.write_config(pair.run(client.read_config())))
    assert bytes(pair.unit.chip.flash.data) == before


def test_pin_protects_after_the_reboot() -> None:
    """With a PIN 1F1F wants authentication; the strings stay readable."""
    pair = link()
    assert pair.run(client.set_pin(123456))
    assert not pair.run(client.set_pin(123456))
    pair.close()
    pair.unit.advance(pair.now + 5)
    again = CentralLink(pair.unit, pair.now + 5).connect()
    with pytest.raises(AttRefused):
        again.run(client.read_config())
    with pytest.raises(SettingsError):
        link().run(client.set_pin(1_000_000))


def test_beacon_key() -> None:
    """Set and read; never in the repr."""
    pair = link()
    pair.run(client.set_beacon_key(Secret(b"k" * 16)))
    key = pair.run(client.read_beacon_key())
    assert key == Secret(b"k" * 16)
    assert "kkkk" not in repr(key)


def test_history() -> None:
    """Newest first."""
    pair = link()
    firmware = pair.unit.firmware
    for number in range(1000):
        firmware.ring.append(HistoryRecord(number, number, 2 * number, 3000))  # type: ignore[union-attr]
    records = pair.run(client.read_history())
    assert [record.time for record in records] == list(reversed(range(1000)))
    assert len(pair.run(client.read_history(5))) == 5
    pair.run(client.clear_history())
    assert pair.run(client.read_history()) == []


def test_clearing_an_old_version_is_refused() -> None:
    """2.3 to 3.7 would erase the serial number."""
    with pytest.raises(NotSupported):
        link("3.6").run(client.clear_history())


def test_old_firmware_is_silent_about_unknown_commands() -> None:
    """1.4 does not know command 72 and says nothing; later ones answer, see test_recorded_answers.py."""
    with pytest.raises(LinkTimeout):
        link("1.4").run(client.reboot_on_disconnect())


def test_lost_frames_are_asked_for_again() -> None:
    """A lost notification costs one repetition, not the result."""
    one = unit(fill=True)
    one.faults = FaultTable.from_tables({"lose": [{"at": f"notify:{CUSTOM_COMMAND}", "n": 4}]})
    records = CentralLink(one).connect().run(client.read_mi_records())
    assert records.keys == Secret(NEW)
    assert records.deleted == (Secret(OLD),)


def test_collector_drops_strays_and_repetitions() -> None:
    """Foreign ids, wrong lengths and doubled frames do not count."""
    collector = ItemCollector(DID, KEYS, DELETED)
    stray = [b"\x00" + frame[1:] for frame in key_frames(DID, b"d" * 20)] + key_frames(DID, OLD)
    good = [frame for frame in key_frames(KEYS, NEW) for _ in range(3)]
    items = [collector.feed(frame) for frame in stray + good]
    assert [item for item in items if item] == [(KEYS, NEW)]
