"""The client's channel against scripted units: mixtures, holes, nonsense."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import LinkTimeout, MiAuthRefused, MithermError, PeerMisbehaved
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Await, Notification, Subscribe, Write
from mitherm.protocol.mi import client as mi_client
from mitherm.protocol.mi.channel import MiChannel
from mitherm.protocol.mi.parcel import ParcelType
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS


def entropy(length):
    return random.Random(1).randbytes(length)


def play(procedure, answers):
    """Runs a procedure against scripted notifications (None = silence); returns its result and its writes."""
    waiting, writes, answer, problem = list(answers), [], None, None
    try:
        while True:
            effect = procedure.throw(problem) if problem else procedure.send(answer)
            answer = problem = None
            if isinstance(effect, Write):
                writes.append(effect.data.hex())
            elif isinstance(effect, Await):
                text = waiting.pop(0) if waiting else None
                if text is None:
                    problem = LinkTimeout("silence")
                else:
                    answer = Notification(
                        MI_CONTROL if len(text) == 8 and text[2:] == "000000" else MI_PARCELS, bytes.fromhex(text)
                    )
            else:
                assert isinstance(effect, Subscribe)
    except StopIteration as end:
        return end.value, writes


def test_single_frames_in_any_mixture():
    """The random as one frame, the proof as two: each gets its own acknowledgement."""
    channel = MiChannel()
    value, writes = play(channel.receive(ParcelType.DEVICE_RANDOM), ["0000020d" + "11" * 16])
    assert (value, writes) == (bytes([0x11]) * 16, ["00000300"])
    frames = ["0000000c0200", "0100" + "22" * 18, "0200" + "22" * 14]
    value, writes = play(channel.receive(ParcelType.DEVICE_PROOF), frames)
    assert (value, writes) == (bytes([0x22]) * 32, ["00000101", "00000100"])


def test_duplicates_and_foreign_frames_are_ignored():
    """A frame twice, an acknowledgement out of place, a frame of another number."""
    answers = ["00000100", "000000000200", "0100" + "33" * 18, "0100" + "33" * 18, "0900ff", "0200" + "44" * 6]
    value, writes = play(MiChannel().receive(ParcelType.DEVICE_INFO), answers)
    assert value == bytes([0x33]) * 18 + bytes([0x44]) * 6
    assert writes == ["00000101", "00000100"]


def test_a_header_twice_is_answered_once():
    """Unless a lost READY is likely: no frame came and the client has asked."""
    header = "000000030100"
    _, writes = play(MiChannel().receive(ParcelType.PUBLIC_KEY), [None, header, header, "010011"])
    assert writes == ["00000100", "00000101", "00000100"]
    _, writes = play(MiChannel().receive(ParcelType.PUBLIC_KEY), [header, None, header, "010011"])
    assert writes == ["00000101", "000001050100", "00000101", "00000100"]


def test_holes_are_asked_for_lowest_first():
    """At once after the last frame; again after silence."""
    answers = ["000000030400", "0200" + "22" * 18, "0400" + "44" * 10, "0100" + "11" * 18, None, "0300" + "33" * 18]
    value, writes = play(MiChannel().receive(ParcelType.PUBLIC_KEY), answers)
    assert len(value) == 64
    assert writes == ["00000101", "000001050100", "000001050300", "000001050300", "00000100"]


def test_refusal_in_the_middle_of_a_parcel():
    """Control values count at any time."""
    with pytest.raises(MiAuthRefused) as caught:
        play(MiChannel().receive(ParcelType.PUBLIC_KEY), ["000000030400", "0100" + "11" * 18, "12000000"])
    assert caught.value.code == 0x12


@pytest.mark.parametrize("answer", ["00000104", "00000103"])
def test_a_unit_that_gives_up(answer):
    """CANCEL and TIMEOUT end the transfer."""
    with pytest.raises(PeerMisbehaved):
        play(MiChannel().send(ParcelType.APP_RANDOM, bytes(16)), [answer])


def test_absurd_announcement():
    """No memory for 65535 frames."""
    with pytest.raises(PeerMisbehaved):
        play(MiChannel().receive(ParcelType.DEVICE_INFO), ["00000000ffff"])


def test_endless_talk():
    """A unit that asks for the same frame for ever is left."""
    with pytest.raises(PeerMisbehaved):
        play(MiChannel().send(ParcelType.APP_RANDOM, bytes(16)), ["00000101"] + ["000001050100"] * 1000)


def test_silence_in_all():
    """Many short silences add up to the total."""
    channel = MiChannel(total_s=5)
    with pytest.raises(LinkTimeout):
        play(channel.receive(ParcelType.PUBLIC_KEY), ["000000030400", *[None, "0100" + "11" * 18] * 30])


def test_unit_with_an_invalid_key():
    """A public key off the curve is the unit's fault."""
    info = ["000000000100", "010001000000"]
    key = ["00000101", "00000100", "000000030400", *[f"0{sn}00" + "00" * (18 if sn < 4 else 10) for sn in range(1, 5)]]
    with pytest.raises(PeerMisbehaved):
        play(mi_client.register(entropy), info + key)


PROCEDURES = [
    mi_client.device_info,
    lambda: mi_client.is_registered(entropy),
    lambda: mi_client.register(entropy),
    lambda: mi_client.login(Secret(bytes(12)), entropy),
]
pieces = st.one_of(
    st.none(),
    st.sampled_from(
        ["00000101", "00000100", "000001050100", "000000000100", "000000030400", "0000000d0100", "0000000c0200"]
    ),
    st.sampled_from(["21000000", "11000000", "12000000", "e2000000", "000004000612", "00000401"]),
    st.binary(max_size=20).map(bytes.hex),
    st.tuples(st.integers(1, 4), st.binary(min_size=18, max_size=18)).map(lambda item: f"0{item[0]}00" + item[1].hex()),
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PROCEDURES), st.lists(pieces, max_size=30))
def test_any_unit(procedure, answers):
    """Whatever a unit says, a procedure ends well or with an error of ours."""
    with contextlib.suppress(MithermError):
        play(procedure(), answers)
