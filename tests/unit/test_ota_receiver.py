"""The device side beyond what the vectors show: callbacks, timers, defects."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges._recipes import image
from mitherm.protocol.ota.packets import BANK_SIZE, End, Start, Version, blocks
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.reactors.ota_receiver import Code, OtaEnd, OtaReceiver, OtaStart, Variant

IMAGE = image("receiver", 80)
LAST = len(list(blocks(IMAGE))) - 1
variants = pytest.mark.parametrize("variant", Variant)


def receiver(variant: Variant = Variant.T, running_bank: int = 0, **more: object) -> tuple[NorFlash, OtaReceiver]:
    flash = NorFlash()
    flash.program(running_bank + 8, b"KNLT")
    return flash, OtaReceiver(flash, variant=variant, running_bank=running_bank, limit_s=5, **more)  # type: ignore[arg-type]


def feed(unit: OtaReceiver, data: bytes = IMAGE, part: slice = slice(None), now: float = 0.0) -> list[object]:
    return [event for block in list(blocks(data))[part] for event in unit.write(bytes(block), now)]


@variants
def test_callback_comes_before_the_marks(variant: Variant) -> None:
    """The callback is asked with bank and last block while the marks are untouched."""
    asked = []

    def accept(bank: int, last: int) -> bool:
        asked.append((bank, last, flash.read(8, 4), flash.read(bank + 8, 4)))
        return True

    flash, unit = receiver(variant, accept=accept)
    unit.write(bytes(Start()), 0)
    feed(unit)
    assert unit.write(bytes(End(LAST)), 0) == [OtaEnd(Code.SUCCESS, True, 0)]
    assert asked == [(BANK_SIZE, LAST, b"KNLT", b"\xffNLT")]
    assert (flash.read(8, 4), flash.read(BANK_SIZE + 8, 4)) == (bytes(4), b"KNLT")


@variants
def test_refused_signature_changes_nothing(variant: Variant) -> None:
    """Code 0, not accepted, marks as before, nothing erased."""
    flash, unit = receiver(variant, accept=lambda bank, last: False)
    unit.write(bytes(Start()), 0)
    feed(unit)
    assert unit.write(bytes(End(LAST)), 0) == [OtaEnd(Code.SUCCESS, False, 0)]
    assert (flash.read(8, 4), flash.read(BANK_SIZE + 8, 4)) == (b"KNLT", b"\xffNLT")


@variants
@pytest.mark.parametrize("started", [True, False])
def test_short_end_bricks(variant: Variant, started: bool) -> None:
    """A two-byte END switches to a blank bank, even without START."""
    flash, unit = receiver(variant)
    if started:
        unit.write(bytes(Start()), 0)
    assert unit.write(b"\x02\xff", 0) == [OtaEnd(Code.SUCCESS, True, 0)]
    assert (flash.read(8, 4), flash.read(BANK_SIZE + 8, 4)) == (bytes(4), b"K\xff\xff\xff")


@variants
def test_end_after_start_alone_only_resets(variant: Variant) -> None:
    """A six-byte END names block 0, which is not there."""
    _, unit = receiver(variant)
    unit.write(bytes(Start()), 0)
    assert unit.write(bytes(End(0)), 0) == [OtaEnd(Code.END_INDEX, False, 0)]


@variants
def test_trailer_stays_valid_across_start(variant: Variant) -> None:
    """After a complete image a second START and part of it pass, though no trailer was seen again."""
    _, unit = receiver(variant)
    unit.write(bytes(Start()), 0)
    feed(unit)
    unit.write(bytes(Start()), 0)
    feed(unit, part=slice(0, 3))
    assert unit.write(bytes(End(2)), 0) == [OtaEnd(Code.SUCCESS, True, 0)]


@variants
def test_another_image_after_start_differs_in_flash(variant: Variant) -> None:
    """START again with another image fails at the first differing block."""
    _, unit = receiver(variant)
    unit.write(bytes(Start()), 0)
    feed(unit, part=slice(0, 3))
    unit.write(bytes(Start()), 0)
    assert feed(unit, image("other", 80)) == [OtaEnd(Code.FLASH_COMPARE, False, 0)]


@variants
def test_every_write_refreshes_the_timer(variant: Variant) -> None:
    """A VERSION or a repeated block keeps the update alive; silence ends it."""
    _, unit = receiver(variant)
    unit.write(bytes(Start()), 0)
    feed(unit, part=slice(0, 2))
    unit.write(bytes(Version()), 4)
    feed(unit, part=slice(1, 2), now=8)
    assert unit.wake_at() == 13
    assert unit.tick(12.9) == []
    assert unit.tick(13) == [OtaEnd(Code.INACTIVITY, False, 1)]
    assert unit.wake_at() is None
    assert unit.write(bytes(Start()), 14) == []


@variants
def test_no_timer_without_start(variant: Variant) -> None:
    """Only START opens the timer."""
    _, unit = receiver(variant)
    feed(unit, part=slice(0, 1))
    assert unit.wake_at() is None
    assert not unit.started
    assert unit.tick(1000) == []


@variants
def test_transfer_goes_on_after_a_lost_link(variant: Variant) -> None:
    """Back within the limit, blocks from a few earlier on are taken without START."""
    flash, unit = receiver(variant)
    unit.write(bytes(Start()), 0)
    feed(unit, part=slice(0, 4))
    feed(unit, part=slice(2, None), now=3)
    assert unit.write(bytes(End(LAST)), 3) == [OtaEnd(Code.SUCCESS, True, 0)]
    assert flash.read(BANK_SIZE, len(IMAGE)) == IMAGE


def test_image_longer_than_a_bank_runs_on_above() -> None:
    """From bank 0 the part beyond 128 KiB lands at 0x40000 and the image is accepted."""
    big = image("big", BANK_SIZE + 64)
    flash, unit = receiver()
    unit.write(bytes(Start()), 0)
    assert feed(unit, big) == []
    assert unit.write(bytes(End(len(big) // 16)), 0) == [OtaEnd(Code.SUCCESS, True, 0)]
    assert flash.read(2 * BANK_SIZE, 68) == big[BANK_SIZE:]


def test_extended_target() -> None:
    """Data and mark go to the given address, the zeros to bank 0."""
    flash, unit = receiver()
    unit.set_target(0x40000, 0x22000)
    assert unit.write(bytes(Start()), 0) == [OtaStart()]
    feed(unit)
    unit.write(bytes(End(LAST)), 0)
    assert flash.read(0x40000, len(IMAGE)) == IMAGE
    assert flash.read(8, 4) == bytes(4)
    assert flash.is_blank(BANK_SIZE, BANK_SIZE)


def test_banks_of_148_kib() -> None:
    """Siblings have their second bank at 0x40000."""
    _, unit = receiver(bank_size=0x40000)
    assert unit.target == 0x40000


@given(
    st.lists(
        st.one_of(st.binary(max_size=22), st.sampled_from([bytes(Start()), *map(bytes, blocks(IMAGE))])), max_size=12
    )
)
@settings(max_examples=60)
def test_old_mark_goes_only_with_a_success(writes: list[bytes]) -> None:
    """Whatever is written, the running bank loses its mark exactly when the receiver says accepted."""
    flash, unit = receiver(Variant.X1)
    events = [event for raw in writes for event in unit.write(raw, 0)]
    accepted = any(isinstance(event, OtaEnd) and event.accepted for event in events)
    assert flash.read(8, 4) == (bytes(4) if accepted else b"KNLT")
