"""Updating stock firmware: the gate, the results, the signature, power cuts (telink-ota.md 5, 6, 8; virtual-unit.md 5, 7)."""

import pytest
from stock_bench import live, run, unit

from mitherm.image.synth import package, sign_file, synth
from mitherm.protocol import uuids
from mitherm.protocol.mi import client as mi_client
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.protocol.ota.packets import End, Start, blocks
from mitherm.virtual.board.chip import Terminate, Vanish
from mitherm.virtual.central import CentralLink
from mitherm.virtual.unit import Unit

START = bytes(Start())
END = b"\x02\xff"
VERSIONS = ("1.0.0_0109", "1.0.0_0130", "2.1.1_0159", "2.1.1_0159_B1.6")


def entropy(length: int) -> bytes:
    """Not random at all."""
    return bytes((5 * number + 9) % 256 for number in range(length))


def logged_in(version: str) -> tuple[Unit, CentralLink]:
    """A bound unit with an authorised link."""
    one, keys = unit(f"stock-{version},bound=mi-home")
    link = CentralLink(one, 1.0).connect()
    link.run(mi_client.login(keys.token, entropy))
    return one, link


def transfer(one: Unit, link: CentralLink, image: bytes) -> None:
    """Send an image and give the unit time to restart."""
    link.run(send_image(image, Pace.FAST, stock=True))
    run(one, link.now + 10)


@pytest.mark.parametrize("version", VERSIONS)
def test_gate_without_login(version: str) -> None:
    """0x13 at once; 5 s later error 5 and a reboot, although nobody is connected."""
    one, _ = unit(f"stock-{version},bound=mi-home")
    boots = one.chip.flash.u32(0x53000)
    run(one, 10)
    one.connect(10)
    assert Terminate(0x13) in one.write(10.5, uuids.OTA, START)
    assert not one.chip.connected
    run(one, 15.4)
    assert one.chip.flash.u32(0x53000) == boots
    run(one, 15.6)
    assert one.chip.flash.u32(0x53000) == boots + 1
    assert one.last_update == ("error", "5")


def test_gate_stays_closed_after_registration_alone() -> None:
    """Registration is no login."""
    one, _ = unit("stock-1.0.0_0130")
    link = CentralLink(one, 1.0).connect()
    link.run(mi_client.register(entropy, did_if_none="blt.3.129vABCDEFmth"))
    assert Terminate(0x13) in one.write(link.now, uuids.OTA, START)


@pytest.mark.parametrize("version", VERSIONS)
def test_gate_open_after_login(version: str) -> None:
    """START is taken; silence for 5 s ends in a silent reset."""
    one, link = logged_in(version)
    assert one.write(link.now, uuids.OTA, START) == []
    out = run(one, link.now + 5.1)
    assert [action for _, action in out if isinstance(action, Terminate | Vanish)] == [Vanish()]
    assert out[0][0] == pytest.approx(link.now + 5)


@pytest.mark.parametrize("version", ["1.0.0_0109", "1.0.0_0130"])
def test_1x_takes_custom_firmware(version: str) -> None:
    """Transferred, reset 13 ms after END, the new personality runs and the records are still there."""
    one, link = logged_in(version)
    transfer(one, link, package("pvvx-5.8"))
    assert one.firmware.image.family == "pvvx"
    assert one.last_update == ("accepted", "")
    assert live(one.chip.flash)[0x10]


def test_0159_takes_a_signed_image() -> None:
    """The genuine road: reset 3.5 s after END, records kept."""
    one, link = logged_in("2.1.1_0159")
    transfer(one, link, package("stock-2.1.1_0159"))
    assert one.last_update == ("accepted", "signed")
    assert one.firmware.image.bank == 0x20000
    assert one.firmware.records.bound


@pytest.mark.parametrize("version", ["2.1.1_0159", "2.1.1_0159_B1.6"])
def test_0159_refuses_an_unsigned_image(version: str) -> None:
    """Half a second after END the old firmware comes back; the bank is cleared at its boot."""
    one, link = logged_in(version)
    transfer(one, link, package("pvvx-5.8"))
    assert one.last_update == ("refused", "no-tail")
    assert (one.firmware.image.family, one.firmware.image.bank) == ("stock", 0)
    assert one.chip.flash.is_blank(0x20000, 0x20000)


@pytest.mark.parametrize(
    ("version", "family", "result"),
    [
        ("2.1.1_0159", "pvvx", ("accepted", "exploit")),
        ("2.1.1_0159_B1.6", "stock", ("refused", "overlong")),
    ],
)
def test_custom_with_a_sign_file(version: str, family: str, result: tuple[str, str]) -> None:
    """The sign file opens build c only."""
    one, link = logged_in(version)
    image = sign_file().apply(synth("pvvx-5.8"))
    transfer(one, link, image)
    assert (one.firmware.image.family, one.last_update) == (family, result)


@pytest.mark.parametrize(("version", "delay_s"), [("1.0.0_0130", 0.013), ("2.1.1_0159", 3.5)])
def test_time_from_end_to_reset(version: str, delay_s: float) -> None:
    """13 ms for the marks; the signature takes 0159 3.5 s."""
    one, link = logged_in(version)
    one.write(link.now, uuids.OTA, START)
    for block in blocks(package("stock-2.1.1_0159")):
        one.write(link.now, uuids.OTA, bytes(block))
    one.write(link.now, uuids.OTA, bytes(End(block.index)))
    assert one.chip.reset_at == pytest.approx(link.now + delay_s)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_two_byte_end_kills_1x(version: str) -> None:
    """START and a bare END: 1.x switches to a blank bank and is dark; 0159 finds no tail."""
    one, link = logged_in(version)
    one.write(link.now, uuids.OTA, START)
    one.write(link.now, uuids.OTA, END)
    run(one, link.now + 20)
    assert one.running is ("0159" in version)


def test_abandoned_update_can_be_continued() -> None:
    """Disconnect, back within 5 s: the next block is taken without START, and login is not asked again."""
    one, link = logged_in("1.0.0_0130")
    parts = list(blocks(package("pvvx-5.8")))
    one.write(link.now, uuids.OTA, START)
    for block in parts[:20]:
        one.write(link.now, uuids.OTA, bytes(block))
    one.disconnect(link.now)
    run(one, link.now + 3)
    one.connect(link.now + 3)
    for block in parts[18:40]:
        one.write(link.now + 3, uuids.OTA, bytes(block))
    assert one.chip.flash.read(0x20000 + 39 * 16, 16) == parts[39].data
    run(one, link.now + 8.2)
    assert one.last_update == ("error", "5")
    assert one.chip.flash.is_blank(0x20000, 0x1000)


def test_clock_is_logged_before_the_reset() -> None:
    """The new firmware starts from the clock at the end of the update."""
    one, link = logged_in("1.0.0_0130")
    one.write(link.now, uuids.STOCK_TIME, (10000).to_bytes(4, "little"))
    started = link.now
    transfer(one, link, package("stock-1.0.0_0130"))
    assert one.firmware.clock_s() >= 10000 + int(link.now - started) - 6


def test_mi_keys_survive_0130_to_0159() -> None:
    """0130 leaves a copy in 0x79000; the signed 0159 erases it and keeps the store."""
    one, link = logged_in("1.0.0_0130")
    before = live(one.chip.flash)
    transfer(one, link, package("stock-2.1.1_0159"))
    assert one.firmware.line == "0159"
    after = live(one.chip.flash)
    assert (after[1], after[0x10]) == (before[1], before[0x10])
    assert one.chip.flash.is_blank(0x79000, 0x1000)
