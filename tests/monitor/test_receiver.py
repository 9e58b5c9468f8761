"""Adverts merged into news: what counts, what is repeated, stale, hidden, encrypted, silent or not ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.beacon.custom_encode import SensorValues, pvvx_atc1441, pvvx_custom, pvvx_custom_encrypted
from mitherm.beacon.keys import BeaconKey
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_object
from mitherm.beacon.tracker import SILENCE_S as FAULT_S
from mitherm.cli.documents.lines import report as document
from mitherm.model.family import Family
from mitherm.ops.hearing.receiver import MOST_UNITS, SILENCE_S, VALUE_LIFE_S, Receiver
from mitherm.primitives.secret import Secret
from mitherm.store.inventory import KnownUnit
from monitor.reports import A, B, moment, ring, sighting

ENVIRONMENT, MIBEACON, BTHOME = 0x181A, 0xFE95, 0xFCD2
KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
M = SensorValues(2137, 4512, 2983, 87)


def custom(counter: int, measured: SensorValues = M) -> dict[int, bytes]:
    return {ENVIRONMENT: pvvx_custom(A, measured, counter, 0)}


def encrypted(counter: int, key: bytes = KEY) -> dict[int, bytes]:
    return {ENVIRONMENT: pvvx_custom_encrypted(A, M, counter, 0, BeaconKey(Secret(key)))}


def hear(receiver: Receiver, at_s: float, data: dict[int, bytes], **more: object) -> object:
    return receiver.hear(sighting(at_s, data, **more), moment(at_s))  # type: ignore[arg-type]


def test_a_reading_is_news_with_its_values() -> None:
    """Values, what was received, format, signal and time."""
    news = Receiver().hear(sighting(5.0, custom(1), name="ATC_0A0B0C"), moment(5.0))
    assert news is not None
    assert (news.event, news.unit, news.temperature_c, news.humidity_pct) == ("reading", str(A), 21.37, 45.12)
    assert (news.battery_pct, news.battery_mv, news.rssi_dbm, news.family) == (87, 2983, -60, "pvvx")
    assert (news.at, news.name, news.key, news.available) == (moment(5.0), "ATC_0A0B0C", "unneeded", True)
    assert news.packet_id == 1


def test_a_name_is_kept() -> None:
    """Passive scans and lost scan responses bring adverts without it."""
    receiver = Receiver()
    hear(receiver, 0.0, custom(1), name="ATC_0A0B0C")
    news = receiver.hear(sighting(1.0, custom(2)), moment(1))
    assert news is not None
    assert (news.name, news.model, news.packet_id) == ("ATC_0A0B0C", "LYWSD03MMC", 2)


def test_the_same_frame_again_is_no_news() -> None:
    """Duplicates are counted only."""
    receiver = Receiver()
    hear(receiver, 0.0, custom(1))
    assert hear(receiver, 1.0, custom(1)) is None
    assert receiver.counts["duplicate"] == 1


def test_data_that_a_system_repeats_are_not_decoded() -> None:
    """BlueZ shows stale keys beside new ones (test-rig.md 4.1): the old frame must not win."""
    receiver = Receiver()
    hear(receiver, 0.0, custom(1))
    both = custom(1) | {MIBEACON: MiBeacon(0x055B, 2, A, objects=mi_object(0x1004, b"\x10\x00")).plain()}
    news = receiver.hear(sighting(1.0, both, fresh={MIBEACON}), moment(1.0))
    assert news is not None
    assert news.temperature_c == 1.6
    assert news.received == {"temperature": 1.6}
    assert receiver.counts["unchanged"] == 1


def test_values_of_several_frames_are_merged() -> None:
    """`values` keeps what an earlier frame brought, `received` does not."""
    receiver = Receiver()
    hear(receiver, 0.0, {BTHOME: bytes.fromhex("4000010157025908031811")})
    news = receiver.hear(sighting(1.0, {BTHOME: bytes.fromhex("4000010ca70b10001101")}), moment(1.0))
    assert news is not None
    assert (news.temperature_c, news.battery_mv) == (21.37, 2983)
    assert news.received is not None
    assert set(news.received) == {"voltage", "power", "opening"}


def test_keys_are_found_among_all() -> None:
    """A right key, a wrong one, none; a unit that changes its key says so once."""
    receiver = Receiver(ring((KEY, A)))
    assert receiver.hear(sighting(0.0, encrypted(1)), moment(0)).key == "right"  # type: ignore[union-attr]
    news = receiver.hear(sighting(1.0, encrypted(2, OTHER)), moment(1))
    assert news is not None
    assert (news.event, news.key) == ("key", "changed")
    assert receiver.hear(sighting(2.0, encrypted(3, OTHER)), moment(2)) is None
    receiver.use_keys(ring((KEY, A), (OTHER, A)))
    assert receiver.hear(sighting(3.0, encrypted(4, OTHER)), moment(3)).key == "right"  # type: ignore[union-attr]
    assert Receiver().hear(sighting(0.0, encrypted(1)), moment(0)).key == "missing"  # type: ignore[union-attr]
    assert Receiver(ring((OTHER, A))).hear(sighting(0.0, encrypted(1)), moment(0)).key == "wrong"  # type: ignore[union-attr]


def test_a_key_tells_whose_beacon_it_is() -> None:
    """Where the system hides addresses, the key that fits names the unit, and what was noted moves along."""
    receiver = Receiver(ring((KEY, A)))
    locked = receiver.hear(sighting(0.0, encrypted(1, OTHER), sender="some-uuid"), moment(0))
    assert locked is not None
    assert locked.unit == "some-uuid"
    news = receiver.hear(sighting(1.0, encrypted(2), sender="some-uuid"), moment(1))
    assert news is not None
    assert news.address == A
    assert list(receiver.units) == [A]
    assert receiver.units[A].pulse.count == 2


def test_what_was_noted_under_two_names_becomes_one_unit() -> None:
    """A stranger's frame may have told the address before: values go where the address is, and are shown."""
    receiver = Receiver(ring((KEY, A)))
    hear(receiver, 0.0, {MIBEACON: MiBeacon(0x1234, 1, A, 8).plain()}, sender="other-uuid")
    hear(receiver, 1.0, encrypted(1, OTHER), sender="some-uuid")
    news = receiver.hear(sighting(2.0, encrypted(2), sender="some-uuid"), moment(2))
    assert news is not None
    assert (news.address, news.temperature_c, list(receiver.units)) == (A, 21.37, [A])


def test_silence_is_news_and_so_is_the_return() -> None:
    """Once each; slow units get more time."""
    receiver = Receiver()
    hear(receiver, 0.0, custom(1))
    assert receiver.tick(SILENCE_S, moment(SILENCE_S)) == []
    (news,) = receiver.tick(SILENCE_S + 1, moment(SILENCE_S + 1))
    assert (news.event, news.available) == ("silent", False)
    assert receiver.tick(SILENCE_S + 2, moment(SILENCE_S + 2)) == []
    back = receiver.hear(sighting(400.0, custom(1)), moment(400))
    assert back is not None
    assert (back.event, back.available) == ("seen", True)
    for at_s in range(1000, 10_000, 100):
        hear(receiver, float(at_s), custom(at_s % 251))
    assert receiver.tick(9900.0 + 2 * SILENCE_S, moment(0)) == []


def test_a_name_alone_is_a_sensor_fault() -> None:
    """After a while without data; it ends with the next reading."""
    receiver = Receiver()
    hear(receiver, 0.0, custom(1))
    assert hear(receiver, 1.0, {}, name="ATC_0A0B0C") is None
    news = receiver.hear(sighting(2.0 + FAULT_S, {}, name="ATC_0A0B0C"), moment(0))
    assert news is not None
    assert (news.event, news.fault) == ("fault", True)
    assert not receiver.hear(sighting(60.0, custom(2)), moment(60)).fault  # type: ignore[union-attr]


def test_values_do_not_live_for_ever() -> None:
    """What a living unit has not sent for a day is not told any more."""
    receiver = Receiver()
    hear(receiver, 0.0, {BTHOME: bytes.fromhex("4000010ca70b10001101")})
    later = VALUE_LIFE_S + 1
    news = receiver.hear(sighting(later, {BTHOME: bytes.fromhex("4000020157025908031811")}), moment(later))
    assert news is not None
    assert news.temperature_c == 21.37
    assert news.battery_mv is None


@pytest.mark.parametrize(("family", "version"), [(Family.ATC1441, "0.9"), (Family.PVVX, "5.8")])
def test_the_inventory_names_units(family: Family, version: str) -> None:
    """Name, model, hardware; between firmwares that send the same it decides."""
    known = {A: KnownUnit(A, "Bath", "LYWSD03MMC", "B1.4", family, version)}
    frame = {ENVIRONMENT: pvvx_atc1441(A, M, 1)}
    news = Receiver(known=known.get).hear(sighting(0.0, frame, name="ATC_0A0B0C"), moment(0))
    assert news is not None
    assert (news.name, news.model, news.hardware) == ("Bath", "LYWSD03MMC", "B1.4")
    assert (news.family, news.version) == (family, version)


def test_adverts_contradict_the_inventory() -> None:
    """Only pvvx sends its own format: somebody else flashed the unit since, and the version is not known."""
    known = {A: KnownUnit(A, family=Family.ATC1441, version="0.9")}
    news = Receiver(known=known.get).hear(sighting(0.0, custom(1), name="ATC_0A0B0C"), moment(0))
    assert news is not None
    assert (news.family, news.version) == ("pvvx", None)


def test_strangers_are_no_units() -> None:
    """Other devices with these UUIDs, and those that nobody wants to hear."""
    receiver = Receiver(accept=lambda sender: sender != B)
    assert hear(receiver, 0.0, {MIBEACON: MiBeacon(0x1234, 1, A, 8).plain()}) is None
    assert hear(receiver, 1.0, {ENVIRONMENT: bytes(16)}) is None
    assert receiver.hear(sighting(2.0, custom(1), sender=str(B)), moment(2)) is None
    assert not receiver.units


def test_units_are_kept_whatever_they_send() -> None:
    """Those that somebody asked for, by address or by advertised name: the others are only counted."""
    receiver = Receiver(keep=lambda sender, name: sender == A or name == "Kitchen")
    hear(receiver, 0.0, {0x1234: b"1"}, sender=str(A))
    hear(receiver, 1.0, {}, sender=str(B), name="Kitchen")
    hear(receiver, 2.0, {}, sender="A4:C1:38:00:00:01", name="lamp")
    assert set(receiver.units) == {A, B}
    assert (receiver.adverts, receiver.units[A].pulse.count, receiver.units[B].name) == (3, 1, "Kitchen")


def test_memory_is_bounded() -> None:
    """Thousands of senders do not stay for ever."""
    receiver = Receiver()
    for number in range(2 * MOST_UNITS):
        hear(
            receiver,
            float(number),
            {BTHOME: bytes.fromhex("4000010101")},
            sender=f"A4:C1:38:00:{number >> 8:02X}:{number & 255:02X}",
        )
    assert len(receiver.units) <= MOST_UNITS + 1
    assert len(receiver.tracker.units) <= MOST_UNITS + 1


def test_health_comes_from_adverts() -> None:
    """Intervals, mean level, lost measurements; the slope of a battery after some hours."""
    receiver = Receiver()
    for hour in range(25):
        measured = SensorValues(2137, 4512, 3000 - hour, 87)
        news = receiver.hear(
            sighting(hour * 3600.0, custom(2 * hour % 256, measured), rssi_dbm=-60 - hour % 2), moment(0)
        )
    assert news is not None
    assert news.health.interval_s == 3600
    assert news.health.reading_interval_s == 3600
    assert news.health.lost == 24
    assert news.health.battery_mv_per_day == -24
    assert news.health.rssi_mean_dbm == -60.5


def test_a_packet_id_may_be_text() -> None:
    """BTHome v1 can send any object as text or as a float: no number, so the frame counts as one without an id."""
    receiver = Receiver()
    for at_s, data in enumerate(
        (b"\x62\x00A", b"\x02\x00\x05", b"\x44\x00\x00\x3c\x00", b"\x62\x00B", b"\x02\x00\x07")
    ):
        receiver.hear(sighting(float(at_s), {0x181C: data + b"\x02\x01\x50"}), moment(at_s))
    assert receiver.counts["new"] == 5
    assert receiver.units[A].state.values == {"battery": 80}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ENVIRONMENT, MIBEACON, BTHOME, 0x181C, 0x181E, 0x2A56, 0x2AEB, 0xFDCD, 0x1234]),
            st.binary(max_size=31),
        ),
        max_size=8,
    ),
    st.floats(-1e6, 1e6),
)
def test_nothing_from_the_air_raises(frames: list[tuple[int, bytes]], jump_s: float) -> None:
    """Random service data and a clock that jumps."""
    receiver = Receiver(ring((KEY, A)))
    for number, (kind, data) in enumerate(frames):
        at_s = number + (jump_s if number > 3 else 0.0)
        news = receiver.hear(sighting(at_s, {kind: data}, name="x"), moment(0))
        assert news is None or document(news)
        receiver.tick(at_s, moment(0))
