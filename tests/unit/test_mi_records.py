"""The Mi record chain: append, delete, compaction, pvvx' way of searching."""

from mitherm.virtual.board.mi_records import COUNTER, DID, KEYS, MI_SCRATCH, MI_STORE, MiRecordStore, pvvx_find
from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

NAME = b"\0" + b"blt.3.1a2b3c4d5e6f7"


def store() -> MiRecordStore:
    return MiRecordStore(NorFlash())


def test_blank_sector_has_no_records() -> None:
    """FF means nothing stored."""
    assert list(store().records()) == []


def test_write_appends_and_keeps_the_old_one_as_deleted() -> None:
    """A second write leaves the first with id 0000 in front of it."""
    chain = store()
    chain.write(KEYS, b"a" * 28)
    chain.write(KEYS, b"b" * 28)
    assert [(r.id, r.data[:1]) for r in chain.records()] == [(0, b"a"), (KEYS, b"b")]
    assert chain.find(KEYS) == b"b" * 28


def test_bytes_of_one_record() -> None:
    """id u16, length u8, data."""
    chain = store()
    chain.write(COUNTER, b"\x10\x02\0\0")
    assert chain.flash.read(MI_STORE, 8).hex() == "04000410020000ff"


def test_delete_of_a_missing_record_writes_nothing() -> None:
    """delete is quiet when there is nothing to delete."""
    chain = store()
    chain.write(DID, NAME)
    before = bytes(chain.flash.data)
    chain.delete(KEYS)
    assert bytes(chain.flash.data) == before


def test_full_sector_is_compacted_and_leaves_a_copy() -> None:
    """Hundreds of counter writes never lose the other records."""
    chain = store()
    chain.write(DID, NAME)
    for value in range(700):
        chain.write(COUNTER, value.to_bytes(4, "little"))
    assert chain.find(DID) == NAME
    assert chain.find(COUNTER) == (699).to_bytes(4, "little")
    assert chain.end <= MI_STORE + SECTOR
    assert MiRecordStore(chain.flash, MI_SCRATCH).find(DID) == NAME


def test_hook_replaces_compaction() -> None:
    """The owner decides what happens when the sector is full."""

    def move(chain: MiRecordStore) -> None:
        chain.sector = MI_SCRATCH

    chain = MiRecordStore(NorFlash(), on_full=move)
    for value in range(600):
        chain.write(COUNTER, value.to_bytes(4, "little"))
    assert chain.sector == MI_SCRATCH
    assert chain.find(COUNTER) == (599).to_bytes(4, "little")


def test_pvvx_finds_foreign_records_behind_blank_space() -> None:
    """pvvx walks on past the end mark in steps of 258 bytes."""
    flash = NorFlash()
    flash.program(MI_STORE + 258 * 2, bytes.fromhex("04000401020304"))
    found = pvvx_find(flash, COUNTER)
    assert found is not None
    assert found.data == b"\1\2\3\4"
    assert MiRecordStore(flash).find(COUNTER) is None


def test_pvvx_finds_the_nth_deleted_record() -> None:
    """Deleted records are counted from one."""
    chain = store()
    for letter in b"abc":
        chain.write(KEYS, bytes([letter]) * 28)
    assert [r.data[:1] for n in (1, 2, 3) if (r := pvvx_find(chain.flash, 0, n))] == [b"a", b"b"]
