"""Codec of the stock vendor values."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import DecodeError
from mitherm.protocol.stock import DEFAULT_COMFORT, Comfort, DataCount, HistoryRecord, Measurement

FEW = settings(max_examples=40)


def test_measurement_of_0130() -> None:
    """i16 x100, u8, u16 mV."""
    assert Measurement.from_bytes(bytes.fromhex("66082d540b")) == Measurement(21.5, 45, 2900)


def test_measurement_of_0109_has_no_voltage() -> None:
    """Three bytes, below zero."""
    assert Measurement.from_bytes(bytes.fromhex("9cff63")) == Measurement(-1.0, 99, None)
    assert Measurement(-1.0, 99).to_bytes() == bytes.fromhex("9cff63")


@pytest.mark.parametrize("length", [0, 1, 2, 4, 6])
def test_measurement_of_another_length(length: int) -> None:
    """Only 3 and 5 bytes are measurements."""
    with pytest.raises(DecodeError):
        Measurement.from_bytes(bytes(length))


@FEW
@given(st.binary(min_size=5, max_size=5))
def test_measurement_round_trip(raw: bytes) -> None:
    """Every five bytes survive."""
    assert Measurement.from_bytes(raw).to_bytes() == raw


@FEW
@given(st.binary(min_size=14, max_size=14))
def test_history_round_trip(raw: bytes) -> None:
    """Every fourteen bytes survive."""
    assert HistoryRecord.from_bytes(raw).to_bytes() == raw


@FEW
@given(st.binary(min_size=6, max_size=6))
def test_comfort_round_trip(raw: bytes) -> None:
    """Every six bytes survive."""
    assert Comfort.from_bytes(raw).to_bytes() == raw


@FEW
@given(st.binary(max_size=20))
def test_decoders_raise_decode_error_only(raw: bytes) -> None:
    """Whatever comes, it is a value or a DecodeError."""
    for codec in (Measurement, HistoryRecord, Comfort, DataCount):
        with contextlib.suppress(DecodeError):
            codec.from_bytes(raw)


def test_default_comfort() -> None:
    """The six bytes every unit starts with."""
    assert DEFAULT_COMFORT.to_bytes().hex() == "8c0a6c075514"


@pytest.mark.parametrize(
    ("comfort", "taken"),
    [
        (Comfort(20, 20, 99, 0), True),
        (Comfort(19.99, 20, 60, 40), False),
        (Comfort(20, -9.99, 60, 40), True),
        (Comfort(20, -10, 60, 40), False),
        (Comfort(99.09, 0, 60, 40), True),
        (Comfort(99.1, 0, 60, 40), False),
        (Comfort(27, 19, 100, 40), False),
        (Comfort(27, 19, 20, 40), True),
    ],
)
def test_comfort_limits(comfort: Comfort, taken: bool) -> None:
    """Maximum >= minimum >= -9.99, maximum <= 99.09, humidity maximum <= 99."""
    assert comfort.acceptable is taken
