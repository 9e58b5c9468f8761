"""The client reads what genuine pvvx code answered: frames of the public vectors, no virtual unit in between."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mitherm.errors import LinkTimeout, NotSupported, PeerMisbehaved
from mitherm.protocol.effects import Await, Effect, Notification, Procedure, Report, Subscribe, Write
from mitherm.protocol.ota.extended import clear_area
from mitherm.protocol.pvvx import client
from mitherm.protocol.pvvx.structs import HistoryRecord
from mitherm.protocol.uuids import CUSTOM_COMMAND

T = TypeVar("T")
Case = dict[str, Any]


def cases(area: str) -> list[Case]:
    """The cases of a public vector file."""
    path = Path(__file__).parent.parent / "vectors" / f"{area}.json"
    found: list[Case] = json.loads(path.read_text())["cases"]
    return found


class Recording:
    """Answers a command with the frames that were recorded for it, in every repetition the same."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self._answers = answers
        self._frames: deque[bytes] = deque()

    def run(self, procedure: Procedure[T]) -> T:
        """The result of a procedure."""
        answer: object = None
        try:
            while True:
                effect = procedure.send(answer)
                if isinstance(effect, Await) and not self._frames:
                    effect, answer = procedure.throw(LinkTimeout("the recording says nothing more")), None
                answer = self._answer(effect)
        except StopIteration as end:
            result: T = end.value
            return result

    def _answer(self, effect: Effect) -> Notification | None:
        match effect:
            case Write(data=data):
                self._frames.extend(map(bytes.fromhex, self._answers[data.hex()]))
            case Await():
                return Notification(CUSTOM_COMMAND, self._frames.popleft())
            case _:
                assert isinstance(effect, Subscribe | Report)
        return None


# --- Mi keys ----------------------------------------------------------------------------------------------------------


def store(flash: str) -> Iterator[tuple[int, bytes]]:
    """Id and data of the records, read by hand: id u16 LE, length u8, data; FFFF ends them."""
    raw = bytes.fromhex(flash)
    while raw and raw[:2] != b"\xff\xff":
        yield int.from_bytes(raw[:2], "little"), raw[3 : 3 + raw[2]]
        raw = raw[3 + raw[2] :]


def dumps() -> list[Any]:
    """Every recorded answer to command 15 that shows the flash the case begins with."""
    found = [(case, case["steps"][0]) for case in cases("fw-mikeys") if case["steps"][0]["write"] == "15"]
    return [pytest.param(case["flash"]["0x78000"], step["notify"], id=case["name"]) for case, step in found]


@pytest.mark.parametrize(("flash", "frames"), dumps())
def test_mi_records(flash: str, frames: list[str]) -> None:
    """DID, keys, counter and superseded records are those that lay in the flash of the genuine code."""
    held = list(store(flash))
    live = dict(held)
    records = Recording({"15": frames}).run(client.read_mi_records())
    assert records.mac.record.hex() == "11223338c1a455aa"
    assert records.did == live.get(1)
    assert (None if records.keys is None else records.keys.reveal()) == live.get(0x10)
    assert records.counter == live.get(4)
    assert [secret.reveal() for secret in records.deleted] == [data for number, data in held if number == 0]


def test_a_dump_that_breaks_off_is_no_empty_store() -> None:
    """Without the end mark the client does not take the rest for missing."""
    (_, frames), *_ = [param.values for param in dumps()]
    with pytest.raises((PeerMisbehaved, LinkTimeout)):
        Recording({"15": frames[:-1]}).run(client.read_mi_records())


# --- history ----------------------------------------------------------------------------------------------------------


def kept(number: int) -> HistoryRecord:
    """Record `number` of the flash image that fw-history describes."""
    temperature = 2000 + number % 100 - (2500 if number % 7 == 0 else 0)
    return HistoryRecord(1700000000 + 600 * number, temperature, 4000 + number % 300, 3000 - number % 500)


@pytest.mark.parametrize("name", ["five records", "five records 2.3", "five records 3.7"])
@pytest.mark.parametrize(
    ("command", "count", "start", "numbers"),
    [("35ffff", 0xFFFF, 0, [4, 3, 2, 1, 0]), ("350300", 3, 0, [4, 3, 2]), ("3505000300", 5, 3, [1, 0])],
)
def test_history(name: str, command: str, count: int, start: int, numbers: list[int]) -> None:
    """Newest first, each value in its place, below zero too."""
    (case,) = [case for case in cases("fw-history") if case["name"] == name]
    answers = {request["write"]: request["notify"] for request in reversed(case["requests"])}  # before it was cleared
    records = Recording({command: answers[command]}).run(client.read_history(count, start))
    assert records == [kept(number) for number in numbers]


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_unknown_command_is_not_supported() -> None:
    """From 4.2 on unknown commands are answered with their number and FF; the client does not wait any longer."""
    (case,) = [case for case in cases("fw-commands") if case["name"] == "errors 5.8"]
    refusals = {step["write"]: step["notify"] for step in case["steps"]}
    assert (refusals["99"], refusals["4a"]) == (["99ff"], ["4aff"])
    with pytest.raises(NotSupported, match="72"):
        Recording({"72": ["72ff"]}).run(client.reboot_on_disconnect())


# --- extended update --------------------------------------------------------------------------------------------------


def test_clearing_the_area_of_an_extended_update() -> None:
    """133 KiB were asked for, whole sectors came: 136 KiB."""
    (case,) = [case for case in cases("ota-ext-device") if case["name"] == "clear_then_ready"]
    frames = [event.split()[1] for step in case["steps"] for event in step["events"] if event.startswith("notify")]
    assert Recording({"730000040085000000": frames}).run(clear_area(133)) == 136 * 1024
