"""Judges of the reference update clients: what they write, plainly and through the extended update."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from judges import _peers
from judges._cases import Case, Problem, each
from judges._cases import differs as _differs
from judges._cases import first as _first
from judges._recipes import named_file
from mitherm.errors import AttRefused, DecodeError
from mitherm.protocol.effects import Await, Effect, Notification, Pause, Procedure, Read, Write
from mitherm.protocol.ota.extended import Message, Request
from mitherm.protocol.ota.packets import Block, UncheckedEnd, block_count, parse
from mitherm.protocol.uuids import CUSTOM_COMMAND, OTA, STOCK_INTERVAL

CHARACTERISTICS = {OTA: "ota", STOCK_INTERVAL: "speed", CUSTOM_COMMAND: "settings"}
_MESSAGE_LENGTH = 10


class _Recorder:
    """Plays a reference client and writes down what it does, in the notation of the vectors.

    `stop` = (w or r, n): the n-th write or read fails; a read that fails answers `bad_value`, or not at all.
    """

    def __init__(
        self, *, stop: tuple[str, int] | None = None, bad_value: bytes | None = None, feed: tuple[str, ...] = ()
    ) -> None:
        self.lines: list[str] = []
        self.result: str | None = None
        self._stop = stop
        self._bad_value = bad_value
        self._feed = list(feed)
        self._now_ms = 0.0
        self._shown_ms: float | None = None

    def play(self, procedure: Procedure[str]) -> None:
        """Until the client ends, fails or waits for ever; notifications left over are listed after what it did."""
        step: Callable[[Any], Effect] = procedure.send
        value: object = None
        try:
            while True:
                effect = step(value)
                step = procedure.send
                if isinstance(effect, Await) and not self._feed:
                    return
                try:
                    value = self._do(effect)
                except AttRefused as refusal:
                    step, value = procedure.throw, refusal
        except StopIteration as end:
            self.result = end.value
        except AttRefused:
            self.result = "refused"
        self.lines += [f"n settings {text}" for text in self._feed]

    def _do(self, effect: Effect) -> object:
        match effect:
            case Pause(seconds):
                self._now_ms += seconds * 1000
            case Await():
                text = self._feed.pop(0)
                self.lines.append(f"n settings {text}")
                return Notification(CUSTOM_COMMAND, bytes.fromhex(text))
            case Read(char):
                self._line(f"r {CHARACTERISTICS[char]}")
                if not self._stops("r"):
                    return b"\0"
                if self._bad_value is not None:
                    return self._bad_value
                raise AttRefused("refused by the stack", code=0x0E)
            case Write(char, data):
                self._line(f"w {CHARACTERISTICS[char]} {data.hex()}")
                if self._stops("w"):
                    raise AttRefused("refused by the stack", code=0x0E)
        return None

    def _stops(self, kind: str) -> bool:
        return self._stop is not None and self._stop == (kind, _count(self.lines, kind))

    def _line(self, text: str) -> None:
        if self._shown_ms != self._now_ms:
            self._shown_ms = self._now_ms
            self.lines.append(f"@{self._now_ms:.0f}")
        self.lines.append(text)


def _lines_differ(case: Case, lines: list[str]) -> Iterator[Problem]:
    if "ops" in case:
        yield _differs(case["ops"], lines, "ops")
    if "ops_head" in case:
        yield _differs(case["ops_head"], lines[: len(case["ops_head"])], "ops_head")
    if case.get("ops_tail"):
        yield _differs(case["ops_tail"], lines[-len(case["ops_tail"]) :], "ops_tail")
    ours = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    yield _differs(case.get("ops_sha256", ours), ours, "ops_sha256")


def _listed(case: Case) -> list[str]:
    lines: list[str] = case.get("ops") or [*case.get("ops_head", ()), *case.get("ops_tail", ())]
    return lines


def _count(lines: list[str], kind: str) -> int:
    return sum(line == kind or line.startswith(kind + " ") for line in lines)


def _stop_of(case: Case) -> tuple[str, int] | None:
    """Where a recorded run broke off: a failing write or read is no field, the run just ends with it."""
    kind = _listed(case)[-1][0] if _listed(case) else ""
    if kind not in ("w", "r") or _peers.DONE in case["last_status"]:
        return None
    return kind, case["writes" if kind == "w" else "reads"]


def _locked(case: Case) -> bool:
    """Whether nothing was sent, and not because of the file."""
    alerts = [text.lower() for text in case.get("alerts", ())]
    return not _listed(case) and all("login" in text or "activation" in text for text in alerts)


def _web_stream(case: Case, data: bytes) -> Iterator[Problem]:
    """One run of a page. Whether the unit is stock, and logged in, is no field either."""
    peer = _peers.PEERS[case["reference"]]
    status: str = case["last_status"]
    recorder = _Recorder(stop=_stop_of(case), bad_value=b"\x02" if _peers.READ_ERROR in status else None)
    stock = any(line.startswith("w speed") for line in _listed(case))
    locked = peer.wants_login and _locked(case)
    refused = _peers.file_refused(data, peer)
    if not locked and not refused:
        recorder.play(_peers.update(data, peer, stock=stock))
    yield from _lines_differ(case, recorder.lines)
    yield _differs(case["writes"], _count(recorder.lines, "w"), "writes")
    yield _differs(case["reads"], _count(recorder.lines, "r"), "reads")
    yield _differs(_peers.DONE in status, recorder.result == _peers.DONE, "update done")
    if not refused:
        yield _differs(case["blocks"], block_count(len(data)), "blocks")


def _script_stream(case: Case, data: bytes) -> Iterator[Problem]:
    recorder = _Recorder()
    recorder.play(_peers.update(data, _peers.FLASH_PY))
    sent = (line for line in recorder.lines if not line.startswith("@"))
    lines, code = _peers.flash_py_lines(data, case["services"], case.get("failed_connects", 0), sent)
    yield from _lines_differ(case, lines)
    yield _differs(case["exit_code"] == 0, code == 0, "exit code 0")


def _client_stream(case: Case) -> Problem:
    data = named_file(case["file"])
    run = _script_stream if case["reference"] == _peers.FLASH_PY.name else _web_stream
    return _file_differs(case, data) or _first(run(case, data)) or _first(_frames_differ(case))


def _file_differs(case: Case, data: bytes) -> Problem:
    ours = hashlib.sha256(data).hexdigest()
    return _differs(case["file"].get("sha256", ours), ours, "file")


def _frames_differ(case: Case) -> Iterator[Problem]:
    """Every recorded frame survives our codec."""
    for line in _listed(case):
        if line.startswith("w ota "):
            raw = bytes.fromhex(line[6:])
            frame = parse(raw)
            yield "an END the device would not check" if isinstance(frame, UncheckedEnd) else None
            if not isinstance(frame, UncheckedEnd):
                yield _differs(raw.hex(), bytes(frame).hex(), "frame")
            if isinstance(frame, Block):
                yield _differs(True, frame.intact, "block CRC")


def _extended_stream(case: Case, data: bytes) -> Iterator[Problem]:
    state = case["state"]
    version = state["sw_version"]
    unit = _peers.CustomUnit(
        int(version, 16) if isinstance(version, str) else version, state["hw_id"], state["extended_ota_offered"]
    )
    refusal = _peers.load_alert(data, unit)
    yield _differs(case["load_alerts"], [] if refusal is None else [refusal], "load_alerts")
    size_kib = None if refusal else _peers.area_wanted(data, unit)
    yield _differs(case["alerts"], [] if size_kib is None else [_peers.CONFIRM], "alerts")
    prefix = "n settings "
    recorder = _Recorder(feed=tuple(line.removeprefix(prefix) for line in _listed(case) if line.startswith(prefix)))
    if refusal is None and not (size_kib is not None and _declined(case)):
        recorder.play(_peers.update_custom(data, unit))
    yield from _lines_differ(case, recorder.lines)
    yield _differs(case["ota_writes"], _count(recorder.lines, "w ota"), "ota_writes")
    yield _differs(case["ota_reads"], _count(recorder.lines, "r ota"), "ota_reads")
    yield _differs(case["blocks"], 0 if refusal else block_count(len(_peers.payload(data))), "blocks")


def _declined(case: Case) -> bool:
    """Whether the user said no; it shows in what the page logged, else in what it did."""
    log: list[str] = case.get("log") or []
    return not (any(line.startswith("Clear Ext.OTA region") for line in log) or _count(_listed(case), "w settings"))


def _ext_client(case: Case) -> Problem:
    data = named_file(case["file"])
    wrong = _file_differs(case, data) or _first(_extended_stream(case, data)) or _first(_frames_differ(case))
    return wrong or _first(_messages_differ(case))


def _messages_differ(case: Case) -> Iterator[Problem]:
    """Every request and message of command 73 survives our codec; what is none is refused by it."""
    for line in _listed(case):
        kind, _, text = line.partition(" settings ")
        raw = bytes.fromhex(text)
        if kind == "w":
            yield _differs(text, bytes(Request.from_bytes(raw)).hex(), "request of command 73")
        elif raw[:1] == b"\x73" and len(raw) == _MESSAGE_LENGTH:
            yield _differs(text, bytes(Message.from_bytes(raw)).hex(), "message of command 73")
        elif raw:
            yield _differs(False, _is_message(raw), f"whether {text} is a message of command 73")


def _is_message(raw: bytes) -> bool:
    try:
        Message.from_bytes(raw)
    except DecodeError:
        return False
    return True


AREAS = {
    "ota-client-streams": each(_client_stream),
    "ota-ext-client": each(_ext_client),
}
