"""The unit's side frame by frame: state machine, limits, queue, generations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges._mi_pump import Records
from mitherm.primitives.crypto import private_key, public_point
from mitherm.protocol.mi.parcel import cut
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS
from mitherm.virtual.reactors.mi_device import MiDevice

DID = b"\0blt.1.1abcd23efgh56"
KEY = bytes(range(28))
POINT = public_point(private_key(bytes(31) + b"\7"))

BOUND = {1: DID, 16: KEY}


class Unit:
    """A MiDevice with its own clock; answers as hex."""

    def __init__(self, content=None, generation=1, **options):
        self.records = Records(BOUND if content is None else content)
        self.device = MiDevice(
            self.records, generation=generation, entropy=lambda length: bytes([7]) * length, **options
        )
        self.now = 100.0

    def control(self, value):
        return self._hex(self.device.write(MI_CONTROL, bytes.fromhex(value), self.now))

    def parcel(self, frame):
        return self._hex(self.device.write(MI_PARCELS, bytes.fromhex(frame), self.now))

    def give(self, kind, data):
        """A whole parcel; the unit's last words."""
        pieces = cut(data)
        assert self.parcel(f"0000 00 {kind:02x} {len(pieces):02x}00") == ["00000101"]
        return [self.parcel(piece.to_bytes().hex()) for piece in pieces][-1]

    def take(self):
        """Accept the parcel the unit has announced; its frames and what follows."""
        return self.parcel("00000101"), self.parcel("00000100")

    def wait(self, seconds):
        """What is said when, in whole milliseconds from now."""
        start, end, heard = self.now, self.now + seconds, []
        while (wake := self.device.wake_at()) is not None and wake <= end + 1e-9:
            self.now = max(wake, self.now)
            at_ms = round((self.now - start) * 1000)
            heard += [(at_ms, answer) for answer in self._hex(self.device.tick(self.now))]
        self.now = end
        return heard

    @staticmethod
    def _hex(notifications):
        return [notification.data.hex() for notification in notifications]


def keys_agreed(generation=1, content=None):
    """A unit that has sent its key and was told SUCCESS."""
    unit = Unit({} if content is None else content, generation)
    unit.control("15000000")
    assert unit.give(3, POINT) == ["00000100", "000000030400"]
    unit.take()
    return unit


# --- device info ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "header", "frames"),
    [
        ({}, "000000000100", ["010001000000"]),
        ({1: DID}, "000000000200", ["010001000000" + DID[:14].hex(), "0200" + DID[14:].hex()]),
        ({1: b"short"}, "000000000100", ["010001000000"]),
    ],
)
def test_device_info(content, header, frames):
    """4 bytes, or 24 with a DID record of 20."""
    unit = Unit(content)
    assert unit.control("a2") == [header]
    assert unit.take() == (frames, [])
    assert unit.device.wake_at() is None


def test_a_stray_success_brings_the_header_again():
    """While the unit waits for READY any other acknowledgement repeats the header."""
    unit = Unit()
    header = unit.control("a2000000")
    assert unit.parcel("00000100") == header
    assert unit.parcel("000001050100") == header
    assert unit.parcel("000000030400") == []


def test_bytes_behind_an_acknowledgement():
    """Only LOST has more to say."""
    unit = Unit()
    unit.control("a2000000")
    assert len(unit.parcel("000001010000")) == 2
    assert unit.parcel("000001000000") == []
    assert unit.device.wake_at() is None


def test_lost_frames_are_sent_again():
    """One frame per request; numbers out of range are ignored."""
    unit = Unit()
    unit.control("a2000000")
    first, second = unit.parcel("00000101")
    assert unit.parcel("000001050200") == [second]
    assert unit.parcel("0000010501000200") == [first]
    assert unit.parcel("000001050900") == []
    assert unit.parcel("00000105") == []


def test_the_second_generation_serves_lists():
    """LOST with two numbers brings two frames."""
    unit = Unit(generation=2)
    unit.control("a2000000")
    frames = unit.parcel("00000101")
    assert unit.parcel("0000010501000200") == frames


# --- receiving --------------------------------------------------------------------------------------------------------


def test_header_may_come_before_the_opcode():
    """It is latched, and the last one counts."""
    unit = Unit()
    assert unit.parcel("000000030400") == []
    assert unit.parcel("0000000b0100") == []
    assert unit.control("24000000") == ["00000101"]


def test_header_of_another_type_is_not_for_us():
    """The unit goes on waiting until it is replaced."""
    unit = Unit()
    unit.control("24000000")
    assert unit.parcel("000000030400") == []
    assert unit.parcel("0000000b0100") == ["00000101"]


def test_too_many_frames_are_cancelled():
    """CANCEL, and a new header is welcome."""
    unit = Unit()
    unit.control("24000000")
    assert unit.parcel("0000000b0200") == ["00000104"]
    assert unit.parcel("0000000b0100") == ["00000101"]


@pytest.mark.parametrize(("generation", "gap_ms"), [(1, 200), (2, 400)])
def test_a_missing_last_frame_is_asked_for_after_the_gap(generation, gap_ms):
    """The gap runs from the last frame that was higher than those before."""
    unit = Unit({}, generation)
    unit.control("15000000")
    unit.parcel("000000030400")
    unit.wait(0.1)
    unit.parcel("0100" + "11" * 18)
    unit.wait(0.1)
    unit.parcel("0300" + "33" * 18)
    assert unit.wait(gap_ms / 1000)[0] == (gap_ms, "000001050200")
    assert unit.parcel("0200" + "22" * 18) == ["000001050400"]


def test_a_hole_is_reported_with_the_last_frame():
    """At once, lowest first."""
    unit = Unit({})
    unit.control("15000000")
    unit.parcel("000000030400")
    assert unit.parcel("0400" + "44" * 10) == ["000001050100"]
    assert unit.parcel("0200" + "22" * 18) == []
    assert unit.parcel("0100" + "11" * 18) == ["000001050300"]


def test_short_frames_in_the_middle_are_dropped():
    """All but the last must be full."""
    unit = Unit({})
    unit.control("15000000")
    unit.parcel("000000030200")
    unit.parcel("0100" + "11" * 17)
    assert unit.parcel("0200" + "22" * 18) == ["000001050100"]


def test_the_first_generation_takes_filler_for_a_hole():
    """A block of eighteen A5 is asked for for ever; the second generation takes it."""
    for generation, answer in ((1, "000001050100"), (2, "00000100")):
        unit = Unit({}, generation)
        unit.control("15000000")
        unit.parcel("000000030100")
        assert unit.parcel("0100" + "a5" * 18)[0] == answer
        if generation == 1:
            assert unit.parcel("0100" + "a5" * 18) == [answer]


def test_the_first_generation_asks_once():
    """Without limit, in silence, until the procedure ends."""
    unit = Unit()
    unit.control("24000000")
    unit.parcel("0000000b0100")
    assert unit.wait(40) == [(200, "000001050100")]


def test_the_second_generation_asks_three_times_and_gives_up():
    """LOST three times, TIMEOUT a gap later, and nothing more until the limit."""
    unit = Unit(generation=2)
    unit.control("24000000")
    unit.parcel("0000000b0100")
    lost = "000001050100"
    assert unit.wait(2) == [(400, lost), (800, lost), (1200, lost), (1600, "00000103")]
    assert unit.control("24000000") == []
    assert unit.wait(28) == []
    assert unit.parcel("0000000b0100") == []
    assert unit.control("24000000") == ["00000101"]


def test_single_frame_parcels_from_the_client():
    """The second generation takes them without negotiation, the first drops them."""
    unit = Unit(generation=2)
    unit.control("24000000")
    assert unit.parcel("0000020b" + "11" * 16) == ["00000300", "0000000d0100"]
    unit = Unit()
    unit.control("24000000")
    assert unit.parcel("0000020b" + "11" * 16) == []


# --- limits and the queue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tick_s", "limit_s"), [(0.01, 30), (0.03, 90)])
def test_limit(tick_s, limit_s):
    """3000 ticks after the opcode the procedure is dropped without a word; opcodes before that are ignored."""
    unit = Unit({}, tick_s=tick_s)
    unit.control("15000000")
    assert unit.device.wake_at() == pytest.approx(100 + limit_s)
    unit.wait(limit_s - 0.01)
    assert unit.control("24000000") == []
    assert unit.wait(0.01) == []
    assert unit.device.wake_at() is None
    assert unit.control("24000000") == ["e0000000"]


def test_receiving_survives_the_limit():
    """Still in RXD: the next procedure of the same kind says READY at once."""
    unit = Unit({})
    unit.control("15000000")
    unit.parcel("000000030400")
    unit.wait(30)
    assert unit.control("15000000") == ["00000101"]
    answers = [unit.parcel(piece.to_bytes().hex()) for piece in cut(POINT)]
    assert answers[-1] == ["00000100", "000000030400"]


def test_waiting_for_an_acknowledgement_survives_the_limit():
    """Headers are dropped until a stray SUCCESS or a new connection."""
    unit = Unit()
    unit.control("a2000000")
    unit.wait(30)
    unit.control("24000000")
    assert unit.parcel("0000000b0100") == []
    assert unit.parcel("00000100") == []
    assert unit.parcel("0000000b0100") == ["00000101"]


def test_one_opcode_is_queued_behind_device_info():
    """The first one wins."""
    unit = Unit({})
    unit.control("a2000000")
    unit.control("24000000")
    unit.control("a2000000")
    unit.parcel("00000101")
    assert unit.parcel("00000100") == ["e0000000"]
    assert unit.device.wake_at() is None


def test_opcodes_are_ignored_while_another_procedure_runs():
    """Nothing is queued behind a login."""
    unit = Unit()
    unit.control("24000000")
    assert unit.control("a2000000") == []
    unit.wait(31)
    assert unit.control("a2000000") == ["000000000200"]


@pytest.mark.parametrize("value", ["", "a0", "a1", "10", "20", "13", "14", "a4", "00000000"])
def test_opcodes_without_effect(value):
    """Nothing is started on generation 1."""
    unit = Unit()
    assert unit.control(value) == []
    assert unit.device.wake_at() is None


def test_disconnect_clears_everything():
    """Authorisation, procedure, latched header and remembered verdict."""
    unit = Unit()
    unit.device.authorised = True
    unit.control("13000000")
    unit.parcel("0000000b0100")
    unit.device.disconnected()
    assert not unit.device.authorised
    assert unit.control("24000000") == []
    assert unit.parcel("0000000b0100") == ["00000101"]


# --- registration -----------------------------------------------------------------------------------------------------


def test_reset_button_and_io_mask():
    """E1 for a bound sibling with a button, E3 without a common I/O capability."""
    assert Unit(reset_button=True).control("15000000") == ["e1000000"]
    assert Unit({}, reset_button=True).control("15000000") == []
    assert Unit({}, io_mask=4).control("15010000") == ["e3000000"]
    assert Unit({}, io_mask=4).control("15060000") == []


def test_an_early_verdict_counts():
    """13 before the DID parcel; here the parcel is wrong."""
    unit = keys_agreed()
    assert unit.control("13000000") == []
    assert unit.give(0, bytes(24)) == ["00000100", "12000000"]
    assert unit.records.written == []


def test_invalid_point_of_the_first_generation():
    """It goes on with a secret that nobody knows."""
    unit = Unit({})
    unit.control("15000000")
    assert unit.give(3, bytes(64)) == ["00000100", "000000030400"]
    unit.take()
    unit.give(0, bytes(24))
    assert unit.control("13000000") == ["12000000"]
    assert unit.records.written == []


def test_invalid_point_of_the_second_generation():
    """Acknowledged, then silence to the limit."""
    unit = Unit({}, 2)
    unit.control("15000000")
    assert unit.give(3, bytes(64)) == ["00000100"]
    assert unit.wait(29) == []
    assert unit.control("24000000") == []
    unit.wait(1)
    assert unit.control("24000000") == ["e0000000"]


def test_the_stall_of_the_second_generation():
    """It does not look at 0019 before 13; afterwards it takes any parcel 00 and waits for the certificate."""
    unit = keys_agreed(2)
    assert unit.parcel("000000000200") == []
    assert unit.wait(5) == []
    assert unit.control("13000000") == ["00000101"]
    assert unit.wait(0.4) == [(400, "000001050100")]
    assert unit.parcel("0100" + "11" * 18) == ["000001050200"]
    assert unit.parcel("0200" + "22" * 6) == ["00000100"]
    assert unit.wait(24) == []
    assert unit.records.written == []


def test_refusal_of_the_second_generation():
    """14 instead of 13."""
    assert keys_agreed(2).control("14000000") == ["12000000"]


# --- negotiation ------------------------------------------------------------------------------------------------------


def negotiated(offer="060012", **options):
    unit = Unit(generation=2, **options)
    first = unit.control("a4000000")
    second = unit.parcel("00000500" + offer)
    return unit, first, second


def test_negotiation():
    """Two exchanges, then parcels that fit come as one frame and expect 00000300."""
    unit, first, second = negotiated("0612")
    assert first == ["000004000612"]
    assert second == ["00000401" + "12" * 16]
    assert unit.parcel("00000501" + "12" * 16) == []
    unit.control("24000000")
    unit.parcel("0000000b0100")
    random, proof = "0000020d" + "07" * 16, "0000000c0200"
    assert unit.parcel("0100" + "11" * 16) == ["00000100", random]
    assert unit.parcel("00000104") == [random]
    assert unit.parcel("00000300") == [proof]


@pytest.mark.parametrize("step", [1, 2])
def test_negotiation_is_abandoned_after_400_ms(step):
    """Either answer may be missing; frames stay as they were."""
    unit = Unit(generation=2)
    unit.control("a4000000")
    if step == 2:
        unit.parcel("000005000612")
    unit.wait(0.4)
    assert unit.device.wake_at() is None
    assert unit.control("24000000") == []


def test_a_smaller_payload_is_used():
    """The minimum of both sides."""
    unit, _, second = negotiated("010a", att_payload=50)
    assert second == ["00000401" + "0a" * 8]
    unit.parcel("00000501" + "0a" * 8)
    assert unit.control("a2000000") == ["000000000300"]
    assert [len(frame) for frame in unit.parcel("00000101")] == [24, 24, 12]


def test_a_wrong_echo_means_18():
    """Length and last byte must match."""
    unit, _, _ = negotiated("010a", att_payload=50)
    unit.parcel("00000501" + "0a" * 7 + "0b")
    assert unit.control("a2000000") == ["000000000200"]


# --- anything at all --------------------------------------------------------------------------------------------------

COMMON = ["a2", "15", "24", "a4", "13", "14", "00000101", "00000100", "000001050100", "0000000b0100", "000000030400"]
steps = st.one_of(
    st.tuples(st.just(MI_CONTROL), st.sampled_from(COMMON[:6]).map(bytes.fromhex)),
    st.tuples(st.just(MI_PARCELS), st.sampled_from(COMMON[6:]).map(bytes.fromhex)),
    st.tuples(st.sampled_from([MI_CONTROL, MI_PARCELS]), st.binary(max_size=20)),
    st.tuples(st.just(MI_PARCELS), st.tuples(st.integers(1, 6), st.binary(min_size=18, max_size=18))).map(
        lambda step: (step[0], step[1][0].to_bytes(2, "little") + step[1][1])
    ),
    st.tuples(st.just("wait"), st.floats(0, 31)),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, 2]), st.booleans(), st.lists(steps, max_size=25))
def test_no_write_hurts(generation, bound, script):
    """Nothing raises, nothing is stored, nobody is let in, and 30 s later the unit is idle."""
    unit = Unit(BOUND if bound else {}, generation)
    for char, value in script:
        if char == "wait":
            unit.wait(value)
        else:
            unit.device.write(char, value, unit.now)
    assert unit.records.written == []
    assert not unit.device.authorised
    unit.wait(61)
    assert unit.device.wake_at() is None
