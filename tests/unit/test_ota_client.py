"""Our sender against real receivers: safe under every single fault, bounded, quick."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtime import Air, AirRun, OtaUnit
from judges import _peers
from judges._recipes import image
from mitherm.errors import CharacteristicMissing, ImageTooLarge, KeyProblem, LinkLost, MithermError, TransferFailed
from mitherm.protocol.effects import AwaitDisconnect, BeginRead, Effect, Pause, Procedure, Report, Write
from mitherm.protocol.events import Progress
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.protocol.ota.packets import BANK_SIZE, FIRST_COMMAND, block_count
from mitherm.protocol.uuids import OTA, STOCK_INTERVAL
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.reactors.ota_receiver import OtaReceiver, Variant

IMAGE = image("client", 16 * 40)
COUNT = block_count(len(IMAGE))
NATIVE = Air(10, 9, 0.2)
Fault = Callable[[bytes], bytes | None]
paces = pytest.mark.parametrize("pace", Pace)


class Unit(OtaUnit):
    """A unit in bank 0 that hears write number `at` (counted from 0) through `fault`."""

    def __init__(self, variant: Variant, at: int = -1, fault: Fault = bytes, flash: NorFlash | None = None) -> None:
        self.flash = flash or NorFlash()
        self.flash.program(8, b"KNLT")
        self.receiver = OtaReceiver(self.flash, variant=variant, running_bank=0, limit_s=5)
        super().__init__(self.receiver)
        self.heard: list[bytes] = []
        self._at = at
        self._fault = fault

    def write(self, char: str, data: bytes, now_s: float) -> None:
        number = len(self.heard)
        self.heard.append(data)
        changed = self._fault(data) if number == self._at else data
        if changed is not None:
            super().write(char, changed, now_s)

    def fate(self, data: bytes) -> str:
        """What would boot after the timers ran out: new, old, or dead."""
        self.alive(1e6)
        old, new = self.flash.read(8, 4), self.flash.read(BANK_SIZE + 8, 4)
        whole = self.flash.read(BANK_SIZE, len(data)) == data
        if (old, new, whole) == (bytes(4), b"KNLT", True):
            return "new"
        return "old" if old == b"KNLT" and new != b"KNLT" else "dead"


def effects_of(procedure: Procedure[None], throw: dict[int, Exception] | None = None) -> list[Effect]:
    """Play with answers of 00 and errors at given steps; returns the effects, passes errors on."""
    seen: list[Effect] = []
    effect: Effect | None = next(procedure)
    try:
        while effect is not None:
            seen.append(effect)
            problem = (throw or {}).get(len(seen) - 1)
            effect = procedure.throw(problem) if problem else procedure.send(b"\0")
    except StopIteration:
        pass
    return seen


@paces
@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize(
    "fault",
    [lambda data: None, lambda data: data[:2], lambda data: data[:1], lambda data: data[:-1], lambda data: data[:4]],
    ids=["lost", "cut to 2", "cut to 1", "one byte short", "cut to 4"],
)
def test_no_single_lost_or_cut_write_kills(pace: Pace, variant: Variant, fault: Fault) -> None:
    """Whichever write suffers, the old or the whole new firmware boots; the client says success only for the new."""
    for at in range(COUNT + 2):
        unit = Unit(variant, at, fault)
        try:
            AirRun(NATIVE, unit).run(send_image(IMAGE, pace, stock=False))
            finished = True
        except MithermError:
            finished = False
        fate = unit.fate(IMAGE)
        assert fate in (("new", "old") if finished else ("old",)), f"write {at}"


@paces
@pytest.mark.parametrize("variant", Variant)
def test_no_lost_link_kills(pace: Pace, variant: Variant) -> None:
    """Wherever the link dies, the old firmware stays until END was carried; a second try brings the new one."""
    for carried in range(COUNT + 2):
        unit = Unit(variant)
        run = AirRun(NATIVE, unit, lose_after=carried)
        try:
            run.run(send_image(IMAGE, pace, stock=False))
        except LinkLost:
            assert unit.fate(IMAGE) == "old"
            again = Unit(variant, flash=unit.flash)
            AirRun(NATIVE, again).run(send_image(IMAGE, pace, stock=False))
            assert again.fate(IMAGE) == "new"


@given(st.binary(min_size=1, max_size=1200), st.sampled_from(Pace), st.booleans(), st.none() | st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_end_has_always_six_bytes_and_comes_last(data: bytes, pace: Pace, stock: bool, lost_at: int | None) -> None:
    """Whatever is sent and wherever the link dies: START once, then blocks, and at most one END, whole and last."""
    told: list[bytes] = []
    procedure = send_image(data, pace, stock=stock)
    try:
        effect: Effect = next(procedure)
        while True:
            if isinstance(effect, Write) and effect.char == OTA:
                told.append(effect.data)
            effect = procedure.throw(LinkLost()) if lost_at == len(told) else procedure.send(b"\0")
    except (StopIteration, LinkLost):
        pass
    ends = [raw for raw in told if raw[:2] == b"\x02\xff"]
    last = block_count(len(data)) - 1
    assert ends in ([], [b"\x02\xff" + last.to_bytes(2, "little") + (0xFFFF - last).to_bytes(2, "little")])
    assert told[-1:] == ends or not ends
    assert all(len(raw) == 20 for raw in told[1:] if raw not in ends)


@pytest.mark.parametrize("interval_ms", [10, 15, 30])
def test_fast_pace_is_near_the_limit_and_bounded(interval_ms: int) -> None:
    """At most 1.05 times the limit without reads (pauses included), with never more than START, 64 blocks and a read queued."""
    data = image("speed", 64_320)
    air = Air(interval_ms, 9, 0.2)
    ours, limit = AirRun(air, Unit(Variant.X2)), AirRun(air, Unit(Variant.X2))
    ours.run(send_image(data, Pace.FAST, stock=True))
    limit.run(_peers.update(data, _peers.LIMIT))
    assert ours.last_write_s <= 1.05 * limit.last_write_s
    assert ours.most_in_flight <= 66


def test_safe_pace_confirms_every_eight_blocks() -> None:
    """Never more than START, eight blocks and the read are queued."""
    run = AirRun(Air(10, 4, 0.2), Unit(Variant.T))
    run.run(send_image(IMAGE, Pace.SAFE, stock=False))
    assert run.most_in_flight <= 10


@paces
def test_progress_is_sparse_and_complete(pace: Pace) -> None:
    """About a hundred reports at most, rising, the last one says all."""
    data = image("progress", 64_320)
    reports = [e.event for e in effects_of(send_image(data, pace, stock=False)) if isinstance(e, Report)]
    done = [event.done for event in reports if isinstance(event, Progress)]
    assert done == sorted(set(done))
    assert done[-1] == block_count(len(data))
    assert len(done) <= 101


def test_at_most_one_read_is_open() -> None:
    """Between two BeginRead there is a FinishRead."""
    names = [type(e).__name__ for e in effects_of(send_image(IMAGE, Pace.FAST, stock=False))]
    reads = [name for name in names if name in ("BeginRead", "FinishRead")]
    assert reads == ["BeginRead", "FinishRead"] * (len(reads) // 2)
    assert BeginRead(OTA) in effects_of(send_image(IMAGE, Pace.FAST, stock=False))


def test_stock_unit_is_asked_for_10_ms_first() -> None:
    """The request, half a second, then START."""
    assert effects_of(send_image(IMAGE, Pace.FAST, stock=True))[:3] == [
        Write(STOCK_INTERVAL, bytes.fromhex("0a0000")),
        Pause(0.5),
        Write(OTA, b"\x01\xff"),
    ]


def test_stock_unit_without_the_interval_characteristic() -> None:
    """START follows at once."""
    missing = {0: CharacteristicMissing("no ccd8")}
    assert effects_of(send_image(IMAGE, Pace.FAST, stock=True), missing)[1] == Write(OTA, b"\x01\xff")


@paces
def test_closed_gate_says_log_in_first(pace: Pace) -> None:
    """LL_TERMINATE 0x13 before anything was confirmed is the gate; later, or for another reason, it is a lost link."""
    with pytest.raises(KeyProblem) as refusal:
        effects_of(send_image(IMAGE, pace, stock=False), {3: LinkLost(reason=0x13)})
    assert "Log in first" in str(refusal.value.hint)
    with pytest.raises(LinkLost):
        effects_of(send_image(IMAGE, pace, stock=False), {3: LinkLost(reason=0x08)})
    with pytest.raises(LinkLost):
        effects_of(send_image(image("gate", 16 * 200), pace, stock=False), {150: LinkLost(reason=0x13)})


def test_unit_that_does_not_restart() -> None:
    """Twelve seconds after END the transfer has failed and the state is unknown."""
    unit = Unit(Variant.T, COUNT + 1, lambda data: None)
    with pytest.raises(TransferFailed) as failure:
        AirRun(NATIVE, unit).run(send_image(IMAGE, Pace.FAST, stock=False))
    assert failure.value.device == "unknown"
    assert AwaitDisconnect(12.0) in effects_of(send_image(IMAGE, Pace.SAFE, stock=False))


@pytest.mark.parametrize("length", [0, FIRST_COMMAND * 16])
def test_impossible_lengths_are_refused(length: int) -> None:
    """Nothing, and so much that an index would become a command."""
    with pytest.raises(ValueError, match="cannot be sent"):
        next(send_image(bytes(length), Pace.FAST, stock=False, limit=1 << 30))


@pytest.mark.parametrize(("length", "fits"), [(BANK_SIZE, True), (BANK_SIZE + 1, False)])
def test_nothing_larger_than_the_bank_is_begun(length: int, fits: bool) -> None:
    """Padding counts; a refused file causes no write at all."""
    if fits:
        assert isinstance(next(send_image(bytes(length), Pace.FAST, stock=False)), Write)
    else:
        with pytest.raises(ImageTooLarge):
            next(send_image(bytes(length), Pace.FAST, stock=False))
