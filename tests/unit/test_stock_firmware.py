"""Stock firmware on a link: vendor values, link rules, authentication, clock, history."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stock_bench import DID, KEYS, VERSIONS, erased, flash_with, live, run, stock, unit

from mitherm.errors import KeysMismatch
from mitherm.primitives.secret import Secret
from mitherm.protocol import uuids
from mitherm.protocol.mi import client as mi_client
from mitherm.protocol.stock import DataCount, HistoryRecord, fetch_history, read_clock, read_measurement, set_clock
from mitherm.virtual.board.chip import AttError, Notify, RequestParameters, Terminate
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.central import CentralLink
from mitherm.virtual.firmware import gatt_stock

LINES = tuple(VERSIONS)
ALL_CHARS = sorted({char.uuid for line in LINES for service in stock(line).gatt for char in service.characteristics})


def entropy(length: int) -> bytes:
    """Not random at all."""
    return bytes((7 * number + 1) % 256 for number in range(length))


# --- strings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "mi_version"), [("0109", "1.0.0_0001"), ("0130", "1.0.0_0130"), ("0159", "2.1.1_0159")]
)
def test_strings(line: str, mi_version: str) -> None:
    """2A26, 2A28, 2A24 with their NUL; 0004 lies on 0109; 2A27 and 2A25 from flash."""
    firmware = stock(line)
    assert firmware.read(uuids.FIRMWARE_REVISION) == VERSIONS[line].encode() + b"\0"
    assert firmware.read(uuids.SOFTWARE_REVISION) == line.encode() + b"\0"
    assert firmware.read(uuids.MODEL_NUMBER) == b"LYWSD03MMC\0"
    assert firmware.read(uuids.MI_VERSION) == mi_version.encode().ljust(20, b"\0")
    assert firmware.read(uuids.HARDWARE_REVISION) == b"B1.4"
    assert firmware.read(uuids.SERIAL_NUMBER) == b"F1.0-CFMK-LB-ZCXTJ--"


def test_serial_of_build_b16_has_two_more_characters() -> None:
    """22 bytes: the serial and 06."""
    assert stock("0159", build="B1.6").read(uuids.SERIAL_NUMBER) == b"F1.0-CFMK-LB-ZCXTJ--06"


@pytest.mark.parametrize(("build", "serial"), [("c", b"0000-0000-0000-00000"), ("B1.6", b"0000-0000-0000-0000000")])
def test_strings_without_a_hardware_string(build: str, serial: bytes) -> None:
    """A blank 0x55000 gives the defaults."""
    firmware = stock("0159", NorFlash(), build=build)
    assert (firmware.read(uuids.HARDWARE_REVISION), firmware.read(uuids.SERIAL_NUMBER)) == (b"0000", serial)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("1.0.0_0106", "0109"),
        ("0.0.1_0044", "0109"),
        ("1.0.0_0116", "0130"),
        ("1.1.0_0200", "0130"),
        ("2.0.0_0001", "0159"),
    ],
)
def test_other_versions(version: str, line: str) -> None:
    """The nearest described version below."""
    assert gatt_stock.line_of(version) == line


# --- boot -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", LINES)
def test_first_boot_of_a_blank_chip(line: str) -> None:
    """Random address A4:C1:38 written, two bytes behind it, headers, boot count; nothing at 0x55000 and 0x77000."""
    flash = NorFlash()
    firmware = stock(line, flash)
    assert flash.read(0x76003, 3) == bytes.fromhex("38c1a4")
    assert not flash.is_blank(0x76000, 3) and not flash.is_blank(0x76006, 2)
    assert flash.read(0x4F000 + 30, 2) == b"\x55\x55" and flash.read(0x54000 + 0x2E, 2) == b"\x55\x55"
    assert flash.u32(0x53000) == 1
    assert flash.is_blank(0x55000, 0x1000) and flash.is_blank(0x77000, 0x1000)
    stock(line, flash)
    assert flash.u32(0x53000) == 2
    assert firmware.records.did is None


def test_empty_clock_log_is_erased_at_boot() -> None:
    """0x51000 and 0x52000, every time; not once there is a value."""
    flash = flash_with()
    sectors = erased(flash)
    stock("0109", flash).write(uuids.STOCK_TIME, (1000).to_bytes(4, "little"))
    assert sectors[:3] == [0x53000, 0x51000, 0x52000]
    del sectors[:]
    stock("0109", flash)
    assert sectors == [0x53000]


# --- vendor values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "length"), [("0109", 3), ("0130", 5), ("0159", 5)])
def test_measurement(line: str, length: int) -> None:
    """The voltage is missing on 0109."""
    firmware = stock(line)
    firmware.chip.climate.temperature_c, firmware.chip.climate.humidity_pct = -3.21, 77.4
    assert firmware.read(uuids.STOCK_MEASUREMENT) == bytes.fromhex("bffe4db80b")[:length]


@pytest.mark.parametrize(("millivolts", "percent"), [(3000, 100), (2999, 99), (2109, 1), (2108, 0), (1900, 0)])
def test_battery_percent(millivolts: int, percent: int) -> None:
    """floor((mV - 2100) / 9)."""
    firmware = stock("0130")
    firmware.chip.cell.millivolts = millivolts
    assert firmware.read(uuids.STOCK_BATTERY) == firmware.read(uuids.BATTERY_LEVEL) == bytes([percent])


def test_clock_runs_and_survives_a_restart() -> None:
    """Set, logged at once, then every 300 s; after a power-up the last logged value."""
    flash = flash_with()
    firmware = stock("0159", flash)
    firmware.write(uuids.STOCK_TIME, (5000).to_bytes(4, "little"))
    firmware.chip.now = 450.0
    firmware.advertise()
    assert firmware.read(uuids.STOCK_TIME) == (5450).to_bytes(4, "little")
    assert flash.read(0x51000, 12) == bytes.fromhex("88130000 4a150000 ffffffff")
    assert stock("0159", flash).clock_s() == 5450


def test_clock_log_changes_sectors() -> None:
    """1024 values fill a sector; the other one is erased and used next."""
    flash = flash_with()
    firmware = stock("0130", flash)
    for second in range(1, 2051):
        firmware.write(uuids.STOCK_TIME, second.to_bytes(4, "little"))
        if second in (1, 1024, 1025, 2048, 2049):
            assert stock("0130", NorFlash(bytearray(flash.data))).clock_s() == second
    assert flash.read(0x51000, 12) == bytes.fromhex("01080000 02080000 ffffffff")


def test_skip_moves_clock_and_history() -> None:
    """Time between two commands counts."""
    firmware = stock("0130")
    firmware.write(uuids.STOCK_TIME, (100000).to_bytes(4, "little"))
    firmware.skip(3 * 3600 + 5)
    assert firmware.clock_s() == 100000 + 3 * 3600 + 5
    assert DataCount.from_bytes(firmware.read(uuids.STOCK_DATA_COUNT)) == DataCount(3, 3)
    assert HistoryRecord.from_bytes(firmware.read(uuids.STOCK_LAST_RECORD)) == HistoryRecord(
        3, 100000 + 3 * 3600, 21.5, 45, 21.5, 45
    )


def test_resumed_clock_and_counter() -> None:
    """After a pause of the program clock and frame counter go on."""
    firmware = stock("0159")
    firmware.resumed(7777, 0x345)
    firmware.skip(100)
    assert firmware.clock_s() == 7877
    assert firmware.send_count == 0x346


@pytest.mark.parametrize(("written", "read"), [("01", "01"), ("00", "00"), ("02", "00"), ("", "01")])
def test_unit(written: str, read: str) -> None:
    """1 is stored as 1, anything else as 0; an empty write is ignored."""
    firmware = stock("0130")
    firmware.write(uuids.STOCK_UNIT, b"\x01")
    firmware.write(uuids.STOCK_UNIT, bytes.fromhex(written))
    assert firmware.read(uuids.STOCK_UNIT).hex() == read


def test_unit_and_comfort_are_not_stored() -> None:
    """They are back to their defaults after a restart."""
    flash = flash_with()
    firmware = stock("0130", flash)
    firmware.write(uuids.STOCK_UNIT, b"\x01")
    firmware.write(uuids.STOCK_COMFORT, bytes.fromhex("d007d0075000"))
    assert firmware.read(uuids.STOCK_COMFORT).hex() == "d007d0075000"
    again = stock("0130", flash)
    assert (again.read(uuids.STOCK_UNIT), again.read(uuids.STOCK_COMFORT).hex()) == (b"\0", "8c0a6c075514")


@pytest.mark.parametrize("written", ["d007d107500a", "d00718fc500a", "b626d007500a", "d007d007640a", "d007d00750"])
def test_comfort_refused_silently(written: str) -> None:
    """A refused write is answered like a good one and changes nothing."""
    firmware = stock("0130")
    firmware.write(uuids.STOCK_COMFORT, bytes.fromhex(written))
    assert firmware.read(uuids.STOCK_COMFORT).hex() == "8c0a6c075514"


def test_switch_is_kept_in_flash() -> None:
    """16 bytes at 0x56000, the first 01 = on; other values do nothing."""
    flash = flash_with()
    firmware = stock("0159", flash)
    firmware.write(uuids.STOCK_SWITCH, bytes.fromhex("20201028"))
    firmware.write(uuids.STOCK_SWITCH, b"\0")
    assert stock("0159", flash).read(uuids.STOCK_SWITCH) == b"\x01"
    firmware.write(uuids.STOCK_SWITCH, bytes.fromhex("28102020"))
    assert stock("0159", flash).read(uuids.STOCK_SWITCH) == b"\0"


@pytest.mark.parametrize(("written", "ends"), [("88", True), ("88000000", True), ("01", False), ("", False)])
def test_disconnect(written: str, ends: bool) -> None:
    """First byte 88 drops the link with 0x13."""
    firmware = stock("0109")
    firmware.write(uuids.STOCK_DISCONNECT, bytes.fromhex(written))
    assert (Terminate(0x13) in firmware.chip.outbox) is ends


def test_interval_request_and_supervision() -> None:
    """ccd8 asks for parameters; supervision is 6 s from then on, and back at the next link."""
    firmware = stock("0159")
    firmware.connected()
    assert firmware.chip.outbox == [] and firmware.supervision_s is None
    firmware.write(uuids.STOCK_INTERVAL, bytes.fromhex("1e0000"))
    assert firmware.chip.outbox == [RequestParameters(24, 24, 0, 600)]
    assert firmware.supervision_s == 6
    firmware.disconnected()
    assert firmware.supervision_s is None


@pytest.mark.parametrize("line", ["0109", "0130"])
def test_request_at_connect(line: str) -> None:
    """10-15 ms, latency 0, 4 s."""
    firmware = stock(line)
    firmware.connected()
    assert firmware.chip.outbox == [RequestParameters(8, 12, 0, 400)]
    assert firmware.supervision_s == 4


def test_notifications_follow_the_cccd() -> None:
    """Measurements come while the CCCD is on, not before, not after."""
    one, _ = unit("stock-1.0.0_0130")
    run(one, 5)
    one.connect(5)
    assert not [action for _, action in run(one, 30) if isinstance(action, Notify)]
    one.subscribe(30, uuids.STOCK_MEASUREMENT, b"\x01\x00")
    sent = [action for _, action in run(one, 61) if isinstance(action, Notify)]
    assert len(sent) == 5 and sent[0] == Notify(uuids.STOCK_MEASUREMENT, bytes.fromhex("66082d540b"))
    one.subscribe(61, uuids.STOCK_MEASUREMENT, b"\x00\x00")
    assert run(one, 100) == []


# --- history ----------------------------------------------------------------------------------------------------------


def test_history_over_the_link() -> None:
    """All records, from a chosen index, and none after clearing."""
    one, _ = unit("stock-1.0.0_0130")
    one.firmware.skip(10 * 3600)
    link = CentralLink(one, 1.0).connect()
    link.run(set_clock(900))
    assert [record.index for record in link.run(fetch_history())] == list(range(1, 11))
    link.close()
    link = CentralLink(one, link.now + 1).connect()
    assert [record.index for record in link.run(fetch_history(8))] == [8, 9, 10]
    assert 900 <= link.run(read_clock()) < 910
    one.write(link.now, uuids.STOCK_CLEAR, b"\x01")
    assert link.run(fetch_history()) == []
    assert one.chip.flash.is_blank(0x40000, 0xF000)


def test_empty_write_resets_the_index() -> None:
    """ccba reads back 0."""
    firmware = stock("0130")
    firmware.write(uuids.STOCK_INDEX, b"\x05\0\0\0")
    assert firmware.read(uuids.STOCK_INDEX) == b"\x05\0\0\0"
    firmware.write(uuids.STOCK_INDEX, b"")
    assert firmware.read(uuids.STOCK_INDEX) == bytes(4)


def test_history_ring_is_bounded_and_found_again() -> None:
    """At most 3840 records; a restart finds newest and number."""
    flash = flash_with()
    firmware = stock("0130", flash)
    firmware.skip(3839 * 3600)
    firmware.skip(10 * 3600)
    count = firmware.vendor.history.count
    assert count.newest == 3849 and 3584 <= count.stored <= 3840
    assert stock("0130", flash).vendor.history.count == count


def test_history_survives_what_pvvx_left() -> None:
    """Foreign bytes are no records and are erased when the ring gets there."""
    flash = flash_with()
    flash.program(0x40000, bytes.fromhex("dec0aa55ffff") + bytes(range(200)))
    firmware = stock("0130", flash)
    assert firmware.vendor.history.count.newest == 0
    firmware.skip(5 * 3600)
    assert firmware.vendor.history.count == DataCount(5, 5)


def test_extremes_of_an_hour() -> None:
    """The record holds maximum and minimum of what was seen."""
    firmware = stock("0130")
    for moment, temperature, humidity in ((600, 30.0, 20), (1200, 10.0, 80), (3601, 20.0, 50)):
        firmware.chip.now = moment
        firmware.chip.climate.temperature_c, firmware.chip.climate.humidity_pct = temperature, humidity
        firmware.read(uuids.STOCK_TIME)
    assert firmware.vendor.history.at(1) == HistoryRecord(1, 3600, 30.0, 80, 10.0, 20)


# --- authentication ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0.0_0109", "1.0.0_0130"])
def test_register_stores_and_login_authorises(version: str) -> None:
    """0001, 0010, 0004 in this order; then the token logs in; a restart keeps the binding."""
    one, _ = unit(f"stock-{version}")
    link = CentralLink(one, 1.0).connect()
    keys = link.run(mi_client.register(entropy, did_if_none="blt.3.129vABCDEFmth"))
    assert not one.firmware.mi.authorised
    assert list(live(one.chip.flash)) == [1, 0x10, 4]
    assert live(one.chip.flash)[0x10] == keys.record and live(one.chip.flash)[4] == bytes(4)
    link.run(mi_client.login(keys.token, entropy))
    assert one.firmware.mi.authorised
    link.close()
    assert not one.firmware.mi.authorised


def test_login_with_a_wrong_token() -> None:
    """The unit proves that it holds another one."""
    one, _ = unit("stock-2.1.1_0159,bound=mi-home")
    with pytest.raises(KeysMismatch):
        CentralLink(one, 1.0).connect().run(mi_client.login(Secret(bytes(12)), entropy))


def test_measurement_over_the_link() -> None:
    """Under load the voltage sags."""
    one, _ = unit("stock-1.0.0_0130")
    assert CentralLink(one, 1.0).connect().run(read_measurement()).battery_mv == 2900


# --- reset pad --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", LINES)
def test_reset_pad(line: str) -> None:
    """Unbound, DID and counter stay, clock and history gone, restart."""
    flash = flash_with()
    firmware = stock(line, flash)
    firmware.write(uuids.STOCK_TIME, b"\x01\x02\x03\x04")
    firmware.skip(3600 * 4)
    counter = live(flash)[4]
    firmware.reset_pad()
    assert firmware.chip.reset_at == firmware.chip.now
    again = stock(line, flash)
    assert (again.records.did, again.records.bound) == (DID, False)
    assert live(flash)[4] == counter
    assert again.clock_s() == 0 and again.vendor.history.count == DataCount(0, 0)
    assert flash.read(0x4F000 + 30, 2) == b"\x55\x55"
    assert (KEYS in flash.read(0x78000, 0x100)) is (line != "0130")


# --- rough use --------------------------------------------------------------------------------------------------------


def test_unused_characteristics_take_writes_and_read_zeros() -> None:
    """fafafa01, 0017, stdio, 001A."""
    firmware = stock("0159")
    for char in (gatt_stock.FACTORY_STATE, uuids.short(0x0017), uuids.short(0x001A), uuids.STOCK_DIAGNOSTIC):
        firmware.write(char, b"\x01\x02")
    assert firmware.read(gatt_stock.FACTORY_STATE) == bytes(4)
    assert firmware.read(uuids.OTA) == b"\0"
    assert firmware.chip.outbox == []


@pytest.mark.parametrize("char", [uuids.MI_CONTROL, uuids.STOCK_DISCONNECT, uuids.STOCK_RECORDS])
def test_reading_what_cannot_be_read(char: str) -> None:
    """ATT error 02."""
    with pytest.raises(AttError) as refused:
        stock("0130").read(char)
    assert refused.value.code == AttError.READ_NOT_PERMITTED


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LINES),
    st.lists(st.tuples(st.sampled_from(ALL_CHARS), st.binary(max_size=24), st.integers(0, 400)), max_size=25),
)
def test_random_writes_raise_att_errors_only(line: str, writes: list[tuple[str, bytes, int]]) -> None:
    """Whatever is written and whenever, the firmware goes on."""
    firmware = stock(line)
    firmware.connected()
    for char, data, wait_ms in writes:
        with suppress(AttError):
            firmware.write(char, data)
        with suppress(AttError):
            firmware.read(char)
        firmware.subscribe(char, data)
        firmware.chip.now += wait_ms / 100
        firmware.tick()
        firmware.advertise()
    firmware.disconnected()
    firmware.tick()
