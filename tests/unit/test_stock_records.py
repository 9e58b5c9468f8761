"""The record store at boot and when full, by version (flash-layout.md 3.5)."""

import contextlib

import pytest
from stock_bench import ATC_SETTINGS, COUNTER, DID, KEYS, erased, flash_with, live, records

from mitherm.virtual.board.mi_records import MI_SCRATCH, MI_STORE, MiRecordStore
from mitherm.virtual.board.nor_flash import FlashOperation, NorFlash, PowerLoss
from mitherm.virtual.firmware.atc1441_settings import SETTINGS
from mitherm.virtual.firmware.stock_records import StockRecords

LINES = ("0109", "0130", "0159")
NEXT_COUNTER = bytes.fromhex("10020000")


@pytest.mark.parametrize("line", LINES)
def test_bound_boot_moves_the_counter(line: str) -> None:
    """The counter grows by 0x200 at every boot of a bound unit."""
    flash = flash_with()
    assert StockRecords(flash, line).boot() == 0x210
    assert live(flash) == {1: DID, 0x10: KEYS, 4: NEXT_COUNTER}
    assert StockRecords(flash, line).boot() == 0x410


@pytest.mark.parametrize("line", LINES)
def test_unbound_boot_leaves_the_counter(line: str) -> None:
    """Without a key record nothing is counted."""
    flash = flash_with(keys=None)
    StockRecords(flash, line).boot()
    assert live(flash) == {1: DID, 4: COUNTER}


def test_0109_keeps_the_old_counter_as_deleted() -> None:
    """Appended, the old one set to 0000; no sector is erased."""
    flash = flash_with()
    sectors = erased(flash)
    StockRecords(flash, "0109").boot()
    assert records(flash) == [(1, DID), (0x10, KEYS), (0, COUNTER), (4, NEXT_COUNTER)]
    assert sectors == []


def test_0130_compacts_and_leaves_a_copy() -> None:
    """Deleted records are gone after one boot; 0x79000 holds what lived before the counter moved."""
    flash = flash_with()
    store = MiRecordStore(flash)
    store.write(0x10, bytes(28))
    sectors = erased(flash)
    StockRecords(flash, "0130").boot()
    assert sectors == [MI_SCRATCH, MI_STORE]
    assert records(flash) == [(1, DID), (0, COUNTER), (0x10, bytes(28)), (4, NEXT_COUNTER)]
    assert live(flash, MI_SCRATCH) == {1: DID, 4: COUNTER, 0x10: bytes(28)}


def test_0159_keeps_deleted_records() -> None:
    """Only the other sector is erased."""
    flash = flash_with()
    MiRecordStore(flash).write(0x10, bytes(28))
    sectors = erased(flash)
    StockRecords(flash, "0159").boot()
    assert sectors == [MI_SCRATCH]
    assert (0, KEYS) in records(flash)


@pytest.mark.parametrize(("line", "bound", "copy_stays"), [("0109", False, True), ("0130", False, False)])
def test_leftover_in_79000_is_not_used_by_1x(line: str, bound: bool, copy_stays: bool) -> None:
    """0109 ignores the leftover, 0130 erases it (trap 3: also the keys of a 0159 that lived there)."""
    flash = flash_with(MI_SCRATCH)
    store = StockRecords(flash, line)
    store.boot()
    assert store.bound is bound and store.did is None
    assert (live(flash, MI_SCRATCH) != {}) is copy_stays


@pytest.mark.parametrize("atc_bytes", [False, True])
def test_0159_revives_the_leftover(atc_bytes: bool) -> None:
    """Trap 2: DID and keys are back, also when atc1441's bytes lie at 0x78100."""
    flash = flash_with(MI_SCRATCH)
    if atc_bytes:
        flash.program(SETTINGS, ATC_SETTINGS)
    store = StockRecords(flash, "0159")
    store.boot()
    assert (store.did, store.bound, store.sector) == (DID, True, MI_SCRATCH)
    assert flash.is_blank(MI_STORE, 0x1000)


def aged(boots: int) -> NorFlash:
    """A bound unit that was started `boots` times before, without any compaction."""
    flash = flash_with(counter=None)
    last = (0x10 + 0x200 * boots).to_bytes(4, "little")
    flash.program(MiRecordStore(flash).end, bytes.fromhex("00000410000000") * boots + b"\x04\0\x04" + last)
    return flash


def test_0159_moves_for_good_when_full() -> None:
    """Trap 1: after some 570 boots the store lives in 0x79000 and 0x78000 is blank."""
    flash = aged(560)
    for boots in range(561, 580):
        store = StockRecords(flash, "0159")
        counter = store.boot()
        assert store.bound and store.did == DID and counter == 0x10 + 0x200 * boots
        if store.sector == MI_SCRATCH:
            break
    assert 565 < boots < 579
    assert flash.is_blank(MI_STORE, 0x1000)
    assert StockRecords(flash, "0159").boot() == counter + 0x200


def test_0159_comes_back_to_78000() -> None:
    """The next time it is full it moves the other way."""
    flash = aged(560)
    flash.program(MI_SCRATCH, flash.read(MI_STORE, 0x1000))
    flash.erase_sector(MI_STORE)
    for _ in range(20):
        StockRecords(flash, "0159").boot()
    assert live(flash, MI_STORE)[0x10] == KEYS and flash.is_blank(MI_SCRATCH, 0x1000)


@pytest.mark.parametrize("line", ["0109", "0130"])
def test_1x_stays_at_78000_when_full(line: str) -> None:
    """Copied to 0x79000 and back."""
    flash = aged(565)
    for _ in range(10):
        StockRecords(flash, line).boot()
    assert live(flash)[0x10] == KEYS and live(flash, MI_SCRATCH)[0x10] == KEYS


@pytest.mark.parametrize(
    ("rubbish", "line", "stays"),
    [
        (bytes.fromhex("3412aa55") + bytes(60), "0109", True),
        (bytes.fromhex("3412aa55") + bytes(60), "0130", False),
        (bytes.fromhex("3412aa55") + bytes(60), "0159", True),
        (bytes(64), "0109", True),
        (bytes(64), "0130", False),
        (bytes(64), "0159", True),
    ],
)
def test_a_sector_that_is_no_chain(rubbish: bytes, line: str, stays: bool) -> None:
    """Left alone by 0109 and 0159, erased by 0130."""
    flash = flash_with(None)
    flash.program(MI_STORE, rubbish)
    store = StockRecords(flash, line)
    store.boot()
    assert not store.bound
    assert (flash.read(MI_STORE, 64) == rubbish) is stays


@pytest.mark.parametrize(
    ("line", "chain", "stays"),
    [
        ("0109", True, True),
        ("0109", False, True),
        ("0130", True, False),
        ("0130", False, False),
        ("0159", True, True),
        ("0159", False, False),
    ],
)
def test_foreign_bytes_at_78100(line: str, chain: bool, stays: bool) -> None:
    """atc1441's settings: 0130 removes them, 0159 only when the chain is empty, 0109 never."""
    flash = flash_with(MI_STORE if chain else None)
    flash.program(SETTINGS, ATC_SETTINGS)
    StockRecords(flash, line).boot()
    assert (flash.read(SETTINGS, 21) == ATC_SETTINGS) is stays


def test_a_counter_across_the_foreign_bytes() -> None:
    """0109, about 28 boots: the counter is ANDed with them, they count as a record of 171 bytes, the keys go on."""
    flash = flash_with()
    flash.program(SETTINGS, ATC_SETTINGS)
    ends = []
    for _ in range(40):
        store = StockRecords(flash, "0109")
        store.boot()
        assert store.bound and store.did == DID
        ends.append(MiRecordStore(flash).end)
    assert 0x781AF + 7 in ends or 0x781AF in ends


def test_registration_order_and_repeat() -> None:
    """A repeated registration leaves the old pair with id 0000."""
    flash = flash_with()
    store = StockRecords(flash, "0130")
    store.write(0x10, bytes(28))
    store.write(4, bytes(4))
    assert records(flash) == [(1, DID), (0, KEYS), (0, COUNTER), (0x10, bytes(28)), (4, bytes(4))]


def test_unbind_keeps_did_and_counter() -> None:
    """The reset pad turns the key record into a deleted one."""
    flash = flash_with()
    StockRecords(flash, "0109").unbind()
    assert records(flash) == [(1, DID), (0, KEYS), (4, COUNTER)]


@pytest.mark.parametrize("line", LINES)
def test_power_may_fail_at_any_operation_of_a_boot(line: str) -> None:
    """Whatever the cut leaves, the next boots run, and the DID is never a wrong one."""
    for cut in range(14):
        flash = flash_with()
        flash.watch = _cut_at(cut)
        flash.noise = lambda length: bytes(range(256))[:length] * (length // 256 or 1)
        with contextlib.suppress(PowerLoss):
            StockRecords(flash, line).boot()
        flash.watch = None
        store = StockRecords(flash, line)
        store.boot()
        assert store.did in (DID, None)
        StockRecords(flash, line).boot()


def _cut_at(number: int):  # type: ignore[no-untyped-def]
    seen = []

    def watch(operation: FlashOperation) -> int | None:
        seen.append(operation)
        return 0 if len(seen) == number + 1 else None

    return watch


def test_a_cut_compaction_of_0130_loses_the_keys() -> None:
    """Power fails after 0x78000 was erased: the copy in 0x79000 is not used by 0130, but by 0159."""
    flash = flash_with()
    operations = []

    def watch(operation: FlashOperation) -> int | None:
        operations.append(operation)
        return 0 if operation == FlashOperation("program", MI_STORE, operation.data) and len(operations) > 2 else None

    flash.watch = watch
    with pytest.raises(PowerLoss):
        StockRecords(flash, "0130").boot()
    flash.watch = None
    other = NorFlash(bytearray(flash.data))
    again = StockRecords(flash, "0130")
    again.boot()
    assert not again.bound
    other.erase_sector(MI_STORE)
    revived = StockRecords(other, "0159")
    revived.boot()
    assert revived.bound
