"""Our client against our unit: results, refusals, lost frames, odd peers, and a Mi Home that may register generation 2."""

import datetime
import random

import pytest

from judges._mi_pump import Pump, Records
from mitherm.errors import KeysMismatch, KeysMissing, LinkTimeout, MiAuthRefused, MithermError, PeerMisbehaved
from mitherm.model.keys import MiKeys, did_record, is_invented
from mitherm.primitives.crypto import (
    ecdsa_sign,
    make_certificate,
    private_key,
    public_point,
    shared_secret,
)
from mitherm.primitives.secret import Secret
from mitherm.protocol import mi_client
from mitherm.protocol.effects import Await, Keep, Notification, Subscribe, Write
from mitherm.protocol.mi_channel import MiChannel
from mitherm.protocol.mi_device import MiDevice
from mitherm.protocol.mi_messages import Opcode, SetupKeys, signed_content
from mitherm.protocol.parcel import Acknowledge, Announce, Data, ParcelType, decode
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS

DID = "blt.1.1abcd23efgh56"
KEY = bytes(range(28))
TOKEN = Secret(KEY[:12])
BOUND = {1: did_record(DID), 16: KEY}


def entropy(seed=1):
    return random.Random(seed).randbytes


def pump(content=None, generation=1, lossy=lambda way, char, data: False, **options):
    records = Records(BOUND if content is None else content)
    return Pump(MiDevice(records, generation=generation, entropy=entropy(2), **options), lossy), records


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


# --- odd peers --------------------------------------------------------------------------------------------------------


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


def test_duplicates_and_foreign_frames_are_ignored():
    """A frame twice, an acknowledgement out of place, a frame of another number."""
    answers = ["00000100", "000000000200", "0100" + "33" * 18, "0100" + "33" * 18, "0900ff", "0200" + "44" * 6]
    value, writes = play(MiChannel().receive(ParcelType.DEVICE_INFO), answers)
    assert value == bytes([0x33]) * 18 + bytes([0x44]) * 6
    assert writes == ["00000101", "00000100"]


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
        play(mi_client.register(entropy()), info + key)


# --- generation 2 with a cloud ----------------------------------------------------------------------------------------

ROOT = private_key(bytes(31) + b"\1")
CLOUD = private_key(bytes(31) + b"\2")
VALID = tuple(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2020, 2050))


def raw_signature(key, message):
    """DER to r‖s."""
    der = ecdsa_sign(key, message)
    first = der[4 : 4 + der[3]]
    second = der[6 + der[3] :]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (first, second))


def mi_home(did, *, root=ROOT, signer=CLOUD, verdict=Opcode.ACCEPTED, sign_did=None):
    """Registration as the app does it, with certificate and signature."""
    channel = MiChannel()
    key = private_key(entropy()(32))
    yield from channel.open()
    yield from channel.command(Opcode.REGISTER)
    yield from channel.send(ParcelType.PUBLIC_KEY, public_point(key))
    setup = SetupKeys.derive(shared_secret(key, (yield from channel.receive(ParcelType.PUBLIC_KEY))))
    utc = bytes(4)
    signature = raw_signature(signer, signed_content(sign_did or did, setup.bind_key, utc))
    certificate = make_certificate(("root", "cloud"), public_point(CLOUD), root, serial=1, valid=VALID)
    yield from channel.command(verdict)
    yield from channel.send(ParcelType.DEVICE_INFO, setup.seal_did(did + signature + utc))
    yield from channel.send(ParcelType.SERVER_CERTIFICATE, certificate)
    yield from channel.verdict()
    return setup.record


def test_generation_2_with_certificate():
    """13, signed DID, certificate, 11."""
    central, records = pump({}, 2, roots=(bytes(64), public_point(ROOT)))
    record = central.run(mi_home(did_record(DID)))
    assert records.written == [(1, did_record(DID)), (16, record), (4, bytes(4))]
    assert central.codes == [0x11]


@pytest.mark.parametrize(
    "fault",
    [
        {"root": private_key(bytes(31) + b"\3")},
        {"signer": private_key(bytes(31) + b"\3")},
        {"sign_did": bytes(20)},
        {"did": did_record("blt.1.other")},
        {"verdict": Opcode.REFUSED},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_generation_2_refuses(fault):
    """Foreign root, foreign signer, signature over another DID, DID of another unit, refused by the app: 12."""
    central, records = pump({1: did_record(DID)}, 2, roots=(public_point(ROOT),))
    with pytest.raises(MiAuthRefused) as caught:
        central.run(mi_home(**({"did": did_record(DID)} | fault)))
    assert caught.value.code == 0x12
    assert records.written == []


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
