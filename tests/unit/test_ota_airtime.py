"""The airtime model: closed formula, lost links, misuse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtime import Air, AirRun
from judges import _peers
from mitherm.errors import LinkLost
from mitherm.protocol.effects import FinishRead, Procedure, Read, Subscribe, Write
from mitherm.protocol.uuids import OTA


class Listener:
    """A far end that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def write(self, char: str, data: bytes, now_s: float) -> None:
        self.heard.append(data)

    def read(self, char: str, now_s: float) -> bytes:
        return b"\0"

    def alive(self, now_s: float) -> bool:
        return True


def events_for(packets: int, air: Air) -> int:
    """E(m) of telink-ota.md 9.3."""
    event = sent = 0
    while sent < packets:
        event += 1
        ready = min(packets, event * round(air.interval_ms * 1000) // round(air.write_ms * 1000))
        sent += min(air.per_event, ready - sent)
    return event


def formula_ms(count: int, group: int, air: Air) -> float:
    """T of telink-ota.md 9.3 without the pauses."""
    if not group:
        return (events_for(count, air) + 1) * air.interval_ms
    full, rest = divmod(count, group)
    last = events_for(rest + 1, air) if rest else 1
    return (full * (events_for(group + 1, air) + 1) + last) * air.interval_ms


airs = st.builds(Air, st.sampled_from([7.5, 10, 15, 30, 50]), st.integers(1, 12), st.sampled_from([0.2, 0.5, 1, 4, 5]))


@given(st.integers(1, 200), st.sampled_from([0, 1, 8, 32]), airs)
@settings(max_examples=80, deadline=None)
def test_carried_packets_take_what_the_formula_says(count: int, group: int, air: Air) -> None:
    """Packet by packet or by formula: the same time."""
    run = AirRun(air, Listener())
    run.run(_peers.transfer(bytes(16 * count), group))
    assert run.last_write_s * 1000 == pytest.approx(formula_ms(count, group, air))


@pytest.mark.parametrize("carried", [0, 1, 5])
def test_link_is_lost_after_so_many_packets(carried: int) -> None:
    """Exactly that many arrive, then the client hears of it."""
    far_end = Listener()
    with pytest.raises(LinkLost):
        AirRun(Air(10, 4, 0.2), far_end, lose_after=carried).run(_peers.transfer(bytes(16 * 20), 8))
    assert len(far_end.heard) == carried


@pytest.mark.parametrize(
    ("effects", "error"),
    [
        ([Subscribe(OTA)], TypeError),
        ([Write(OTA, b""), FinishRead()], ValueError),
        ([Read(OTA), FinishRead()], ValueError),
    ],
)
def test_misuse_is_told(effects: list[Subscribe | Write | Read | FinishRead], error: type[Exception]) -> None:
    """Effects without an airtime, and a FinishRead with no read open."""

    def procedure() -> Procedure[None]:
        for effect in effects:
            _ = yield effect

    with pytest.raises(error):
        AirRun(Air(10, 4, 0.2), Listener()).run(procedure())
