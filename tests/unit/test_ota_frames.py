"""Frames of the Telink update and the interval request."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import DecodeError
from mitherm.protocol.ota.interval import IntervalRequest, ParameterRequest, answer
from mitherm.protocol.ota.packets import Block, End, Start, UncheckedEnd, Version, blocks, parse

indexes = st.integers(0, 0xFEFF)


@given(
    st.one_of(
        st.just(Version()),
        st.just(Start()),
        st.builds(End, indexes),
        st.builds(Block.make, indexes, st.binary(min_size=1, max_size=16)),
    )
)
@settings(max_examples=60)
def test_frames_survive_a_round_trip(frame: Version | Start | Block | End) -> None:
    """What is encoded is what is parsed."""
    assert parse(bytes(frame)) == frame


@given(st.binary(max_size=40))
@settings(max_examples=100)
def test_parse_takes_anything(raw: bytes) -> None:
    """No value makes the parser fail."""
    assert isinstance(parse(raw), (Version, Start, Block, End, UncheckedEnd))


@given(st.binary(max_size=40), st.booleans())
@settings(max_examples=60)
def test_only_six_bytes_are_a_checked_end(tail: bytes, complete: bool) -> None:
    """END counts as checked only with six bytes and complementary words."""
    raw = bytes(End(5)) if complete else b"\x02\xff" + tail
    words = raw[2:4], bytes(byte ^ 0xFF for byte in raw[4:6])
    assert isinstance(parse(raw), End) == (len(raw) == 6 and words[0] == words[1])


def test_bytes_behind_a_block_are_ignored() -> None:
    """A longer value is the same block."""
    block = Block.make(3, b"0123456789abcdef")
    assert parse(bytes(block) + b"more") == block


def test_a_short_block_is_completed_and_damaged() -> None:
    """Missing bytes count as 00, so the CRC does not fit."""
    block = parse(bytes(Block.make(3, b"0123456789abcdef"))[:18])
    assert isinstance(block, Block)
    assert not block.intact


def test_last_block_is_filled() -> None:
    """A file of 17 bytes has a second block of 15 times FF."""
    assert [block.data for block in blocks(b"a" * 17)] == [b"a" * 16, b"a" + b"\xff" * 15]


@pytest.mark.parametrize(("index", "data"), [(0xFF00, b"a"), (-1, b"a"), (0, b""), (0, bytes(17))])
def test_impossible_blocks_are_refused(index: int, data: bytes) -> None:
    """An index that is a command, no data, and too much data raise ValueError."""
    with pytest.raises(ValueError, match="no block"):
        Block.make(index, data)


@given(st.integers(0, 0xFFFF), st.booleans())
@settings(max_examples=60)
def test_interval_wishes_survive_a_round_trip(interval_ms: int, ios: bool) -> None:
    """What is encoded is what is parsed, and every request is answered within the limits of the unit."""
    request = IntervalRequest(interval_ms, ios)
    assert IntervalRequest.from_bytes(bytes(request)) == request
    request = answer(bytes(request))
    assert request is not None
    assert 8 <= request.minimum <= request.maximum <= 400


def test_interval_wishes_of_other_lengths_are_ignored() -> None:
    """One and four bytes get no answer, two bytes do."""
    assert answer(b"\x0a") is answer(bytes(4)) is None
    assert answer(b"\x0a\x00") == ParameterRequest(8, 8)


def test_interval_codec_refuses() -> None:
    """Wrong length and wrong range."""
    with pytest.raises(DecodeError):
        IntervalRequest.from_bytes(b"\x0a")
    with pytest.raises(ValueError, match="no interval"):
        bytes(IntervalRequest(0x10000))
