"""Command 73: our client against the device machine, and the refusals."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges._recipes import image
from mitherm.errors import DecodeError, LinkTimeout, NotSupported, PeerMisbehaved, TransferFailed
from mitherm.protocol.effects import Await, Effect, Notification, Procedure, Write
from mitherm.protocol.ota.extended import AREA, Message, Request, Status, area_kib, clear_area
from mitherm.protocol.ota.packets import End, Start, blocks
from mitherm.protocol.uuids import CUSTOM_COMMAND, STOCK_TIME
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.reactors.extended_ota import ExtendedOta, ForceLatency
from mitherm.virtual.reactors.ota_receiver import OtaReceiver, Variant

words = st.integers(0, 0xFFFFFFFF)


class Unit:
    """Flash, receiver and machine; `queue` holds what was notified."""

    def __init__(self) -> None:
        self.queue: list[Message] = []
        self.flash = NorFlash()
        self.flash.program(8, b"KNLT")
        self.receiver = OtaReceiver(self.flash, variant=Variant.T, running_bank=0, limit_s=16)
        self.machine = ExtendedOta(self.flash, self.receiver, self._notify)
        self.room = True

    def _notify(self, message: Message) -> bool:
        if self.room:
            self.queue.append(message)
        return self.room

    def serve(self, effect: Effect) -> object:
        """The answer to one effect of the client."""
        if isinstance(effect, Write):
            actions = self.machine.command(effect.data)
            self.queue += [action for action in actions if isinstance(action, Message)]
        if isinstance(effect, Await):
            if not self.queue:
                self.machine.loop()
            return Notification(CUSTOM_COMMAND, bytes(self.queue.pop(0)))
        return None


def play(procedure: Procedure[int], unit: Unit) -> int:
    answer: object = None
    try:
        while True:
            answer = unit.serve(procedure.send(answer))
    except StopIteration as end:
        return int(end.value)


def feed(procedure: Procedure[int], answers: Iterable[bytes | Notification | Exception]) -> int:
    """Answer every Await from the list."""
    waiting = iter(answers)
    effect = next(procedure)
    try:
        while True:
            if not isinstance(effect, Await):
                effect = procedure.send(None)
                continue
            item = next(waiting)
            if isinstance(item, Exception):
                effect = procedure.throw(item)
            else:
                effect = procedure.send(item if isinstance(item, Notification) else Notification(CUSTOM_COMMAND, item))
    except StopIteration as end:
        return int(end.value)


@given(words, words, st.integers(0, 255))
@settings(max_examples=40)
def test_frames_survive_a_round_trip(address: int, size_kib: int, status: int) -> None:
    """What is encoded is what is parsed."""
    assert Request.from_bytes(bytes(Request(address, size_kib))) == Request(address, size_kib)
    assert Message.from_bytes(bytes(Message(status, address, size_kib))) == Message(status, address, size_kib)


@pytest.mark.parametrize("raw", [b"", b"\x73", bytes(9), b"\x73" + bytes(6)])
def test_what_is_no_request(raw: bytes) -> None:
    """Too short, or another command."""
    with pytest.raises(DecodeError):
        Request.from_bytes(raw)


def test_eight_bytes_are_a_request() -> None:
    """The missing ninth byte counts as 00."""
    assert Request.from_bytes(bytes(Request(AREA, 133))[:8]) == Request(AREA, 133)


def test_client_clears_and_sends() -> None:
    """The area is ready with its rounded size, takes an image, and the low banks lose their first sectors."""
    unit = Unit()
    unit.flash.program(0x41000, b"history")
    assert play(clear_area(133), unit) == 136 * 1024
    assert unit.machine.reset_on_disconnect
    assert unit.flash.is_blank(AREA, 136 * 1024)
    data = image("extended", 4096)
    unit.receiver.write(bytes(Start()), 0)
    for block in blocks(data):
        unit.receiver.write(bytes(block), 0)
    unit.receiver.write(bytes(End(256)), 0)
    assert unit.flash.read(AREA, len(data)) == data
    assert unit.flash.read(8, 4) == bytes(4)
    assert unit.flash.is_blank(0x20000, 0x1000)


def test_data_between_the_probes_is_overlooked() -> None:
    """Only four words of a sector are looked at."""
    unit = Unit()
    unit.flash.program(AREA + 0x10, b"\0")
    play(clear_area(4), unit)
    assert unit.flash.read(AREA + 0x10, 1) == b"\0"


def test_ready_is_repeated_until_queued() -> None:
    """With a full queue the machine stays in clearing and tries again."""
    unit = Unit()
    unit.machine.command(bytes(Request(AREA, 4)))
    unit.machine.loop()
    unit.room = False
    unit.machine.loop()
    assert unit.machine.state == "clearing"
    unit.room = True
    unit.machine.loop()
    assert (unit.machine.state, unit.queue[-1].status) == ("ready", Status.READY)


def test_latency_is_forced_once() -> None:
    """A repeated request while clearing asks for nothing more."""
    unit = Unit()
    assert ForceLatency(3) in unit.machine.command(bytes(Request(AREA, 4)))
    assert unit.machine.command(bytes(Request(AREA, 4))) == [Message(Status.CLEARING, 0x20000, 128)]


def test_running_update_refuses() -> None:
    """During a standard update the answer is 1, and our client reports it."""
    unit = Unit()
    unit.receiver.write(bytes(Start()), 0)
    with pytest.raises(TransferFailed):
        play(clear_area(133), unit)


def test_client_passes_over_what_is_not_for_it() -> None:
    """Other characteristics, other commands and repeated frames are ignored."""
    ready = bytes(Message(Status.READY, AREA, 136))
    answers = [Notification(STOCK_TIME, b"\x73"), b"\x33\x00", bytes(Message(Status.CLEARING, 0, 0)), b"", ready]
    assert feed(clear_area(133), answers) == 136 * 1024


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x73\xff", NotSupported),
        (bytes(Message(Status.BAD_PARAMETER, 0, 0)), PeerMisbehaved),
        (bytes(Message(0x77, 0, 0)), PeerMisbehaved),
        (bytes(Message(Status.INFORMATION, 0, 0)), PeerMisbehaved),
        (b"\x73\x02", DecodeError),
        (LinkTimeout("silence"), LinkTimeout),
    ],
)
def test_client_gives_up(answer: bytes | Exception, error: type[Exception]) -> None:
    """Refusals, nonsense and silence end the wait."""
    with pytest.raises(error):
        feed(clear_area(133), [answer])


@pytest.mark.parametrize(("size_kib", "address"), [(3, AREA), (208, AREA), (133, 0x20000), (133, AREA + 1)])
def test_impossible_areas_are_not_asked_for(size_kib: int, address: int) -> None:
    """What the unit would refuse raises ValueError before any write."""
    with pytest.raises(ValueError, match="no area"):
        next(clear_area(size_kib, address=address))


@pytest.mark.parametrize(
    ("length", "version", "exact", "size_kib"),
    [
        (135172, 0x58, False, 133),
        (4100, 0x58, False, 5),
        (4100, 0x53, False, 129),
        (4100, 0x53, True, 5),
        (0x21000, 0x50, False, 132),
    ],
)
def test_area_size(length: int, version: int, exact: bool, size_kib: int) -> None:
    """Rounded up to KiB of whole blocks; old firmware is asked for more than a bank."""
    assert area_kib(length, version=version, exact=exact) == size_kib
