"""pvvx' settings store: values survive, defects are there, a power cut never stops a boot."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.virtual.board.nor_flash import SECTOR, FlashOperation, NorFlash, PowerLoss
from mitherm.virtual.firmware.settings_store import SECTORS, Setting, SettingsStore, settings_store

V1, V2 = 0x57, 0x58
BUILD = 10


def fresh(version: int, **options: bool) -> SettingsStore:
    store = settings_store(NorFlash(), version, **options)
    assert not store.check_version(version, BUILD)
    return store


@pytest.mark.parametrize("version", [V1, V2])
def test_last_value_counts_and_empty_deletes(version: int) -> None:
    """Write, change, delete."""
    store = fresh(version)
    for value in (b"Bal", b"Balcony"):
        store.write(Setting.NAME, value)
    assert store.read(Setting.NAME) == b"Balcony"
    store.write(Setting.NAME, b"")
    assert store.read(Setting.NAME) is None


@pytest.mark.parametrize("version", [V1, V2])
def test_equal_values_are_not_written(version: int) -> None:
    """No wear for nothing."""
    store = fresh(version)
    store.write(Setting.NAME, b"x")
    before = bytes(store.flash.data)
    store.write(Setting.NAME, b"x")
    assert bytes(store.flash.data) == before


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [(0x14, 0x20, True), (0x09, 0x57, True), (0x08, 0x09, False), (0x57, 0x58, False), (0x58, 0x57, False)],
)
def test_which_versions_keep_the_settings(before: int, after: int, kept: bool) -> None:
    """flash-layout.md 4.3."""
    first = fresh(before)
    first.write(Setting.NAME, b"Bal")
    second = settings_store(first.flash, after)
    assert second.check_version(after, BUILD) is kept
    assert (second.read(Setting.NAME) == b"Bal") is kept


def test_another_build_of_5_8_wipes() -> None:
    """The image of another model does not keep the settings."""
    store = fresh(V2)
    assert not settings_store(store.flash, V2).check_version(V2, BUILD + 1)


def test_v1_sector_change_loses_all_but_the_last_record() -> None:
    """The defect of every v1 version: the next boot wipes."""
    store = fresh(V1)
    store.write(Setting.NAME, b"Bal")
    store.write(Setting.KEY, b"k" * 16)
    number = 0
    while store.current == SECTORS[0]:
        number += 1
        store.write(Setting.CONFIG, number.to_bytes(11, "little"))
    assert 240 < number < 260
    assert store.current == SECTORS[1]
    assert store.read(Setting.CONFIG) == number.to_bytes(11, "little")
    assert store.read(Setting.NAME) is None
    assert store.flash.is_blank(SECTORS[0], SECTOR)
    assert not settings_store(store.flash, V1).check_version(V1, BUILD)


def test_v2_sector_change_keeps_everything() -> None:
    """5.8 copies properly."""
    store = fresh(V2)
    store.write(Setting.NAME, b"Bal")
    for number in range(1, 700):
        store.write(Setting.CONFIG, number.to_bytes(11, "little"))
    assert store.read(Setting.NAME) == b"Bal"
    assert store.read(Setting.CONFIG) == (699).to_bytes(11, "little")
    assert settings_store(store.flash, V2).check_version(V2, BUILD)


def test_page_wrap_destroys_the_header() -> None:
    """A record across the first page end makes the sector unusable, only with the option on."""
    for wrap in (False, True):
        store = fresh(V2, page_wrap=wrap)
        store.write(Setting.NAME, b"Bal")
        for number in range(1, 25):
            store.write(Setting.CONFIG, number.to_bytes(11, "little"))
            if store.current is None:
                break
        assert (store.current is None) is wrap


@pytest.mark.parametrize("version", [V1, V2])
@given(random=st.binary(min_size=64, max_size=400))
@settings(max_examples=25, deadline=None)
def test_any_sector_content_is_readable(version: int, random: bytes) -> None:
    """Foreign bytes never stop the check, and afterwards the store works."""
    flash = NorFlash()
    for sector in SECTORS:
        flash.data[sector : sector + len(random)] = random
    store = settings_store(flash, version)
    store.check_version(version, BUILD)
    store.write(Setting.KEY, b"k" * 16)
    assert store.read(Setting.KEY) == b"k" * 16


@pytest.mark.parametrize("version", [V1, V2])
@given(stop=st.integers(0, 40), byte=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_power_cut_while_writing(version: int, stop: int, byte: int) -> None:
    """Wherever the supply fails, the next boot reads or wipes; it never fails itself."""
    flash = NorFlash(noise=lambda n: b"\x5a" * n)
    left = [stop]

    def watch(operation: FlashOperation) -> int | None:
        left[0] -= 1
        if left[0] != 0:
            return None
        return min(byte, max(len(operation.data) - 1, 0))

    flash.watch = watch
    try:
        store = settings_store(flash, version)
        store.check_version(version, BUILD)
        for number in range(20):
            store.write(Setting.CONFIG, bytes([number]) * 11)
            store.write(Setting.NAME, bytes([65 + number]) * 7)
    except PowerLoss:
        pass
    flash.watch = None
    again = settings_store(flash, version)
    again.check_version(version, BUILD)
    again.write(Setting.NAME, b"after")
    assert again.read(Setting.NAME) == b"after"
