"""What comes over the air damaged, foreign or old: nothing raises, no wrong value is told, reasons are counted."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mitherm.beacon.bthome_encode import bthome2_encrypted, pvvx_kind1
from mitherm.beacon.custom_encode import SensorValues
from mitherm.beacon.decode import DECODERS
from mitherm.beacon.keys import BeaconKey
from mitherm.cli.documents.lines import report as document
from mitherm.model.address import Address
from mitherm.model.report import Report
from mitherm.ops.hearing.receiver import Receiver
from mitherm.primitives.secret import Secret
from monitor.reports import A, B, moment, ring, sighting

VECTORS = Path(__file__).parent.parent / "vectors" / "beacon-frames.json"
CASES = [case for case in json.loads(VECTORS.read_text())["cases"] if "data" in case]
SEALED = [case for case in CASES if case["bindkey"] and len(case["bindkey"]) == 32 and "expected" in case]
FRAMES = 20_000
KEY, BTHOME = bytes(range(16)), 0xFCD2


def receiver_for(case: dict[str, Any], *, right_key: bool = True) -> Receiver:
    """Receiver that know the case's key, or only others: of this unit, and of another one."""
    address = Address.parse(case["mac"])
    if not right_key or not case["bindkey"]:
        return Receiver(ring((KEY, address), (bytes(16), B)))
    return Receiver(ring((bytes.fromhex(case["bindkey"]), address)))


def hear(receiver: Receiver, case: dict[str, Any], data: bytes, at_s: float) -> Report | None:
    return receiver.hear(sighting(at_s, {int(case["uuid"], 16): data}, sender=case["mac"]), moment(at_s))


def damaged(data: bytes) -> list[bytes]:
    """Every truncation and every flip of one bit."""
    flips = []
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        flips.append(bytes(flipped))
    return [*(data[:length] for length in range(len(data))), *flips]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_damaged_vectors_are_counted(case: dict[str, Any]) -> None:
    """Each damaged frame has a fate, and what is told can be printed."""
    receiver = receiver_for(case)
    frames = damaged(bytes.fromhex(case["data"]))
    for number, data in enumerate(frames):
        news = hear(receiver, case, data, float(number))
        assert news is None or json.dumps(document(news), allow_nan=False)
    assert sum(receiver.counts.values()) - receiver.counts["impossible"] == len(frames)


@pytest.mark.parametrize("case", SEALED, ids=lambda case: case["name"])
def test_a_damaged_sealed_frame_tells_no_other_value(case: dict[str, Any]) -> None:
    """After the true frame, no damaged copy of it changes a value."""
    receiver = receiver_for(case)
    first = hear(receiver, case, bytes.fromhex(case["data"]), 0.0)
    assert first is not None
    true = dict(first.values or {})
    for number, data in enumerate(damaged(bytes.fromhex(case["data"])), 1):
        news = hear(receiver, case, data, float(number))
        assert news is None or news.event != "reading" or dict(news.values or {}) == true


@pytest.mark.parametrize("case", SEALED, ids=lambda case: case["name"])
def test_keys_of_other_units_open_nothing(case: dict[str, Any]) -> None:
    """A sealed frame without its key tells no value, and why is counted."""
    receiver = receiver_for(case, right_key=False)
    news = hear(receiver, case, bytes.fromhex(case["data"]), 0.0)
    assert news is None or not news.values
    assert sum(number for name, number in receiver.counts.items() if name.startswith("error:")) == 1


def test_random_service_data() -> None:
    """Random frames under every UUID, with a clock that jumps; the decoder alone gets five times as many elsewhere."""
    dice = random.Random(20260101)
    receiver = Receiver(ring((KEY, A)))
    kinds, at_s = [*DECODERS, 0x1234], 0.0
    for _ in range(FRAMES):
        at_s += dice.choice((0.1, 1.0, 1e4, -1e5))
        kind, data = dice.choice(kinds), dice.randbytes(dice.randrange(32))
        news = receiver.hear(sighting(at_s, {kind: data}), moment(0))
        assert news is None or news.temperature_c is None or -100 <= news.temperature_c <= 400
        assert news is None or news.humidity_pct is None or 0 <= news.humidity_pct <= 100
    assert sum(receiver.counts.values()) - receiver.counts["impossible"] == pytest.approx(
        FRAMES * len(DECODERS) / len(kinds), rel=0.02
    )
    assert {"error:truncated", "error:version", "error:mesh", "error:length"} <= receiver.counts.keys()


def sealed(counter: int, x100: int) -> dict[int, bytes]:
    measured = SensorValues(x100, 4500, 3000, 90)
    return {BTHOME: bthome2_encrypted(pvvx_kind1(measured), counter, A, BeaconKey(Secret(KEY)))}


def test_recorded_frames_are_not_told_again() -> None:
    """A counter that goes back is a replay, unless it is so low that the unit was restarted."""
    receiver = Receiver(ring((KEY, A)))
    told = [
        receiver.hear(sighting(float(number), sealed(counter, x100)), moment(number))
        for number, (counter, x100) in enumerate([(5000, 2000), (4999, 9900), (5001, 2001), (100, 9900), (7, 2002)])
    ]
    assert [one and one.temperature_c for one in told] == [20.0, None, 20.01, None, 20.02]
    assert receiver.counts["replay"] == 2


def test_a_plain_frame_cannot_speak_for_a_sealed_unit() -> None:
    """Anybody could send it."""
    receiver = Receiver(ring((KEY, A)))
    receiver.hear(sighting(0.0, sealed(1, 2000)), moment(0))
    assert receiver.hear(sighting(1.0, {BTHOME: bytes.fromhex("4000010157ff7f0308031811")}), moment(1)) is None
    assert receiver.counts["downgrade"] == 1


def test_impossible_values_are_not_told() -> None:
    """A broken sensor's 655.35 % is no humidity, text is no temperature; what was known before stays."""
    receiver = Receiver()
    receiver.hear(sighting(0.0, {0xFCD2: bytes.fromhex("4000010157025908031811")}), moment(0))
    assert receiver.hear(sighting(1.0, {0xFCD2: bytes.fromhex("40000203ffff")}), moment(1)) is None
    assert receiver.hear(sighting(2.0, {0x181C: bytes.fromhex("63024142")}), moment(2)) is None
    assert receiver.counts["impossible"] == 2
    news = receiver.hear(sighting(3.0, {0xFCD2: bytes.fromhex("4000030101")}), moment(3))
    assert news is not None
    assert (news.humidity_pct, news.temperature_c) == (43.76, 21.37)
