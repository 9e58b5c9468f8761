"""Frames of 0019, and what is no frame."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import DecodeError
from mitherm.protocol.mi.parcel import (
    Acknowledge,
    Announce,
    Assembly,
    Data,
    LinkParameters,
    Single,
    SingleAck,
    cut,
    decode,
)

u8, u16 = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
frames = st.one_of(
    st.builds(Announce, u8, u16),
    st.builds(Acknowledge, u8.filter(lambda ack: ack != 5)),
    st.builds(Acknowledge, st.just(5), st.lists(u16, max_size=6).map(tuple)),
    st.builds(Single, u8, st.binary(max_size=16)),
    st.just(SingleAck()),
    st.builds(LinkParameters, u8, st.binary(max_size=16), st.booleans()),
    st.builds(Data, st.integers(1, 0xFFFF), st.binary(max_size=18)),
)


@settings(max_examples=100)
@given(frames)
def test_frames_survive(frame):
    """Every frame decodes to what was encoded."""
    assert decode(frame.to_bytes()) == frame


@settings(max_examples=100)
@given(st.binary(max_size=24))
def test_any_bytes(raw):
    """Any bytes are a frame or a DecodeError."""
    try:
        frame = decode(raw)
    except DecodeError:
        return
    assert decode(frame.to_bytes()) == frame


@pytest.mark.parametrize("raw", ["", "01", "0000", "000000", "00000003", "0000000304", "00000600", "0000ff00"])
def test_no_frame(raw):
    """Too short for its mode, or of a mode nobody knows."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(raw))


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=300), st.integers(1, 60), st.randoms(use_true_random=False))
def test_cut_and_assemble(data, payload, random):
    """The pieces in any order, some twice, give the whole."""
    pieces = cut(data, payload)
    parts = Assembly(len(pieces), payload)
    order = [*pieces, *random.choices(pieces, k=3)]
    random.shuffle(order)
    assert all(parts.add(piece) for piece in order)
    assert parts.missing == []
    assert parts.data == data


def test_assembly_refuses_what_does_not_fit():
    """Number 0 or beyond the count, a short piece in the middle, an empty or long last one."""
    parts = Assembly(2)
    wrong = [Data(0, bytes(18)), Data(3, bytes(18)), Data(1, bytes(17)), Data(2, b""), Data(2, bytes(19))]
    assert not any(parts.add(piece) for piece in wrong)
    assert parts.missing == [1, 2]


def test_lost_lists():
    """A request for lost frames may name several."""
    assert decode(bytes.fromhex("0000010501000300")) == Acknowledge(5, (1, 3))
