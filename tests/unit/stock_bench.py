"""Units with a stock or atc1441 firmware on the bench, for the tests of both."""

from __future__ import annotations

from random import Random

from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.virtual.board.chip import Action, Advertise, Chip
from mitherm.virtual.board.mi_records import MI_SCRATCH, MI_STORE, MiRecordStore
from mitherm.virtual.board.nor_flash import FlashOperation, NorFlash
from mitherm.virtual.factory import make_unit
from mitherm.virtual.firmware.base import BootImage, Firmware
from mitherm.virtual.firmware.stock import StockFirmware
from mitherm.virtual.spec import parse_spec, with_address
from mitherm.virtual.unit import Unit

ADDRESS = Address.parse("A4:C1:38:12:34:56")
VERSIONS = {"0109": "1.0.0_0109", "0130": "1.0.0_0130", "0159": "2.1.1_0159"}
DID = b"\0blt.3.1a2b3c4d5e6f7"
KEYS = bytes(range(0xB0, 0xBC)) + bytes(range(0x30, 0x40))
COUNTER = bytes.fromhex("10000000")
ATC_SETTINGS = bytes.fromhex("23f1cfab15000000000000010100060a00000505af")


def flash_with(
    sector: int | None = MI_STORE,
    *,
    did: bytes | None = DID,
    keys: bytes | None = KEYS,
    counter: bytes | None = COUNTER,
) -> NorFlash:
    """Flash with MAC, hardware string and, unless `sector` is None, the given records."""
    flash = NorFlash()
    flash.program(0x76000, ADDRESS.reversed + b"\x55\xaa")
    flash.program(0x55000, b"B1.4F1.0-CFMK-LB-ZCXTJ--")
    if sector is not None:
        store = MiRecordStore(flash, sector)
        for record_id, data in ((1, did), (0x10, keys), (4, counter)):
            if data is not None:
                store.append(record_id, data)
    return flash


def stock(line: str, flash: NorFlash | None = None, *, build: str = "c", boot: bool = True) -> StockFirmware:
    """A firmware object without a unit around it."""
    image = BootImage(Family.STOCK, VERSIONS[line], "LYWSD03MMC", 0, 0, build=build if line == "0159" else "")
    firmware = StockFirmware(Chip(flash or flash_with(), entropy=Random(3).randbytes), image)
    if boot:
        firmware.boot()
    return firmware


def unit(spec: str, *, seed: int = 1) -> tuple[Unit, MiKeys | None]:
    """A powered unit with a synthetic image, and its keys."""
    chosen = with_address(parse_spec(spec), ADDRESS)
    random = Random(seed)
    made = make_unit(chosen, random.randbytes)
    one = Unit(Chip(made.flash, hardware=chosen.hardware, entropy=random.randbytes))
    one.chip.cell.millivolts = 3000
    one.power_up(0.0)
    return one, made.keys


def erased(flash: NorFlash) -> list[int]:
    """A list that fills with the sectors erased from now on."""
    sectors: list[int] = []

    def watch(operation: FlashOperation) -> None:
        if operation.kind == "erase":
            sectors.append(operation.address)

    flash.watch = watch
    return sectors


def run(one: Unit, until: float) -> list[tuple[float, Action]]:
    """Let time pass; everything that came out, with its time."""
    out: list[tuple[float, Action]] = []
    while (due := one.wake_at()) is not None and due <= until:
        out += [(due, action) for action in one.advance(due)]
    one.advance(until)
    return out


def adverts(firmware: Firmware, seconds: float) -> list[tuple[float, bytes]]:
    """Adverts of a firmware without a unit around it, from now on."""
    out: list[tuple[float, bytes]] = []
    end = firmware.chip.now + seconds
    while firmware.chip.now < end:
        wait = firmware.advertise()
        action = firmware.chip.outbox.pop()
        assert isinstance(action, Advertise)
        out.append((firmware.chip.now, action.data))
        firmware.chip.now += wait
    return out


def records(flash: NorFlash, sector: int = MI_STORE) -> list[tuple[int, bytes]]:
    """Ids and data of the chain, deleted ones included."""
    return [(record.id, record.data) for record in MiRecordStore(flash, sector).records()]


def live(flash: NorFlash, sector: int = MI_STORE) -> dict[int, bytes]:
    """The live records of a sector."""
    return {record.id: record.data for record in MiRecordStore(flash, sector).live()}


__all__ = ["MI_SCRATCH", "MI_STORE"]
