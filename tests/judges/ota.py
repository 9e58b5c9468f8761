"""Judges of the update protocol: device handlers, reference clients, connection interval, extended update, speed model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from judges import _peers
from judges._recipes import image_body, named_file, trailer
from mitherm.errors import AttRefused
from mitherm.protocol.effects import Await, Effect, Notification, Pause, Procedure, Read, Write
from mitherm.protocol.extended_ota import ExtendedOta, ForceLatency, Message, Request
from mitherm.protocol.ota_interval import IntervalWish, ParameterRequest, answer
from mitherm.protocol.ota_receiver import OtaEvent, OtaReceiver, OtaStarted, Variant
from mitherm.protocol.telink_ota import BANK_SIZE, BLOCK_SIZE, Block, Start, UncheckedEnd, block_count, blocks, parse
from mitherm.protocol.uuids import CUSTOM_COMMAND, OTA, STOCK_INTERVAL
from mitherm.virtual.airtime import Air, AirRun
from mitherm.virtual.nor_flash import FlashOperation, NorFlash

Verdict = tuple[str, str | None]
LIMIT_S = {Variant.T: 16.0, Variant.X1: 5.0, Variant.X2: 5.0}
CHARACTERISTICS = {OTA: "ota", STOCK_INTERVAL: "speed", CUSTOM_COMMAND: "settings"}


def _differs(expected: object, got: object, what: str) -> str | None:
    return None if expected == got else f"{what}: expected {expected!r}, got {got!r}"


def _first(problems: Iterator[str | None]) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


# --- ota-device -------------------------------------------------------------------------------------------------------


def device_image(recipe: dict[str, Any]) -> bytes:
    """image(seed, n) with the changes of ota-device."""
    body = image_body(recipe["seed"], recipe["n"])
    for offset, key in ((6, "f0"), (7, "f1")):
        body[offset] = recipe.get(key, body[offset])
    if "magic" in recipe:
        body[8:12] = bytes.fromhex(recipe["magic"])
    if "size" in recipe:
        body[0x18:0x1C] = recipe["size"].to_bytes(4, "little")
    crc: int = int.from_bytes(trailer(body), "little") ^ recipe.get("crc_xor", 0)
    padding: int = recipe.get("append_ff", 0)
    return bytes(body) + crc.to_bytes(4, "little") + b"\xff" * padding


class _Bench:
    """One receiver, its flash and everything that happened, as ota-device writes it."""

    def __init__(self, case: dict[str, Any], variant: Variant) -> None:
        running = BANK_SIZE * case["active_bank"]
        self.bases = {"bank": BANK_SIZE - running, "act": running}
        self.images = {key: device_image(case[key]) for key in ("image", "image2") if key in case}
        self.flash = NorFlash()
        self.flash.program(running + 8, b"KNLT")
        for entry in case.get("flash_prefill", ()):
            base, _, offset = entry["addr"].rpartition("+")
            start = self.bases.get(base, 0) + int(offset, 0)
            self.flash.data[start : start + len(entry["hex"]) // 2] = bytes.fromhex(entry["hex"])
        self.limit_s = LIMIT_S[variant]
        self.receiver = OtaReceiver(self.flash, variant=variant, running_bank=running, limit_s=self.limit_s)
        self.events: list[str] = []
        self.now = 100.0
        self.over = False
        self._operations: list[str] = []
        self.flash.watch = self._watch

    def _watch(self, operation: FlashOperation) -> None:
        if operation.kind == "erase":
            self._operations.append(f"erase {operation.address:#x}")
        elif len(operation.data) != BLOCK_SIZE:
            self._operations.append(f"flash_write {operation.address:#x} {operation.data.hex()}")

    def play(self, operation: dict[str, Any]) -> None:
        """One entry of `ops`."""
        ((kind, value),) = operation.items()
        if kind == "w":
            self._note(self.receiver.write(bytes.fromhex(value), self.now))
        elif kind in ("blocks", "blocks2"):
            picture = self.images["image2" if kind == "blocks2" else "image"]
            for block in list(blocks(picture))[slice(*value)]:
                self._note(self.receiver.write(bytes(block), self.now))
        elif kind == "wait_us":
            self.now += self._seconds(value)
            self._note(self.receiver.tick(self.now))
        elif kind != "disconnect":
            raise ValueError(f"unknown op {kind}")

    def _seconds(self, value: int | str) -> float:
        if isinstance(value, int):
            return value / 1e6
        return self.limit_s + int(value.removeprefix("timeout") or 0) / 1e6

    def _note(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaStarted):
                self.events.append("start_cb")
            else:
                self.events += [f"result {event.code}", *self._operations, "reboot"]
                self.over = True
        self._operations.clear()

    def outcome(self, expected: dict[str, Any]) -> dict[str, Any]:
        """The fields of `expected` as they turned out; unknown fields come back as `unknown field`."""
        bank, act, read = self.bases["bank"], self.bases["act"], self.flash.read
        made: dict[str, Callable[[], object]] = {
            "events": lambda: self.events,
            "last_index": lambda: self.receiver.last_index,
            "rebooted": lambda: self.over,
            "new_bank_mark": lambda: read(bank + 8, 4).hex(),
            "running_bank_mark": lambda: read(act + 8, 4).hex(),
            "new_bank_sha256": lambda: hashlib.sha256(read(bank, expected["hashed_bytes"])).hexdigest(),
            "hashed_bytes": lambda: expected["hashed_bytes"],
            "running_bank_first_16": lambda: read(act, 16).hex(),
        }
        for key, value in expected.items():
            if key.startswith("at_0x"):
                made[key] = partial(self._hex_at, int(key.removeprefix("at_"), 0), len(value) // 2)
        return {key: made[key]() if key in made else "unknown field" for key in expected}

    def _hex_at(self, address: int, length: int) -> str:
        return self.flash.read(address, length).hex()

    def images_differ(self, case: dict[str, Any]) -> str | None:
        """Whether an image we made is not the one the case was recorded with."""
        pairs = ((key, picture) for key, picture in self.images.items() if f"{key}_sha256" in case)
        return _first(_differs(case[f"{key}_sha256"], hashlib.sha256(data).hexdigest(), key) for key, data in pairs)


def judge_device(document: dict[str, Any]) -> Iterator[Verdict]:
    """Each case in each variant."""
    for case in document["cases"]:
        for name, expected in case["expect"].items():
            bench = _Bench(case, Variant(name))
            for operation in case["ops"]:
                bench.play(operation)
            yield (
                f"{case['name']} {name}",
                bench.images_differ(case) or _differs(expected, bench.outcome(expected), "outcome"),
            )


# --- ota-client-streams, ota-ext-client -------------------------------------------------------------------------------


class _Recorder:
    """Plays a reference client and writes down what it does, in the notation of the vectors."""

    def __init__(
        self, *, read_value: bytes = b"\0", failing_write: int | None = None, feed: tuple[str, ...] = ()
    ) -> None:
        self.lines: list[str] = []
        self.result: str | None = None
        self._read_value = read_value
        self._failing_write = failing_write
        self._feed = list(feed)
        self._written = 0
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
            self.result = "write failed"
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
                return self._read_value
            case Write(char, data):
                self._line(f"w {CHARACTERISTICS[char]} {data.hex()}")
                self._written += char == OTA
                if self._written == self._failing_write:
                    raise AttRefused("refused by the stack", code=0x0E)
        return None

    def _line(self, text: str) -> None:
        if self._shown_ms != self._now_ms:
            self._shown_ms = self._now_ms
            self.lines.append(f"@{self._now_ms:.0f}")
        self.lines.append(text)

    def said(self, kind: str) -> list[str]:
        """The lines that begin so."""
        return [line for line in self.lines if line.startswith(kind + " ") or line == kind]


def _lines_differ(case: dict[str, Any], lines: list[str]) -> Iterator[str | None]:
    for key, part in (("ops", lines), ("ops_head", lines), ("ops_tail", lines)):
        if key in case:
            expected = case[key]
            got = part[-len(expected) :] if key == "ops_tail" else part[: len(expected)] if key == "ops_head" else part
            yield _differs(expected, got, key)
    yield _differs(case["ops_sha256"], hashlib.sha256("\n".join(lines).encode()).hexdigest(), "ops_sha256")


def _listed(case: dict[str, Any]) -> list[str]:
    lines: list[str] = case.get("ops") or [*case.get("ops_head", ()), *case.get("ops_tail", ())]
    return lines


def _web_stream(case: dict[str, Any], data: bytes) -> Iterator[str | None]:
    """One run of a page. Binding, read value and failing write of the unit are no fields: they show in the run itself."""
    peer = _peers.PEERS[case["reference"]]
    status: str = case["last_status"]
    recorder = _Recorder(
        read_value=b"\x02" if _peers.READ_ERROR in status else b"\0",
        failing_write=case["writes"] if "error while sending" in status else None,
    )
    stock = any(line.startswith("w speed") for line in _listed(case))
    locked = "not_logged_in" in case["name"] or "without login" in case["what"]
    refused = _peers.file_refused(data, peer)
    if not locked and not refused:
        recorder.play(_peers.update(data, peer, stock=stock))
    yield from _lines_differ(case, recorder.lines)
    writes = len(recorder.said("w ota")) + len(recorder.said("w speed"))
    yield _differs(case["writes"], writes, "writes")
    yield _differs(case["reads"], len(recorder.said("r ota")), "reads")
    yield _differs(_peers.DONE in status, recorder.result == _peers.DONE, "update done")
    if not refused:
        yield _differs(case["blocks"], block_count(len(data)), "blocks")


def _script_stream(case: dict[str, Any], data: bytes) -> Iterator[str | None]:
    recorder = _Recorder()
    recorder.play(_peers.update(data, _peers.FLASH_PY))
    sent = (line for line in recorder.lines if not line.startswith("@"))
    lines, code = _peers.flash_py_lines(data, case["services"], case["failed_connects"], sent)
    yield from _lines_differ(case, lines)
    yield _differs(case["exit_code"], code, "exit code")


def judge_client_streams(document: dict[str, Any]) -> Iterator[Verdict]:
    """The reference clients write what was recorded, and every recorded frame survives our codec."""
    for case in document["cases"]:
        data = named_file(case["file"])
        run = _script_stream if case["reference"] == _peers.FLASH_PY.name else _web_stream
        yield case["name"], _file_differs(case, data) or _first(run(case, data)) or _first(_frames_differ(case))


def _file_differs(case: dict[str, Any], data: bytes) -> str | None:
    return _differs(case["file"]["sha256"], hashlib.sha256(data).hexdigest(), "file")


def _frames_differ(case: dict[str, Any]) -> Iterator[str | None]:
    for line in _listed(case):
        if line.startswith("w ota "):
            raw = bytes.fromhex(line[6:])
            frame = parse(raw)
            yield "an END the device would not check" if isinstance(frame, UncheckedEnd) else None
            if not isinstance(frame, UncheckedEnd):
                yield _differs(raw.hex(), bytes(frame).hex(), "frame")
            if isinstance(frame, Block):
                yield _differs(True, frame.intact, "block CRC")


def _extended_stream(case: dict[str, Any], data: bytes) -> Iterator[str | None]:
    """Whether the user said yes is no field either: the log tells."""
    state = case["state"]
    unit = _peers.CustomUnit(int(state["sw_version"], 16), state["hw_id"], state["extended_ota_offered"])
    refusal = _peers.load_alert(data, unit)
    yield _differs(case["load_alerts"], [] if refusal is None else [refusal], "load_alerts")
    size_kib = None if refusal else _peers.area_wanted(data, unit)
    yield _differs(case["alerts"], [] if size_kib is None else [_peers.CONFIRM], "alerts")
    prefix = "n settings "
    feed = tuple(line.removeprefix(prefix) for line in _listed(case) if line.startswith(prefix))
    recorder = _Recorder(feed=feed)
    declined = size_kib is not None and not any(line.startswith("Clear Ext.OTA region") for line in case["log"])
    if refusal is None and not declined:
        recorder.play(_peers.update_custom(data, unit))
    yield from _lines_differ(case, recorder.lines)
    yield _differs(case["ota_writes"], len(recorder.said("w ota")), "ota_writes")
    yield _differs(case["ota_reads"], len(recorder.said("r ota")), "ota_reads")
    yield _differs(case["blocks"], 0 if refusal else block_count(len(_peers.payload(data))), "blocks")


def judge_ext_client(document: dict[str, Any]) -> Iterator[Verdict]:
    """TelinkMiFlasher's extended update, and every listed frame of command 73 survives our codec."""
    for case in document["cases"]:
        data = named_file(case["file"])
        wrong = _file_differs(case, data) or _first(_extended_stream(case, data)) or _first(_frames_differ(case))
        yield case["name"], wrong or _first(_messages_differ(case))


def _messages_differ(case: dict[str, Any]) -> Iterator[str | None]:
    for line in _listed(case):
        kind, _, text = line.partition(" settings ")
        if text:
            codec = Request if kind == "w" else Message
            yield _differs(text, bytes(codec.from_bytes(bytes.fromhex(text))).hex(), "frame of command 73")


# --- ota-conn-interval ------------------------------------------------------------------------------------------------


def judge_conn_interval(document: dict[str, Any]) -> Iterator[Verdict]:
    """What a unit asks for after a write; values of three bytes also encode back."""
    for case in document["cases"]:
        raw = bytes.fromhex(case["write"])
        wanted = case["request"]
        keys = ("interval_min", "interval_max", "latency", "timeout_10ms")
        expected = None if wanted is None else ParameterRequest(*(wanted[key] for key in keys))
        wrong = _differs(expected, answer(raw), "request")
        if len(raw) == 3 and raw[2] < 2:
            wrong = wrong or _differs(raw.hex(), bytes(IntervalWish.from_bytes(raw)).hex(), "encoded")
        yield case["name"], wrong


# --- ota-ext-device ---------------------------------------------------------------------------------------------------


class _Clearing:
    """The machine of command 73 and what it did, as ota-ext-device writes it."""

    def __init__(self) -> None:
        self.flash = NorFlash(watch=self._watch)
        self.receiver = OtaReceiver(self.flash, variant=Variant.T, running_bank=0, limit_s=16)
        self.machine = ExtendedOta(self.flash, self.receiver, self._notify)
        self.events: list[str] = []
        self._full = False

    def _watch(self, operation: FlashOperation) -> None:
        self.events.append(f"{operation.kind} {operation.address:x}")

    def _notify(self, message: Message) -> bool:
        if not self._full:
            self.events.append(f"notify {bytes(message).hex()}")
        return not self._full

    def play(self, kind: str, value: Any) -> list[str]:
        """One op; returns its events."""
        self.events.clear()
        getattr(self, f"_op_{kind}")(value)
        return list(self.events)

    def _op_w(self, value: str) -> None:
        for action in self.machine.command(bytes.fromhex(value)):
            if isinstance(action, ForceLatency):
                self.events.append(f"latency {action.latency}")
            else:
                self.events.append(f"notify {bytes(action).hex()}")

    def _op_loop(self, count: int) -> None:
        for _ in range(count):
            before, position = self.receiver.accept, len(self.events)
            self.machine.loop()
            if self.receiver.accept is not before:
                self.events.insert(position, "register")

    def _op_fill(self, value: list[str]) -> None:
        address, byte = (int(text, 16) for text in value)
        self.flash.data[address] = byte

    def _op_window(self, value: int) -> None:
        self.machine.gap = value

    def _op_notify_fails(self, value: int) -> None:
        self._full = bool(value)

    def _op_standard_ota_running(self, _value: int) -> None:
        self.receiver.write(bytes(Start()), 0)

    def _op_result(self, value: int) -> None:
        if value == 0 and self.receiver.accept is not None:
            self.receiver.accept(self.receiver.target, 0)


def _clearing_steps(case: dict[str, Any]) -> Iterator[str | None]:
    unit = _Clearing()
    for number, step in enumerate(case["steps"]):
        ((kind, value),) = step["op"].items()
        yield _differs(step["events"], unit.play(kind, value), f"step {number}: events")
        machine, receiver = unit.machine, unit.receiver
        state = "running" if receiver.started and machine.state == "none" else machine.state
        if state != "running" or step["state"] in ("none", "clearing", "ready"):
            yield _differs(step["state"], state, f"step {number}: state")
        yield _differs(step["reset_on_disconnect"], machine.reset_on_disconnect, f"step {number}: reset_on_disconnect")
        yield _differs(int(step["ota_address"], 16), receiver.target, f"step {number}: address")
        yield _differs(step["ota_size_kib"], receiver.target_size // 1024, f"step {number}: size")


def judge_ext_device(document: dict[str, Any]) -> Iterator[Verdict]:
    """Step by step."""
    for case in document["cases"]:
        yield case["name"], _first(_clearing_steps(case))


# --- ota-speed-model --------------------------------------------------------------------------------------------------

PAUSES_MS = 800


class _Listener:
    """A far end that counts what it hears."""

    def __init__(self) -> None:
        self.writes = 0

    def write(self, char: str, data: bytes, now_s: float) -> None:
        self.writes += 1

    def read(self, char: str, now_s: float) -> bytes:
        return b"\0"

    def alive(self, now_s: float) -> bool:
        return True


def judge_speed_model(document: dict[str, Any]) -> Iterator[Verdict]:
    """Every case by carrying its packets one by one."""
    for case in document["cases"]:
        listener = _Listener()
        run = AirRun(Air(case["interval_ms"], case["per_event"], case["write_ms"]), listener)
        run.run(_peers.transfer(bytes(case["blocks"] * BLOCK_SIZE), case["group"]))
        wrong = _differs(case["blocks"] + 1, listener.writes, "writes that arrived")
        yield case["name"], wrong or _differs(case["total_ms"], PAUSES_MS + run.last_write_s * 1000, "total_ms")


AREAS = {
    "ota-device": judge_device,
    "ota-client-streams": judge_client_streams,
    "ota-conn-interval": judge_conn_interval,
    "ota-ext-client": judge_ext_client,
    "ota-ext-device": judge_ext_device,
    "ota-speed-model": judge_speed_model,
}
