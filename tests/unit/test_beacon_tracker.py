"""Receiver rules, merged state, key trial and key check."""

import pytest

from mitherm.beacon import BeaconKey
from mitherm.beacon import bthome_encode as bthome
from mitherm.beacon.custom_encode import SensorValues, event_count, pvvx_custom, pvvx_custom_encrypted
from mitherm.beacon.keyring import KeyRing
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_battery, mi_climate, mi_humidity, mi_temperature
from mitherm.beacon.tracker import SILENCE_S, Tracker
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

A = Address.parse("A4:C1:38:56:53:84")
B = Address.parse("A4:C1:38:0A:0B:0C")
OLD, NEW, FOREIGN = (BeaconKey(Secret(bytes((number,)) * 16)) for number in (1, 2, 3))
M = SensorValues(2137, 5512, 2987, 98)
BTHOME, MI, CUSTOM = 0xFCD2, 0xFE95, 0x181A


def _tracker(*keys: tuple[BeaconKey, Address | None, str]) -> Tracker:
    ring = KeyRing()
    for key, owner, label in keys:
        ring.add(key, owner, label)
    return Tracker(ring)


def _encrypted(counter: int, key: BeaconKey = NEW, temperature: int = 211) -> bytes:
    return MiBeacon(0x055B, counter, A, objects=mi_temperature(temperature)).encrypted(A, key)


def test_state_is_merged_over_frames() -> None:
    """Both kinds of pvvx fill one state; each value knows its time."""
    tracker = _tracker()
    tracker.receive(A, BTHOME, bthome.bthome2(bthome.pvvx_kind1(M), 1), 0.0)
    unit = tracker.receive(A, BTHOME, bthome.bthome2(bthome.pvvx_kind2(2987, output=False, opened=True), 1), 2.5).unit
    assert unit.values == {
        "battery": 98, "temperature": 21.37, "humidity": 55.12, "voltage": 2.987, "power": False, "opening": True,
    }  # fmt: skip
    assert (unit.updated_s["temperature"], unit.updated_s["voltage"]) == (0.0, 2.5)


def test_flags_become_opening_and_power() -> None:
    """The merged state has the same names whatever the format."""
    unit = _tracker().receive(A, CUSTOM, pvvx_custom(A, M, 5, 0x01), 0.0).unit
    assert (unit.values["opening"], unit.values["power"]) == (True, False)
    assert "flags" not in unit.values


def test_new_keys_are_tried_before_old_ones_and_fleet_keys_last() -> None:
    """The generation that fits is named."""
    tracker = _tracker((OLD, A, "old"), (NEW, A, "new"), (FOREIGN, B, "other unit"))
    for counter, (key, label) in enumerate([(OLD, "old"), (NEW, "new"), (FOREIGN, "other unit")]):
        received = tracker.receive(A, MI, _encrypted(20 + counter, key), 0.0)
        assert received.key is not None
        assert received.key.label == label
        assert received.unit.key == received.key


def test_a_rekeyed_unit_is_noticed() -> None:
    """auth-failed on a unit whose key used to fit; a fitting key takes it back."""
    tracker = _tracker((OLD, A, "old"))
    assert not tracker.receive(A, MI, _encrypted(20, OLD), 0.0).unit.rekeyed
    received = tracker.receive(A, MI, _encrypted(21, NEW), 60.0)
    assert received.name == "error:auth-failed"
    assert received.unit.rekeyed
    assert received.unit.values == {"temperature": 21.1}
    tracker.ring.add(NEW, A, "new")
    assert not tracker.receive(A, MI, _encrypted(22, NEW), 70.0).unit.rekeyed


def test_only_foreign_keys_means_no_key() -> None:
    """Failing with keys of other units says nothing about this one's key."""
    received = _tracker((FOREIGN, B, "")).receive(A, MI, _encrypted(20), 5.0)
    assert received.name == "error:no-key"
    assert received.unit.encrypted_s == 5.0
    assert received.unit.mi is not None
    assert received.unit.mi.product_id == 0x055B


def test_hidden_addresses_are_found_by_key() -> None:
    """Where the system hides addresses the fitting key names the unit, and later frames belong to it."""
    tracker = _tracker((FOREIGN, B, "b"), (NEW, A, "a"))
    frame = bthome.bthome2_encrypted(bthome.pvvx_kind1(M), 1000, A, NEW)
    assert tracker.receive("UUID-1", BTHOME, frame, 0.0).unit.sender == A
    second = bthome.bthome2_encrypted(bthome.pvvx_kind2(2900, output=False, opened=False), 1000, A, NEW)
    received = tracker.receive("UUID-1", BTHOME, second, 0.0)
    assert (received.status, received.unit.sender) == ("new", A)
    assert list(tracker.units) == [A]


def test_hidden_addresses_are_found_by_the_mac_inside() -> None:
    """A frame with its MAC teaches the address of the sender, which frames without MAC then use."""
    tracker = _tracker((NEW, A, "a"))
    unknown = MiBeacon(0x055B, 1, objects=mi_climate(200, 400)).plain()
    assert tracker.receive("UUID-1", MI, unknown, 0.0).unit.sender == "UUID-1"
    tracker.receive("UUID-1", MI, MiBeacon(0x055B, 2, A, 8).plain(), 0.0)
    assert tracker.receive("UUID-1", MI, unknown, 0.0).unit.sender == A
    assert list(tracker.units) == [A]


def test_plain_measurements_after_encrypted_ones_are_not_used() -> None:
    """Downgrade within a family of formats, idle frames and other families excepted."""
    tracker = _tracker((NEW, A, ""))
    tracker.receive(A, MI, _encrypted(20), 0.0)
    plain = MiBeacon(0x055B, 21, A, objects=mi_climate(999, 0)).plain()
    assert [tracker.receive(A, MI, plain, 1.0).status for _ in range(2)] == ["downgrade", "downgrade"]
    assert tracker.units[A].values == {"temperature": 21.1}
    assert tracker.receive(A, MI, MiBeacon(0x055B, 22, A, 8).plain(), 2.0).status == "new"
    assert tracker.receive(A, BTHOME, bthome.bthome2(bthome.pvvx_kind1(M), 1), 3.0).status == "new"
    tracker.forget(A)
    assert tracker.receive(A, MI, plain, 4.0).status == "new"


def test_bthome_versions_are_one_family() -> None:
    """Encrypted v2 protects against plain v1."""
    tracker = _tracker((NEW, A, ""))
    tracker.receive(A, BTHOME, bthome.bthome2_encrypted(bthome.pvvx_kind1(M), 500, A, NEW), 0.0)
    assert tracker.receive(A, 0x181C, bthome.bthome1(bthome.pvvx_kind1(M), 1), 1.0).status == "downgrade"


@pytest.mark.parametrize(
    ("counter", "status"), [(499, "replay"), (100, "replay"), (99, "new"), (501, "new"), (0, "new")]
)
def test_lower_counters(counter: int, status: str) -> None:
    """From 100 on a lower counter is a replay, below it is a restart."""
    tracker = _tracker((NEW, A, ""))
    tracker.receive(A, MI, _encrypted(500), 0.0)
    assert tracker.receive(A, MI, _encrypted(counter), 1.0).status == status


def test_frames_without_id_repeat_only_the_previous_one() -> None:
    """Event frames: the copies of a burst are duplicates, the next event is new even if it was seen before."""
    tracker = _tracker()
    frames = [b"\x01", b"\x01", b"\x00", b"\x00", b"\x01"]
    assert [tracker.receive(A, 0x2A56, frame, 0.0).status for frame in frames] == [
        "new", "duplicate", "new", "duplicate", "new",
    ]  # fmt: skip
    assert tracker.receive(A, 0x2AEB, event_count(7), 0.0).unit.values["count"] == 7


def test_copies_of_a_boot_zero_are_duplicates() -> None:
    """The zero is never merged, and its copies are duplicates."""
    tracker = _tracker((NEW, A, ""))
    zero = MiBeacon(0x055B, 1, A, objects=mi_humidity(0)).encrypted(A, NEW)
    assert [tracker.receive(A, MI, zero, 0.0).status for _ in range(2)] == ["boot-zero", "duplicate"]
    assert tracker.units[A].values == {}
    flat = MiBeacon(0x055B, 16, A, objects=mi_battery(0)).encrypted(A, NEW)
    assert tracker.receive(A, MI, flat, 0.0).status == "new"


@pytest.mark.parametrize("encrypted", [False, True])
def test_the_power_up_event_is_not_a_measurement(encrypted: bool) -> None:
    """pvvx sends 0.00 C and 0.00 % with its event at power-up; only the rest is merged."""
    empty = SensorValues(0, 0, 3000, 100)
    tracker = _tracker((NEW, A, ""))
    data = pvvx_custom_encrypted(A, empty, 1, 1, NEW) if encrypted else pvvx_custom(A, empty, 1, 1)
    unit = tracker.receive(A, CUSTOM, data, 0.0).unit
    assert unit.values["opening"] is True
    assert not {"temperature", "humidity"} & unit.values.keys()


def test_a_frozen_dry_place_is_a_measurement() -> None:
    """The same zeros under another id count."""
    unit = _tracker().receive(A, CUSTOM, pvvx_custom(A, SensorValues(0, 0, 3000, 100), 2, 0), 0.0).unit
    assert unit.values["temperature"] == 0


def test_lost_measurements_are_counted() -> None:
    """Gaps of the packet id, over its wrap too; a restart is no loss."""
    tracker = _tracker()
    for counter in (254, 255, 2, 2, 3):
        tracker.receive(A, CUSTOM, pvvx_custom(A, M, counter, 0), 0.0)
    assert tracker.units[A].lost == 2
    tracker.receive(A, CUSTOM, pvvx_custom(A, M, 1, 0), 0.0)
    assert tracker.units[A].lost == 2


def test_name_only_is_a_sensor_fault_after_silence() -> None:
    """A scan response between two data frames is no fault; the name alone for long is, until data return."""
    tracker = _tracker()
    assert tracker.name_only(A, 0.0) is None
    tracker.receive(A, CUSTOM, pvvx_custom(A, M, 1, 0), 10.0)
    assert tracker.name_only(A, 11.0) is None
    unit = tracker.name_only(A, 11.0 + SILENCE_S)
    assert unit is not None
    assert unit.fault
    assert not tracker.receive(A, CUSTOM, pvvx_custom(A, M, 2, 0), 60.0).unit.fault


def test_payloads_of_one_id_are_bounded() -> None:
    """Both kinds of pvvx under one id are remembered; a flood under it is not: what came first counts as new again."""
    tracker = _tracker()
    frames = [bthome.bthome2([(1, b"\x05"), (9, bytes((number,)))], 1) for number in range(17)]
    for frame in frames[:2] * 2:
        last = tracker.receive(A, BTHOME, frame, 0.0)
    assert last.status == "duplicate"
    assert [tracker.receive(A, BTHOME, frame, 1.0).status for frame in frames[2:]] == ["new"] * 15
    assert tracker.receive(A, BTHOME, frames[0], 2.0).status == "new"


def test_encrypted_frames_are_counted_once() -> None:
    """F10: a new key must not be judged by the last beacon of the old one, which systems repeat; nor by idle frames."""
    tracker = _tracker((NEW, A, ""))
    for data in (_encrypted(5, OLD), _encrypted(5, OLD), MiBeacon(0x055B, 6, A, 8).plain()):
        unit = tracker.receive(A, MI, data, 0.0).unit
    assert (unit.locked, unit.opened, unit.key_state) == (1, 0, "wrong")
    tracker.receive(A, MI, _encrypted(7, OLD), 1.0)
    assert (unit.locked, unit.opened) == (2, 0)
    for _ in range(2):
        tracker.receive(A, MI, _encrypted(20, NEW), 2.0)
    assert (unit.locked, unit.opened, unit.key_state) == (2, 1, "right")
    assert unit.key is not None and unit.key.key is NEW


def test_what_a_frame_brought_is_told() -> None:
    """`fresh` holds what was merged, by the names of the merged state, and nothing of frames that are not used."""
    tracker = _tracker()
    frames = [pvvx_custom(A, M, number, 1) for number in (2, 2, 3)]
    received = [tracker.receive(A, CUSTOM, frame, 0.0) for frame in frames]
    assert [set(each.fresh) for each in received] == [set(received[0].unit.values), set(), set(received[0].unit.values)]
    nonsense = tracker.receive(A, BTHOME, bthome.bthome2([(3, b"\xff\xff")], 1), 1.0)
    assert (nonsense.status, dict(nonsense.fresh), nonsense.is_impossible) == ("new", {}, True)


def test_what_was_noted_under_a_hidden_address_moves_along() -> None:
    """Values, and the frames that were there already."""
    tracker = _tracker()
    climate = MiBeacon(0x055B, 1, objects=mi_climate(200, 400)).plain()
    tracker.receive("UUID-1", MI, climate, 0.0)
    tracker.receive("UUID-1", MI, MiBeacon(0x055B, 1, A, 8).plain(), 1.0)
    assert tracker.units[A].values == {"temperature": 20.0, "humidity": 40.0}
    assert tracker.receive("UUID-1", MI, climate, 2.0).status == "duplicate"
