"""Judges of the update protocol: device handlers, connection interval, extended update, speed model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from airtime import Air, AirRun
from judges import _peers
from judges._cases import Case, Problem, Verdicts, Wrong, each, number, verdict
from judges._cases import differs as _differs
from judges._cases import first as _first
from judges._recipes import changed_image
from mitherm.protocol.ota.extended import Message
from mitherm.protocol.ota.interval import IntervalRequest, ParameterRequest, answer
from mitherm.protocol.ota.packets import BANK_SIZE, BLOCK_SIZE, Start, blocks
from mitherm.virtual.board.nor_flash import FlashOperation, NorFlash
from mitherm.virtual.reactors.extended_ota import ExtendedOta, ForceLatency
from mitherm.virtual.reactors.ota_receiver import OtaEvent, OtaReceiver, OtaStart, Variant

LIMIT_S = {Variant.T: 16.0, Variant.X1: 5.0, Variant.X2: 5.0}

# --- ota-device -------------------------------------------------------------------------------------------------------

_TIMEOUT = re.compile(r"(?:(\d+)\*)?timeout(?:\*(\d+))?([+-]\d+)?")


class _Bench:
    """One receiver, its flash and everything that happened, as ota-device writes it."""

    def __init__(self, case: Case, variant: Variant) -> None:
        running = BANK_SIZE * case.get("active_bank", 0)
        self.bases = {"bank": BANK_SIZE - running, "act": running}
        self.images = {key: changed_image(case[key]) for key in ("image", "image2") if key in case}
        self.flash = NorFlash()
        self.flash.program(running + 8, b"KNLT")
        for entry in case.get("flash_prefill", ()):
            start, data = self._address(entry["addr"]), bytes.fromhex(entry["hex"])
            self.flash.data[start : start + len(data)] = data
        self.limit_s = LIMIT_S[variant]
        self.receiver = OtaReceiver(self.flash, variant=variant, running_bank=running, limit_s=self.limit_s)
        self.events: list[str] = []
        self.over = False
        self._now_us = 100_000_000
        self._operations: list[str] = []
        self.flash.watch = self._watch

    def _address(self, where: int | str) -> int:
        """A number, or a distance from one of the banks: `bank`, `bank+0x10`, `act+0`."""
        base, _, offset = str(where).replace(" ", "").partition("+")
        return self.bases[base] + int(offset or "0", 0) if base in self.bases else int(base, 0)

    def _watch(self, operation: FlashOperation) -> None:
        if operation.kind == "erase":
            self._operations.append(f"erase {operation.address:#x}")
        elif len(operation.data) != BLOCK_SIZE:
            self._operations.append(f"flash_write {operation.address:#x} {operation.data.hex()}")

    def play(self, operation: Case) -> None:
        """One entry of `ops`; nothing is processed after the reboot."""
        ((kind, value),) = operation.items()
        if kind == "w":
            self._write(bytes.fromhex(value))
        elif kind in ("blocks", "blocks2"):
            first, end = value
            picture = self.images["image2" if kind == "blocks2" else "image"]
            for block in islice(blocks(picture), first, end):
                self._write(bytes(block))
        elif kind == "wait_us":
            self._now_us += self._microseconds(value)
            self._note(self.receiver.tick(self._now_us / 1e6))
        elif kind != "disconnect":
            raise Wrong(f"unknown op {kind}")

    def _write(self, raw: bytes) -> None:
        self._note(self.receiver.write(raw, self._now_us / 1e6))

    def _microseconds(self, value: int | str) -> int:
        """A number, or the variant's limit and some more or less: `timeout+1000`."""
        found = _TIMEOUT.fullmatch(str(value).replace(" ", ""))
        if found is None:
            return number(value)
        before, behind, more = found.groups()
        return round(self.limit_s * 1e6) * int(before or behind or 1) + int(more or 0)

    def _note(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaStart):
                self.events.append("start_cb")
            else:
                self.events += [f"result {event.code}", *self._operations, "reboot"]
                self.over = True
        self._operations.clear()

    def outcome(self, expected: Case) -> Case:
        """The fields of `expected` as they turned out; unknown fields come back as `unknown field`."""
        made = {
            "events": self.events,
            "last_index": self.receiver.last_index,
            "rebooted": self.over,
            "new_bank_mark": self.flash.read(self.bases["bank"] + 8, 4).hex(),
            "running_bank_mark": self.flash.read(self.bases["act"] + 8, 4).hex(),
            "hashed_bytes": expected.get("hashed_bytes"),
        }
        return {
            key: made[key] if key in made else self._content(key, value, expected) for key, value in expected.items()
        }

    def _content(self, key: str, value: str, expected: Case) -> str:
        """Flash content by the names of the vectors: at_ADDRESS, BANK_first_N, BANK_sha256."""
        bank = self.bases["bank" if key.startswith("new_bank_") else "act"]
        if key.startswith("at_0x"):
            return self.flash.read(int(key.removeprefix("at_"), 0), len(value) // 2).hex()
        if re.fullmatch(r"(new|running)_bank_first_\d+", key):
            return self.flash.read(bank, len(value) // 2).hex()
        if re.fullmatch(r"(new|running)_bank_sha256", key):
            return hashlib.sha256(self.flash.read(bank, expected["hashed_bytes"])).hexdigest()
        return "unknown field"

    def images_differ(self, case: Case) -> Problem:
        """Whether an image we made is not the one the case was recorded with."""
        for key, data in self.images.items():
            ours = {"sha256": hashlib.sha256(data).hexdigest(), "len": len(data), "hex": data.hex()}
            for name, value in ours.items():
                if case.get(f"{key}_{name}", value) != value:
                    return f"{key}: the recipe gives another image than the one recorded ({name})"
        return None


def _device(case: Case, variant: str) -> Problem:
    bench = _Bench(case, Variant(variant))
    for operation in case["ops"]:
        bench.play(operation)
    expected = case["expect"][variant]
    return bench.images_differ(case) or _differs(expected, bench.outcome(expected), "outcome")


def judge_device(document: Case) -> Verdicts:
    """Each case in each variant."""
    for case in document["cases"]:
        for variant in case["expect"]:
            yield f"{case['name']} {variant}", verdict(_device, case, variant)


# --- ota-conn-interval ------------------------------------------------------------------------------------------------


def _conn_interval(case: Case) -> Problem:
    """What a unit asks for after a write; values of three bytes also encode back."""
    raw = bytes.fromhex(case["write"])
    wanted = case["request"]
    keys = ("interval_min", "interval_max", "latency", "timeout_10ms")
    expected = None if wanted is None else ParameterRequest(*(wanted[key] for key in keys))
    wrong = _differs(expected, answer(raw), "request")
    if len(raw) == 3 and raw[2] < 2:
        wrong = wrong or _differs(raw.hex(), bytes(IntervalRequest.from_bytes(raw)).hex(), "encoded")
    return wrong


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

    def _op_standard_ota_running(self, value: int) -> None:
        if value:
            self.receiver.write(bytes(Start()), 0)

    def _op_result(self, value: int) -> None:
        if value == 0 and self.receiver.accept is not None:
            self.receiver.accept(self.receiver.target, 0)


_STATES = ("none", "clearing", "ready")


def _clearing_steps(case: Case) -> Iterator[Problem]:
    unit = _Clearing()
    for number_, step in enumerate(case["steps"]):
        ((kind, value),) = step["op"].items()
        yield _differs(step["events"], unit.play(kind, value), f"step {number_}: events")
        ours = {
            "state": unit.machine.state,
            "reset_on_disconnect": unit.machine.reset_on_disconnect,
            "ota_address": unit.receiver.target,
            "ota_size_kib": unit.receiver.target_size // 1024,
        }
        for name, got in ours.items():
            expected = number(step.get(name, got)) if name.startswith("ota_") else step.get(name, got)
            if name != "state" or expected in _STATES or not unit.receiver.started:
                yield _differs(expected, got, f"step {number_}: {name}")


def _ext_device(case: Case) -> Problem:
    return _first(_clearing_steps(case))


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


def _speed_model(case: Case) -> Problem:
    """By carrying the packets one by one."""
    listener = _Listener()
    run = AirRun(Air(case["interval_ms"], case["per_event"], case["write_ms"]), listener)
    run.run(_peers.transfer(bytes(case["blocks"] * BLOCK_SIZE), case["group"]))
    wrong = _differs(case["blocks"] + 1, listener.writes, "writes that arrived")
    total_ms = round(PAUSES_MS + run.last_write_s * 1000, 3)
    return wrong or _differs(round(case["total_ms"], 3), total_ms, "total_ms")


AREAS = {
    "ota-device": judge_device,
    "ota-conn-interval": each(_conn_interval),
    "ota-ext-device": each(_ext_device),
    "ota-speed-model": each(_speed_model),
}
