"""The virtual pvvx as it lives: adverts, links, updates, power, pad, and never a crash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.beacon import BeaconKey, Reading, decode
from mitherm.beacon.advert import local_name, service_data
from mitherm.image.synth import package
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.primitives.secret import Secret
from mitherm.protocol import uuids
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.protocol.ota.extended import clear_area
from mitherm.protocol.pvvx.structs import HistoryRecord
from mitherm.virtual.board.chip import Advertise, AttError, Chip, Notify, RequestMtu, RequestParameters
from mitherm.virtual.board.nor_flash import SECTOR, FlashOperation, NorFlash, PowerLoss
from mitherm.virtual.central import CentralLink
from mitherm.virtual.factory import make_unit
from mitherm.virtual.firmware.base import BootImage
from mitherm.virtual.firmware.pvvx import PvvxFirmware
from mitherm.virtual.firmware.pvvx_commands import TABLE
from mitherm.virtual.firmware.pvvx_history import PER_SECTOR, HistoryRing
from mitherm.virtual.firmware.pvvx_model import BOARDS
from mitherm.virtual.firmware.pvvx_state import Options
from mitherm.virtual.spec import UnitSpec
from mitherm.virtual.unit import Unit

ADDRESS = Address.parse("A4:C1:38:33:22:11")
KEY = bytes.fromhex("e0e1e2e3e4e5e6e7e8e9eaebecedeeef")
VERSIONS = [f"{number >> 4}.{number & 15}" for number in range(0x08, 0x59) if number & 15 <= 9]


def firmware(
    version: str = "5.8", *, hardware: str = "B1.4", flash: NorFlash | None = None, open_input: bool = False
) -> PvvxFirmware:
    if flash is None:
        flash = NorFlash()
        flash.program(0x76000, ADDRESS.reversed + b"\x55\xaa")
    chip = Chip(flash, hardware=hardware, entropy=lambda n: bytes(range(n)))
    one = PvvxFirmware(
        chip, BootImage(Family.PVVX, version, "LYWSD03MMC", 0, 86340, 10), Options(input_open=open_input)
    )
    one.boot()
    return one


def running(version: str = "5.8") -> Unit:
    made = make_unit(UnitSpec(f"pvvx-{version}", ADDRESS), lambda n: bytes(range(1, n + 1)))
    unit = Unit(Chip(made.flash, entropy=lambda n: bytes(range(n))))
    unit.power_up(0.0)
    return unit


def adverts(one: PvvxFirmware, count: int) -> list[Advertise]:
    """The next advertisements."""
    for _ in range(count):
        one.chip.now += one.advertise()
    found = [action for action in one.chip.outbox if isinstance(action, Advertise)]
    one.chip.outbox.clear()
    return found


def readings(found: list[Advertise], key: bytes | None = None) -> list[Reading]:
    keys = BeaconKey(Secret(key)) if key else None
    decoded = [decode(uuid, data, ADDRESS, keys) for advert in found for uuid, data in service_data(advert.data)]
    assert all(isinstance(one, Reading) for one in decoded), decoded
    return [one for one in decoded if isinstance(one, Reading)]


# --- adverts ----------------------------------------------------------------------------------------------------------


def test_default_is_plain_bthome_with_alternating_kinds() -> None:
    """Two kinds in turn under one packet id, a new one every four advertisements."""
    found = adverts(firmware(), 8)
    assert [advert.connectable for advert in found] == [True] * 8
    assert local_name(found[0].scan_response) == "ATC_332211"
    data = [service_data(advert.data)[0][1] for advert in found]
    assert [frame[2] for frame in data] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert [frame[3] for frame in data] == [0x01, 0x0C] * 4


def test_open_input_sends_an_event_first() -> None:
    """Seven non-connectable frames with id 1, then regular ones with id 2."""
    found = adverts(firmware(open_input=True), 9)
    assert [advert.connectable for advert in found] == [False] * 7 + [True] * 2
    assert service_data(found[0].data)[0][1].hex() == "40000111013e00000000"
    assert service_data(found[7].data)[0][1][2] == 2


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("version", ["3.6", "4.3", "4.7", "5.0", "5.8"])
def test_every_format_is_understood(version: str, kind: int, secret: bool) -> None:
    """Twelve advertisements of each type decode to what the sensor saw."""
    one = firmware(version)
    one.command(b"\x18" + KEY)
    one.command(bytes([0x55, kind | 4, 0x10 | secret << 3]))
    found = readings(adverts(one, 20), KEY if secret else None)
    values = [item for reading in found for item in reading.values.items()]
    assert ("temperature", 21.5) in values
    assert ("humidity", 45.0) in values


def test_encrypted_mi_begins_with_zeros() -> None:
    """Humidity 0.0, battery 0, then true values, four copies each."""
    one = firmware()
    one.command(b"\x18" + KEY)
    one.command(bytes.fromhex("550618"))
    found = readings(adverts(one, 24), KEY)
    assert [reading.values.get("humidity") for reading in found[:4]] == [0.0] * 4
    assert [reading.values.get("battery") for reading in found[4:8]] == [0] * 4
    assert [reading.values.get("temperature") for reading in found[8:12]] == [21.5] * 4
    assert [reading.values.get("humidity") for reading in found[12:16]] == [45.0] * 4


def test_long_range_is_invisible_until_the_battery_is_changed() -> None:
    """Legacy receivers see nothing; a cold boot clears the flag."""
    one = firmware()
    one.command(b"\xdd\x01")
    chip = one.chip
    chip.power_up = False
    warm = PvvxFirmware(chip, one.image)
    warm.boot()
    chip.outbox.clear()
    assert adverts(warm, 3) == []
    chip.power_up = True
    cold = PvvxFirmware(chip, one.image)
    cold.boot()
    assert len(adverts(cold, 3)) > 0


def test_interval() -> None:
    """adv x 62.5 ms plus the configured delay at most."""
    one = firmware()
    assert 2.5 <= one.advertise() <= 2.5 + 10 * 0.000625


# --- versions and boards ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_boots_twice_and_answers_everything(version: str) -> None:
    """No version stumbles over any command id, and a second boot keeps the settings."""
    one = firmware(version)
    for number in range(256):
        one.command(bytes([number]))
    config = one.state.config
    again = firmware(version, flash=one.chip.flash)
    assert not again.state.first_start
    assert again.state.config[4:8] == config[4:8]
    assert adverts(again, 2)


@pytest.mark.parametrize("version", ["4.1", "4.2"])
def test_unknown_commands(version: str) -> None:
    """Answered from 4.2 on."""
    one = firmware(version)
    one.chip.outbox.clear()
    unknown = [number for number in range(256) if number not in TABLE]
    for number in unknown:
        one.command(bytes([number]))
    frames = [action.data for action in one.chip.outbox if isinstance(action, Notify)]
    assert frames == ([bytes([number, 0xFF]) for number in unknown] if version == "4.2" else [])


@pytest.mark.parametrize("hardware", BOARDS)
def test_boards(hardware: str) -> None:
    """2A27 and command 00 tell the probed hardware."""
    one = firmware(hardware=hardware)
    assert one.read(uuids.HARDWARE_REVISION) == BOARDS[hardware].name
    reply = one.commands.execute(b"\0")
    assert reply is not None
    assert reply[2] == BOARDS[hardware].hardware_id


def test_handles_of_1f1f() -> None:
    """custom-firmware.md 3."""
    handles = []
    for version in ("1.4", "1.5", "2.1", "2.2", "5.8"):
        command = firmware(version).gatt.find(uuids.CUSTOM_COMMAND)
        handles.append(command.handle if command else 0)
    assert handles == [0x20, 0x2B, 0x2B, 0x2D, 0x2D]


def test_value_of_1f1f() -> None:
    """Exact from 4.2 on, a buffer of 16 bytes before."""
    assert firmware("4.3").read(uuids.CUSTOM_COMMAND).hex() == "5543051000002804a9313180b4"
    assert firmware("4.0").read(uuids.CUSTOM_COMMAND).hex() == "5540052000002804a97c3180b4000000"


def test_identity_string_is_saved_once() -> None:
    """From 4.2 on 0x55000 is copied to 0x76FE0, and survives a change of the address."""
    flash = NorFlash()
    flash.program(0x55000, b"B1.9F1.0-CFMK-LB-FLD----")
    one = firmware(flash=flash)
    one.command(bytes.fromhex("1006665544332211"))
    assert flash.read(0x76FE0, 24) == b"B1.9F1.0-CFMK-LB-FLD----"
    assert one.read(uuids.SERIAL_NUMBER) == b"F1.0-CFMK-LB-FLD----"


# --- links ------------------------------------------------------------------------------------------------------------


def test_parameters_are_asked_for_after_a_second() -> None:
    """20 ms, latency 49, 4 s."""
    unit = running()
    CentralLink(unit).connect()
    seen = [action for action in unit.advance(5.0) if isinstance(action, RequestParameters)]
    assert seen == [RequestParameters(16, 16, 49, 400)]


def test_mtu_is_asked_for() -> None:
    """71 makes the unit ask; the central's own request gets 23."""
    one = firmware()
    one.chip.outbox.clear()
    one.command(b"\x71\x20")
    assert one.chip.outbox == [RequestMtu(32), Notify(uuids.CUSTOM_COMMAND, b"\x71\0")]
    assert one.att_mtu == 23


def test_readings_are_notified_where_subscribed() -> None:
    """Battery, temperatures, humidity in this order, and frames of 33."""
    unit = running()
    pair = CentralLink(unit).connect()
    order = [uuids.BATTERY_LEVEL, uuids.short(0x2A1F), uuids.short(0x2A6E), uuids.short(0x2A6F), uuids.CUSTOM_COMMAND]
    for char in reversed(order):
        unit.subscribe(pair.now, char, b"\1\0")
    unit.write(pair.now, uuids.CUSTOM_COMMAND, b"\x33\x02")
    seen = [action for action in unit.advance(pair.now + 35) if isinstance(action, Notify)]
    assert [action.char for action in seen] == order * 2 + order[:4]


def test_reboot_on_disconnect() -> None:
    """72 restarts the unit 100 ms after the link; RAM is new."""
    unit = running()
    pair = CentralLink(unit).connect()
    unit.write(pair.now, uuids.CUSTOM_COMMAND, b"\x72")
    before = unit.firmware
    pair.close()
    unit.advance(pair.now + 1)
    assert unit.firmware is not before


def test_pad_restores_the_defaults_but_not_name_and_pin() -> None:
    """Seven seconds (custom-firmware.md 9.5)."""
    unit = running()
    one = unit.firmware
    assert isinstance(one, PvvxFirmware)
    one.command(b"\x01Bal")
    one.command(bytes.fromhex("5507100a06a0"))
    one.reset_pad()
    unit.advance(10.0)
    again = unit.firmware
    assert isinstance(again, PvvxFirmware)
    assert again is not one
    assert again.state.value("advertising_interval") == 40
    assert again.state.name == b"Bal"


def test_empty_cell_sleeps_and_comes_back() -> None:
    """Below 2.2 V at start no adverts; with a better cell it returns within 3 minutes."""
    unit = running()
    unit.chip.cell.millivolts = 2100
    unit.power_up(0.0)
    assert [action for action in unit.advance(170.0) if isinstance(action, Advertise)] == []
    unit.chip.cell.millivolts = 3000
    assert [action for action in unit.advance(200.0) if isinstance(action, Advertise)]


def test_running_empty_stops_the_adverts() -> None:
    """Below 2.0 V while running."""
    unit = running()
    unit.advance(20.0)
    unit.chip.cell.millivolts = 1950
    unit.advance(40.0)
    assert [action for action in unit.advance(100.0) if isinstance(action, Advertise)] == []


# --- updates ----------------------------------------------------------------------------------------------------------


def test_update_to_another_version() -> None:
    """A synthetic 5.7 goes over, boots, and wipes the settings of 5.8."""
    unit = running()
    pair = CentralLink(unit).connect()
    unit.write(pair.now, uuids.CUSTOM_COMMAND, b"\x01Bal")
    pair.run(send_image(package("pvvx-5.7"), Pace.FAST, stock=False))
    unit.advance(pair.now + 10)
    one = unit.firmware
    assert isinstance(one, PvvxFirmware)
    assert one.image.version == "5.7"
    assert one.state.name == b"ATC_332211"


def test_abandoned_update_resets_after_16_s() -> None:
    """START and silence."""
    unit = running()
    pair = CentralLink(unit).connect()
    unit.write(pair.now, uuids.OTA, b"\x01\xff")
    before = unit.firmware
    pair.close()
    unit.advance(pair.now + 15.5)
    assert unit.firmware is before
    unit.advance(pair.now + 16.5)
    assert unit.firmware is not before


# --- key commands and history -----------------------------------------------------------------------------------------


@given(data=st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_key_commands_never_damage_a_neighbour(data: bytes) -> None:
    """Whatever is written to 11 or 12, the sector stays a chain of the same records."""
    flash = NorFlash()
    flash.program(
        0x78000, bytes.fromhex("010014") + b"\0" * 20 + bytes.fromhex("10001c") + b"k" * 28 + b"\4\0\4\1\0\0\0"
    )
    one = firmware(flash=flash)
    for number in (0x11, 0x12, 0x15):
        one.command(bytes([number]) + data)
        while one.keys.next() is not None:
            pass
    chain = flash.read(0x78000, 61)
    assert (chain[:3], chain[23:26], chain[54:]) == (b"\1\0\x14", b"\x10\0\x1c", b"\4\0\4\1\0\0\0")


def test_restore_loses_the_previous_pair_on_later_versions() -> None:
    """16 swaps on 3.1 and destroys from 3.2 on."""
    for version, expected in (("3.1", (b"o", b"n")), ("3.2", (b"n", b"n"))):
        flash = NorFlash()
        flash.program(0x78000, b"\0\0\x1c" + b"o" * 28 + b"\x10\0\x1c" + b"n" * 28)
        firmware(version, flash=flash).command(b"\x16")
        assert (flash.read(0x7801F + 3, 1), flash.read(0x78003, 1)) == expected


def test_ring_wraps_and_keeps_the_newest() -> None:
    """After more records than fit, the newest are there in order."""
    ring = HistoryRing(NorFlash())
    ring.boot()
    total = 52 * PER_SECTOR + 10
    for number in range(total):
        ring.append(HistoryRecord(number, 0, 0, 0))
    times = [ring.read(address).time for address in ring.addresses()]
    assert times == list(range(total - 1, total - 1 - 51 * PER_SECTOR - 10, -1))
    again = HistoryRing(ring.flash)
    again.boot()
    assert again.addresses() == ring.addresses()


def test_clear_spares_foreign_sectors_from_3_8_on() -> None:
    """3.7 erases the hardware string, 3.8 does not."""
    for version, spared in (("3.7", False), ("3.8", True)):
        flash = NorFlash()
        flash.program(0x55000, b"B1.4F1.0-CFMK-LB-ZCXTJ--")
        firmware(version, flash=flash).command(b"\x36\x12\x34")
        assert flash.is_blank(0x55000, SECTOR) is not spared


def test_history_grows_while_nobody_watches() -> None:
    """Between two commands of the program the unit goes on measuring."""
    one = firmware()
    one.skip(10 * 1800.0)
    assert len(one.ring.addresses()) == 10
    assert one.clock_s() == 18000


# --- robustness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.8", "1.9", "3.6", "4.7", "5.8"])
@given(
    writes=st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.tuples(st.sampled_from(sorted(TABLE)), st.binary(max_size=24)).map(
                lambda pair: bytes([pair[0]]) + pair[1]
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=25, deadline=None)
def test_random_writes_raise_nothing_but_att_errors(version: str, writes: list[bytes]) -> None:
    """No write of any kind makes the firmware fail, now or at the next boot."""
    one = firmware(version)
    one.connected()
    for data in writes:
        for char in (uuids.CUSTOM_COMMAND, uuids.OTA):
            try:
                one.write(char, data)
                one.read(char)
            except AttError:
                pass
            for _ in range(3):
                one.chip.now = one.wake_at() or one.chip.now
                one.tick()
    one.disconnected()
    adverts(one, 9)
    adverts(firmware(version, flash=one.chip.flash), 2)


@given(
    flash=st.lists(
        st.tuples(
            st.sampled_from([0x40000, 0x41000, 0x76000, 0x78000, 0x7C000, 0x7D000]), st.binary(min_size=1, max_size=300)
        ),
        max_size=6,
    ),
    version=st.sampled_from(VERSIONS),
)
@settings(max_examples=60, deadline=None)
def test_any_flash_boots(flash: list[tuple[int, bytes]], version: str) -> None:
    """Whatever lies in the data areas, the firmware starts and advertises."""
    array = NorFlash()
    for address, data in flash:
        array.data[address : address + len(data)] = data
    one = firmware(version, flash=array)
    one.command(b"\x15")
    while one.keys.next() is not None:
        pass
    for _ in range(3):
        one.advertise()


@given(stop=st.integers(1, 60), byte=st.integers(0, 30), version=st.sampled_from(["1.9", "4.3", "5.7", "5.8"]))
@settings(max_examples=60, deadline=None)
def test_power_cut_at_any_flash_operation(stop: int, byte: int, version: str) -> None:
    """The boot after a cut never crashes, and the Mi records are whole unless they were being rewritten."""
    flash = NorFlash(noise=lambda n: b"\xa5" * n)
    keys = b"\1\0\x14" + b"\0" * 20 + b"\x10\0\x1c" + b"k" * 28
    flash.program(0x78000, keys)
    left = [stop]

    def watch(operation: FlashOperation) -> int | None:
        left[0] -= 1
        return min(byte, max(len(operation.data) - 1, 0)) if left[0] == 0 else None

    flash.watch = watch
    try:
        one = firmware(version, flash=flash)
        for data in ("014b69746368656e", "55031a0a0628", "7040e20100", "20f3fdea0bd007511f", "361234", "0100"):
            one.command(bytes.fromhex(data))
    except PowerLoss:
        pass
    flash.watch = None
    again = firmware(version, flash=flash)
    assert adverts(again, 1)
    assert flash.read(0x78000, len(keys)) == keys


def test_resumed_unit_goes_on_without_zeros_or_events() -> None:
    """After a pause of the program counters go on, no boot event, no boot zeros."""
    one = firmware(open_input=True)
    one.command(b"\x18" + KEY)
    one.command(bytes.fromhex("550618"))
    again = firmware(flash=one.chip.flash, open_input=True)
    again.resumed(1000, 50)
    found = readings(adverts(again, 12), KEY)
    assert found[0].counter == 51
    assert all(0 not in reading.values.values() for reading in found)


def test_extended_update_area_is_cleared() -> None:
    """73 clears 132 KiB above the banks, tells when it is done, and arms the reboot."""
    unit = running()
    unit.chip.flash.data[0x45000:0x45010] = bytes(16)
    pair = CentralLink(unit).connect()
    assert pair.run(clear_area(132)) == 132 * 1024
    assert unit.chip.flash.is_blank(0x40000, 132 * 1024)
    before = unit.firmware
    pair.close()
    unit.advance(pair.now + 0.01)
    assert unit.firmware is not before
