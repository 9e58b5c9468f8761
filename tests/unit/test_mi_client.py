"""Our client against our unit: results, refusals, lost frames."""

import random

import pytest

from judges._mi_pump import Records, UnitRunner
from mitherm.errors import KeysMismatch, KeysMissing, LinkTimeout, MiAuthRefused, MithermError
from mitherm.model.keys import MiKeys, did_record, is_invented
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Keep, Notification
from mitherm.protocol.mi import client as mi_client
from mitherm.protocol.mi.channel import MiChannel
from mitherm.protocol.mi.messages import Opcode
from mitherm.protocol.mi.parcel import Acknowledge, Announce, Data, decode
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS
from mitherm.virtual.reactors.mi_device import MiDevice

DID = "blt.1.1abcd23efgh56"
KEY = bytes(range(28))
TOKEN = Secret(KEY[:12])
BOUND = {1: did_record(DID), 16: KEY}


def entropy(seed=1):
    return random.Random(seed).randbytes


def pump(content=None, generation=1, lossy=lambda way, char, data: False, **options):
    records = Records(BOUND if content is None else content)
    return UnitRunner(MiDevice(records, generation=generation, entropy=entropy(2), **options), lossy), records


# --- good ways --------------------------------------------------------------------------------------------------------


def test_register_new_unit():
    """An invented DID that says so, records in the order of the firmware, keys kept before 13."""
    central, records = pump({})
    keys = central.run(mi_client.register(entropy()))
    assert is_invented(keys.did)
    assert keys.did.endswith("mth")
    assert len(keys.did) == 19
    assert records.written == [(1, did_record(keys.did)), (16, keys.record), (4, bytes(4))]
    assert central.kept == [keys]
    assert not central.device.authorised


def test_keys_are_kept_before_13():
    """At the moment of Keep the unit has stored nothing and 13 has not been written."""
    central, records = pump()
    procedure = mi_client.register(entropy())
    seen = []

    def spy():
        answer = None
        while True:
            try:
                effect = procedure.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(effect, Keep):
                seen.append((list(records.written), [data for char, data in central.writes if char == MI_CONTROL]))
            answer = yield effect

    central.run(spy())
    assert seen == [([], [bytes.fromhex("a2000000"), bytes.fromhex("15000000")])]


def test_when_keeping_fails_nothing_is_stored():
    """The keeper's error ends the registration before 13."""
    central, records = pump()
    procedure = mi_client.register(entropy())

    def broken_disk():
        answer = None
        while True:
            effect = procedure.send(answer)
            if isinstance(effect, Keep):
                procedure.throw(OSError("disk full"))
            answer = yield effect

    with pytest.raises(OSError, match="disk full"):
        central.run(broken_disk())
    assert records.written == []


def test_register_again():
    """The DID stays, the keys change, then the new token opens the unit."""
    central, records = pump()
    keys = central.run(mi_client.register(entropy(), did_if_none="blt.3.unused"))
    assert keys.did == DID
    assert records.written == [(16, keys.record), (4, bytes(4))]
    assert keys.record != KEY
    central.run(mi_client.login(keys.token, entropy()))
    assert central.device.authorised


def test_register_with_a_chosen_did():
    """Used when the unit has none."""
    central, records = pump({})
    assert central.run(mi_client.register(entropy(), did_if_none=DID)).did == DID
    assert records[1] == did_record(DID)


@pytest.mark.parametrize("generation", [1, 2])
def test_login(generation):
    """Once, and once more on the same connection."""
    central, _ = pump(generation=generation)
    central.run(mi_client.login(TOKEN, entropy()))
    central.run(mi_client.login(TOKEN, entropy()))
    assert central.device.authorised
    assert central.codes == [0x21, 0xE2]


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("content", [{}, BOUND])
def test_device_info_and_registered(generation, content):
    """Generation, DID, and whether a key is stored; the question has no effect."""
    central, records = pump(content, generation)
    info = central.run(mi_client.device_info())
    assert (info.version, info.did) == (generation, DID if content else None)
    assert central.run(mi_client.is_registered(entropy())) is bool(content)
    assert records.written == []


def test_registered_on_an_authorised_connection():
    """E2 means yes."""
    central, _ = pump()
    central.run(mi_client.login(TOKEN, entropy()))
    assert central.run(mi_client.is_registered(entropy())) is True


def test_registered_unknown():
    """No answer while the unit is inside another procedure."""
    central, _ = pump()
    central.device.write(MI_CONTROL, b"\x15", 0)
    assert central.run(mi_client.is_registered(entropy())) is None


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_wrong_token():
    """The client stops at the unit's proof: its own is never sent."""
    central, _ = pump()
    with pytest.raises(KeysMismatch) as caught:
        central.run(mi_client.login(Secret(bytes(12)), entropy()))
    assert "24 hex digits" in caught.value.hint
    assert not [data for char, data in central.writes if data[:4] == bytes.fromhex("0000000a")]
    assert central.codes == []


def test_login_of_an_unbound_unit():
    """E0 with what to do."""
    central, _ = pump({})
    with pytest.raises(MiAuthRefused) as caught:
        central.run(mi_client.login(TOKEN, entropy()))
    assert caught.value.code == 0xE0
    assert "Mi Home" in caught.value.hint


@pytest.mark.parametrize(("options", "code"), [({"reset_button": True}, 0xE1), ({"io_mask": 4}, 0xE3)])
def test_register_refused_at_once(options, code):
    """E1 and E3 end the registration."""
    central, records = pump(**options)
    with pytest.raises(MiAuthRefused) as caught:
        central.run(mi_client.register(entropy()))
    assert caught.value.code == code
    assert central.kept == []
    assert records.written == []


def test_register_refused_at_the_end():
    """12: the record changed under way."""
    central, records = pump()
    procedure = mi_client.register(entropy())

    def with_other_did():
        answer = None
        while True:
            try:
                effect = procedure.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(effect, Keep):
                records[1] = did_record("blt.1.another")
            answer = yield effect

    with pytest.raises(MiAuthRefused) as caught:
        central.run(with_other_did())
    assert caught.value.code == 0x12
    assert records.written == []


def test_register_of_generation_2_is_not_tried():
    """The explanation instead of a hang; 15 is never written."""
    central, _ = pump({}, 2)
    with pytest.raises(KeysMissing) as caught:
        central.run(mi_client.register(entropy()))
    assert "Mi Home" in caught.value.hint
    assert [data for char, data in central.writes if char == MI_CONTROL] == [bytes.fromhex("a2000000")]


def test_busy_unit():
    """Inside the 30 s of an earlier procedure: no answer, and the hint says reconnect."""
    central, _ = pump({}, 2)
    central.device.write(MI_CONTROL, b"\x15", 0)
    with pytest.raises(LinkTimeout) as caught:
        central.run(mi_client.login(TOKEN, entropy()))
    assert "reconnect" in caught.value.hint
    assert central.now == pytest.approx(3)


# --- lost frames ------------------------------------------------------------------------------------------------------


class LoseNth:
    """Loses the n-th frame in one direction."""

    def __init__(self, way, number):
        self.way, self.left = way, number
        self.lost = None

    def __call__(self, way, char, data):
        self.left -= way == self.way
        if way == self.way and self.left == 0:
            self.lost = (char, data)
            return True
        return False


FRAMES = {("register", "w"): 15, ("register", "n"): 13, ("login", "w"): 10, ("login", "n"): 10}
CASES = [(what, way, number) for (what, way), count in FRAMES.items() for number in range(1, count + 1)]


def conversation(what, central):
    if what == "register":
        return central.run(mi_client.register(entropy()))
    return central.run(mi_client.login(TOKEN, entropy()))


@pytest.mark.parametrize(("what", "way", "number"), CASES)
def test_one_lost_frame(what, way, number):
    """Lost parcel frames are repaired; a lost control value is a timeout; never a wrong result."""
    lose = LoseNth(way, number)
    central, records = pump(lossy=lose)
    try:
        result = conversation(what, central)
    except LinkTimeout:
        last_word = lose.lost == (MI_PARCELS, bytes.fromhex("00000100")) and what == "register" and number == 12
        assert lose.lost[0] == MI_CONTROL or last_word
    else:
        assert lose.lost[0] == MI_PARCELS
        assert central.device.authorised if what == "login" else records[16] == result.record


@pytest.mark.parametrize("what", ["register", "login"])
def test_number_of_frames(what):
    """The table above covers every frame of the conversation."""
    for way in "wn":
        lose = LoseNth(way, 1000)
        conversation(what, pump(lossy=lose)[0])
        assert 1000 - lose.left == FRAMES[what, way]


@pytest.mark.parametrize("number", range(1, 14))
def test_the_unit_may_hold_the_keys_after_13(number):
    """A timeout before 13 leaves the unit unchanged, after it the state is unknown and the keys are kept."""
    central, records = pump({}, lossy=LoseNth("n", number))
    try:
        central.run(mi_client.register(entropy()))
    except LinkTimeout as problem:
        assert problem.device == ("unknown" if records.written else "unchanged")
        assert bool(central.kept) == bool(records.written)


@pytest.mark.parametrize("seed", range(12))
def test_many_lost_frames(seed):
    """One frame in ten is lost: right result or an error of ours, within 30 s of silence."""
    dice = random.Random(seed)
    central, records = pump(lossy=lambda way, char, data: dice.random() < 0.1)
    try:
        keys = central.run(mi_client.register(entropy()))
    except MithermError:
        pass
    else:
        assert records[16] == keys.record
    assert central.now < 35


def test_garbled_notifications_count_as_lost():
    """A frame that is no frame is asked for again."""
    central, _ = pump()
    original = central.device.write
    state = {"left": 1}

    def garble(char, data, now):
        answers = original(char, data, now)
        if state["left"] and answers and answers[0].data[:2] == b"\1\0":
            state["left"] = 0
            return [Notification(MI_PARCELS, b"\0\0\xff\xff"), *answers[1:]]
        return answers

    central.device.write = garble
    central.run(mi_client.login(TOKEN, entropy()))
    assert state["left"] == 0
    assert central.device.authorised


def test_login_after_negotiation():
    """A unit that uses single frames where they fit."""
    central, _ = pump(generation=2)
    channel = MiChannel()

    def negotiate():
        yield from channel.open()
        yield from channel.command(Opcode.LINK_PARAMETERS)
        yield from channel.listen(1)
        yield from channel.listen(1)

    central.run(negotiate())
    central.run(mi_client.login(TOKEN, entropy()))
    assert central.device.authorised
    assert any(item.data[:4] == bytes.fromhex("0000020d") for item in central.heard)


def test_keys_never_show():
    """What register returns and keeps does not print the token."""
    central, _ = pump()
    keys = central.run(mi_client.register(entropy()))
    assert isinstance(keys, MiKeys)
    assert keys.token.reveal().hex() not in repr(keys) + repr(central.kept)


def test_headers_match_their_frames():
    """Every announcement the client writes is followed by that many frames."""
    central, _ = pump()
    central.run(mi_client.register(entropy()))
    announced = frames = 0
    for _, data in (item for item in central.writes if item[0] == MI_PARCELS):
        frame = decode(data)
        announced += frame.count if isinstance(frame, Announce) else 0
        frames += isinstance(frame, Data)
        assert isinstance(frame, Announce | Data | Acknowledge)
    assert announced == frames
