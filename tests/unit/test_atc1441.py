"""atc1441's firmware (custom-firmware.md 11, flash-layout.md 5)."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stock_bench import ATC_SETTINGS, adverts, erased, flash_with, run, unit

from mitherm.model.family import Family
from mitherm.protocol import uuids
from mitherm.protocol.ota.packets import Start
from mitherm.virtual.board.chip import AttError, Chip, Notify, RequestParameters, Terminate
from mitherm.virtual.board.mi_records import MI_STORE
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.firmware.atc1441 import Atc1441Firmware, battery_pct, tenths_fahrenheit
from mitherm.virtual.firmware.atc1441_settings import SETTINGS, is_comfortable
from mitherm.virtual.firmware.base import BootImage
from mitherm.virtual.firmware.gatt_tables import HUMIDITY, TEMPERATURE_TENTHS


def booted(flash: NorFlash | None = None) -> Atc1441Firmware:
    """A firmware object without a unit around it."""
    chip = Chip(flash or flash_with(None), entropy=Random(2).randbytes)
    firmware = Atc1441Firmware(chip, BootImage(Family.ATC1441, "", "LYWSD03MMC", 0, 64324))
    firmware.boot()
    return firmware


def test_keys_are_gone_after_the_first_boot() -> None:
    """Erased by the rule and again by saving the defaults; the second boot writes nothing; 0x79000 is left alone."""
    flash = flash_with()
    flash.program(0x79000, b"\x01\0\x14")
    sectors = erased(flash)
    booted(flash)
    assert sectors == [MI_STORE, MI_STORE]
    booted(flash)
    assert sectors == [MI_STORE, MI_STORE]
    assert flash.is_blank(MI_STORE, 0x100) and flash.read(SETTINGS, 21) == ATC_SETTINGS
    assert flash.read(0x79000, 3) == b"\x01\0\x14"


@pytest.mark.parametrize("head", ["01020304", "0102ff0405", "ffffffff"])
def test_settings_save_a_sector_whose_head_has_blanks(head: str) -> None:
    """One FF among the first five bytes and valid settings: nothing is erased."""
    flash = flash_with(None)
    flash.program(MI_STORE, bytes.fromhex(head))
    flash.program(SETTINGS, ATC_SETTINGS)
    sectors = erased(flash)
    booted(flash)
    assert sectors == []
    assert flash.read(MI_STORE, len(head) // 2) == bytes.fromhex(head)


@pytest.mark.parametrize("place", [0, 4, 9, 20])
def test_damaged_settings_become_defaults(place: int) -> None:
    """Bad magic, length, content or check."""
    flash = flash_with(None)
    damaged = bytearray(ATC_SETTINGS)
    damaged[place] ^= 1
    flash.program(SETTINGS, bytes(damaged))
    assert booted(flash).settings.raw == ATC_SETTINGS
    assert flash.read(SETTINGS, 21) == ATC_SETTINGS


def test_settings_are_lost_without_saving() -> None:
    """DF keeps them."""
    flash = flash_with(None)
    firmware = booted(flash)
    firmware.write(uuids.CUSTOM_COMMAND, b"\xfe\x14")
    assert booted(flash).settings.raw[14] == 6
    firmware.write(uuids.CUSTOM_COMMAND, b"\xdf")
    assert booted(flash).settings.raw[14] == 0x14


@pytest.mark.parametrize(
    ("command", "blinking", "comfort"), [("a0", 0, 0), ("a1", 0, 0), ("a2", 0, 0), ("a3", 1, 0), ("ab", 0, 1)]
)
def test_smileys(command: str, blinking: int, comfort: int) -> None:
    """What the smiley commands leave in the settings."""
    firmware = booted()
    firmware.write(uuids.CUSTOM_COMMAND, b"\xab")
    firmware.write(uuids.CUSTOM_COMMAND, bytes.fromhex(command))
    assert (firmware.settings.raw[10], firmware.settings.raw[11]) == (blinking, comfort)


def test_a_missing_operand_is_stale() -> None:
    """FA alone takes the second byte of the write before."""
    firmware = booted()
    firmware.write(uuids.CUSTOM_COMMAND, b"\xfe\x09")
    firmware.write(uuids.CUSTOM_COMMAND, b"\xfa")
    assert firmware.settings.signed(16) == 9


def test_nothing_is_answered_and_1f1f_cannot_be_read() -> None:
    """ATT error 02."""
    firmware = booted()
    for command in range(256):
        firmware.write(uuids.CUSTOM_COMMAND, bytes([command]))
    assert firmware.chip.outbox == []
    with pytest.raises(AttError) as refused:
        firmware.read(uuids.CUSTOM_COMMAND)
    assert refused.value.code == AttError.READ_NOT_PERMITTED


def test_link() -> None:
    """Asks for 10 ms at latency 99; every sensor loop notifies although no CCCD is on."""
    one, _ = unit("atc1441")
    run(one, 5)
    assert one.connect(5) == [RequestParameters(8, 8, 99, 400)]
    sent = [action for _, action in run(one, 5 + 13) if isinstance(action, Notify)]
    assert sent[:3] == [
        Notify(TEMPERATURE_TENTHS, b"\xd7\x00"),
        Notify(HUMIDITY, b"\x94\x11"),
        Notify(uuids.BATTERY_LEVEL, b"\x4d"),
    ]
    assert len(sent) == 6


def test_adverts() -> None:
    """31 zero bytes, then the measurement with counter 1; a new counter every 60 s."""
    sent = adverts(booted(), 130)
    assert sent[0][1] == bytes(31)
    assert sent[1][1].hex() == "10161a18a4c13812345600d72d580bb801"
    firsts = {data[-1]: moment for moment, data in reversed(sent[1:])}
    assert sorted(firsts) == [1, 2, 3]
    assert firsts[2] - firsts[1] == pytest.approx(60, abs=2)


def test_a_jump_is_advertised_at_once() -> None:
    """More than 0.5 C or 5 %."""
    firmware = booted()
    adverts(firmware, 4)
    firmware.chip.climate.temperature_c += 0.5
    assert adverts(firmware, 1)[0][1][-1] == 1
    firmware.chip.climate.temperature_c += 0.1
    assert adverts(firmware, 1)[0][1][-1] == 2


def test_fahrenheit_trap() -> None:
    """After 0F tenths of Fahrenheit go out and nothing tells."""
    firmware = booted()
    firmware.write(uuids.CUSTOM_COMMAND, b"\x0f")
    assert int.from_bytes(adverts(firmware, 3)[1][1][10:12], "big") == 707
    assert tenths_fahrenheit(-400) == -400


def test_offsets() -> None:
    """They shift what is measured."""
    firmware = booted()
    firmware.write(uuids.CUSTOM_COMMAND, b"\xfa\xf6")
    firmware.write(uuids.CUSTOM_COMMAND, b"\xfb\x7f")
    assert (firmware.measure().temperature_x10, firmware.measure().humidity_pct) == (205, 95)


@pytest.mark.parametrize(("millivolts", "percent"), [(3100, 100), (3000, 88), (2209, 1), (2208, 0), (1900, 0)])
def test_battery_percent(millivolts: int, percent: int) -> None:
    """floor((mV - 2200) / 9)."""
    assert battery_pct(millivolts) == percent


@pytest.mark.parametrize(
    ("temperature", "humidity", "inside"),
    [
        (2200, 5000, True),
        (2600, 2500, True),
        (3000, 5000, False),
        (1650, 8000, True),
        (2200, 1900, False),
        (2200, 8500, False),
    ],
)
def test_comfort(temperature: int, humidity: int, inside: bool) -> None:
    """Inside the polygon or not."""
    assert is_comfortable(temperature, humidity) is inside


def test_update_has_no_gate_and_gives_up_after_5_s() -> None:
    """START from anybody; silence ends in a reset."""
    one, _ = unit("atc1441")
    run(one, 5)
    one.connect(5)
    assert not [action for action in one.write(6, uuids.OTA, bytes(Start())) if isinstance(action, Terminate)]
    run(one, 11.5)
    assert one.last_update == ("error", "5") and not one.chip.connected


def test_blank_address() -> None:
    """A random one is made and written."""
    flash = NorFlash()
    booted(flash)
    assert flash.read(0x76003, 3) == bytes.fromhex("38c1a4")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=24), st.integers(0, 400)), max_size=25))
def test_random_writes_raise_att_errors_only(writes: list[tuple[bool, bytes, int]]) -> None:
    """Whatever is written and whenever, the firmware goes on."""
    firmware = booted()
    firmware.chip.connected = True
    firmware.connected()
    for to_ota, data, wait_ms in writes:
        with suppress(AttError):
            firmware.write(uuids.OTA if to_ota else uuids.CUSTOM_COMMAND, data)
        firmware.chip.now += wait_ms / 100
        firmware.tick()
        firmware.advertise()
