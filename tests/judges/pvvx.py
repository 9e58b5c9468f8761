"""Judges of pvvx: key store, settings store, commands, structs, measurements, history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from mitherm.errors import MithermError
from mitherm.model.family import Family
from mitherm.protocol.pvvx import structs
from mitherm.protocol.pvvx.config import Layout, layout_for, parse_version
from mitherm.protocol.uuids import CUSTOM_COMMAND
from mitherm.virtual.board.chip import Cell, Chip, Climate, Notify, RequestMtu
from mitherm.virtual.board.nor_flash import FlashOperation, NorFlash
from mitherm.virtual.firmware.base import BootImage
from mitherm.virtual.firmware.pvvx import PvvxFirmware
from mitherm.virtual.firmware.pvvx_state import Options
from mitherm.virtual.firmware.settings_store import SECTORS, V2_SINCE, SettingsStore, settings_store

Case = dict[str, Any]
Result = tuple[str, str | None]

_ADDRESS = r"(?:0x)?0*([0-9a-fA-F]+)"

DEVICE_IDS = {
    "LYWSD03MMC": 10,
    "MHO_C401": 1,
    "MHO_C401N": 8,
    "MHO_C401_2022": 8,
    "CGG1": 2,
    "CGG1N": 7,
    "CGG1_2022": 7,
    "CGDK2": 6,
    "MJWSD05MMC": 9,
    "MJWSD05MMC_EN": 12,
    "MJWSD06MMC": 13,
    "MHO_C122": 11,
    "LYWSD02MMC": 49,
    "ZTH03": 30,
}
STANDARD = {"0x76000": "11223338c1a455aa", "0x55000": "42312e3446312e302d43464d4b2d4c422d5a4358544a2d2d"}


def device_id(model: str | None) -> int:
    """Build number of a model name, however it is punctuated: MHO-C401, MHO_C401 (2022)."""
    return DEVICE_IDS[re.sub(r"[^A-Z0-9]+", "_", (model or "LYWSD03MMC").upper()).strip("_")]


class Bench:
    """A virtual pvvx on a table: boots, takes writes, shows frames and effects."""

    def __init__(self, case: Case, flash: NorFlash, entropy: Callable[[int], bytes] = bytes) -> None:
        self.flash = flash
        self.erased: list[int] = []
        flash.watch = self._watch
        self.chip = Chip(flash, hardware=case.get("board") or "B1.4", entropy=entropy)
        model = case.get("model") or "LYWSD03MMC"
        image = BootImage(Family.PVVX, case["version"], model, 0, 86340, device_id=device_id(model))
        self.firmware = PvvxFirmware(self.chip, image, Options(page_wrap=True, input_open=False))
        self.firmware.boot()
        self.version = case["version"]
        self.boot_erased, self.erased = self.erased, []
        self.chip.outbox.clear()

    def _watch(self, operation: FlashOperation) -> None:
        if operation.kind == "erase":
            self.erased.append(operation.address)

    def write(self, data: str) -> tuple[list[str], list[str]]:
        """Frames and effects that follow a write."""
        self.erased = []
        self.firmware.command(bytes.fromhex(data))
        while self.firmware.keys.active or self.firmware.history.active:
            self.chip.now = self.firmware.wake_at() or self.chip.now
            self.firmware.tick()
        actions, self.chip.outbox = self.chip.outbox, []
        frames = [a.data.hex() for a in actions if isinstance(a, Notify) and a.char == CUSTOM_COMMAND]
        mtu = [f"mtu {a.mtu}" for a in actions if isinstance(a, RequestMtu)]
        return frames, [f"erase {address:#x}" for address in self.erased] + mtu


def flash_of(content: dict[str, str]) -> NorFlash:
    """FF with these pieces."""
    flash = NorFlash()
    for address, data in content.items():
        put(flash, int(address, 16), bytes.fromhex(data))
    return flash


def put(flash: NorFlash, address: int, data: bytes) -> None:
    """Set bytes regardless of what was there."""
    flash.data[address : address + len(data)] = data


def effects_of(texts: list[str]) -> list[str]:
    """Effects of a vector in the words of `Bench.write`; unknown ones stay as they are and so never match."""
    found: list[str] = []
    for text in texts:
        if text == "bonds erased":
            found += ["erase 0x74000", "erase 0x75000"]
        elif match := re.fullmatch(rf"(?:sector erase|ERASE) {_ADDRESS}", text):
            found.append(f"erase 0x{match[1].lower()}")
        elif match := re.fullmatch(rf"sector erase of (\d+) sectors: {_ADDRESS} \.\. {_ADDRESS}", text):
            found.append(f"{match[1]} erases from 0x{match[2].lower()} to 0x{match[3].lower()}")
        elif match := re.fullmatch(r"exchange MTU request (\d+)", text):
            found.append(f"mtu {match[1]}")
        else:
            found.append(text)
    return found


def summed(effects: list[str], wanted: list[str]) -> list[str]:
    """A long run of erases in the short form, when the vector uses it."""
    erases = [effect.removeprefix("erase ") for effect in effects if effect.startswith("erase ")]
    if any(" erases from " in text for text in wanted) and erases:
        return [f"{len(erases)} erases from {erases[0]} to {erases[-1]}"]
    return effects


def comparable(frame: str, case: Case, given_key: bool) -> str:
    """A frame without what depends on the single device (description of fw-commands)."""
    data = bytes.fromhex(frame)
    if data[:1] == b"\x55":
        length = layout_for(parse_version(case["version"]), device_id(case.get("model"))).length
        return data[: 2 + length].hex()
    if data[:1] == b"\x60" and len(data) > 2 and not case.get("screen_set"):
        return f"60 and {len(data) - 1} bytes"
    if data[:1] in (b"\x25", b"\x26") and len(data) >= 17:
        return (data[:13] + data[17:]).hex()
    if data[:1] == b"\x18" and len(data) == 17 and not given_key:
        return "18 and a key"
    if data[:1] == b"\xdc" and len(data) == 19 and not given_key:
        return "dc and a key"
    return frame


def step_problem(bench: Bench, case: Case, step: dict[str, Any], given_key: bool) -> str | None:
    """Play one step."""
    frames, effects = bench.write(step["write"])
    got = [comparable(frame, case, given_key) for frame in frames]
    wanted = [comparable(frame, case, given_key) for frame in step["notify"]]
    if got != wanted:
        return f"{step['write']}: {got} instead of {wanted}"
    expected = effects_of(step.get("effects", []))
    if summed(effects, expected) != expected:
        return f"{step['write']}: effects {effects} instead of {expected}"
    armed = step.get("reboot_on_disconnect")
    if armed is not None and armed != bench.firmware.state.reboot_armed:
        return f"{step['write']}: reboot armed {not armed}"
    return None


def exchange_problem(case: Case) -> str | None:
    """Play a whole exchange and look at the flash afterwards."""
    pending: list[bytes] = []

    def entropy(length: int) -> bytes:
        return pending.pop(0) if pending and len(pending[0]) == length else bytes(range(1, length + 1))

    bench = Bench(case, flash_of(case["flash"]), entropy)
    given_key = False
    for step in case["steps"]:
        given_key |= step["write"][:2] == "18" and len(step["write"]) == 34
        if step["write"].startswith("60") and len(step["write"]) > 2:
            case = {**case, "screen_set": len(step["write"]) // 2 > bench.firmware.state.build.screen_bytes}
        pending[:] = randoms(step)
        problem = step_problem(bench, case, step, given_key)
        if problem is not None:
            return problem
    for address, data in case.get("flash_after", {}).items():
        found = bench.flash.read(int(address, 16), len(data) // 2).hex()
        if found != data:
            return f"flash {address}: {found} instead of {data}"
    return None


def randoms(step: dict[str, Any]) -> list[bytes]:
    """What the device drew in this step: the free parts of a MAC."""
    if not step["write"].startswith("10") or not step["notify"]:
        return []
    record = bytes.fromhex(step["notify"][0])[2:]
    return [record[:3], record[-2:]] if step["write"] == "1000" else [record[-2:]]


def judge_exchanges(document: dict[str, Any]) -> Iterator[Result]:
    """fw-commands, fw-mikeys: the device gives the recorded frames and effects."""
    for case in document["cases"]:
        yield case["name"], exchange_problem(case)


# --- settings store ---------------------------------------------------------------------------------------------------

FIRST_BOOT_RECORDS = 9
"""A first boot writes fewer: version, hardware strings, configuration, key."""


def with_sectors(sectors: dict[str, str], base: dict[str, str] | None = None) -> NorFlash:
    """A flash that holds these store sectors."""
    return flash_of({**(base or {}), **sectors})


def listed(store: SettingsStore, sector: int) -> list[tuple[int, str]]:
    """Records of a sector in a comparable form."""
    return [(record.id, record.data.hex()) for record in store.records(sector)]


def content_problem(case: Case) -> str | None:
    """The recorded sectors are understood, and the records encode back to them."""
    version = parse_version(case["version"])
    flash = with_sectors(case["sectors"])
    store = settings_store(flash, version)
    if store.current is None or f"{store.current:#x}" != case["current_sector"]:
        return None if store.current is case["current_sector"] is None else f"current sector {store.current}"
    sector = store.current
    wanted = [(int(record["id"], 16), record["data"]) for record in case["records"]]
    if listed(store, sector) != wanted:
        return f"records {listed(store, sector)}"
    for number, entry in case["latest"].items():
        if (store.read_id(int(number, 16)) or b"").hex() != (entry["data"] or ""):
            return f"latest of {number}"
    length = 4 if case["format"] == "v1" else 2
    copy = NorFlash()
    put(copy, sector, flash.read(sector, length))
    again = settings_store(copy, version)
    for record in case["records"]:
        again.append(int(record["id"], 16), bytes.fromhex(record["data"]))
    # What follows the data up to the next multiple of 4 in v1 is left over from memory (flash-layout.md 4.1).
    return None if listed(again, sector) == wanted else "the records do not encode back to the sector"


def replay(case: Case, version: str, writes: list[str], sectors: dict[str, str]) -> str | None:
    """A first boot with these writes gives these sectors: from our own first boot, else from the one that was recorded.

    What a first boot writes is not known for every version; virtual-unit.md 9 takes it from the case.
    """
    wrong = replay_from(case, version, writes, sectors, None)
    attempts = (wrong and replay_from(case, version, writes, sectors, count) for count in range(1, FIRST_BOOT_RECORDS))
    return wrong if all(attempts) else None


def replay_from(
    case: Case, version: str, writes: list[str], sectors: dict[str, str], recorded: int | None
) -> str | None:
    """Play the writes on our own first boot, or on the first `recorded` records of the case."""
    wanted = with_sectors(sectors)
    store = settings_store(wanted, parse_version(version))
    keys = [r.data for s in SECTORS for r in store.records(s) if r.id in (0xBEAC, 0x0E) and len(r.data) == 16]
    key = keys[0] if keys else bytes(16)
    bench = Bench(
        {**case, "version": version},
        flash_of(STANDARD | case.get("flash_before", {})),
        lambda length: key if length == 16 else bytes(length),
    )
    if recorded is not None:
        _restart_on(bench, store, recorded)
    last: list[str] = []
    for write in writes:
        last = bench.write(write)[0]
    own = settings_store(bench.flash, parse_version(version))
    for sector in SECTORS:
        if listed(own, sector) != listed(store, sector):
            return f"after {version}: sector {sector:#x} holds {listed(own, sector)} not {listed(store, sector)}"
        if version != "5.8" and bench.flash.u32(sector) != wanted.u32(sector):
            return f"after {version}: header of {sector:#x} is {bench.flash.u32(sector):#x}"
    replies = case.get("last_reply_before")
    if replies is not None:
        seen = [comparable(frame, {**case, "version": version}, True) for frame in last]
        if seen != [comparable(frame, {**case, "version": version}, True) for frame in replies]:
            return f"last reply of {version}: {seen}"
    return None


def _restart_on(bench: Bench, recorded: SettingsStore, count: int) -> None:
    """Put the first records of a recorded sector in place of what our own boot wrote."""
    sector = recorded.current
    if sector is None:
        return
    put(bench.flash, sector, recorded.flash.read(sector, 4) + b"\xff" * 0xFFC)
    if parse_version(bench.version) >= V2_SINCE:
        put(bench.flash, sector + 2, b"\xff\xff")
    own = settings_store(bench.flash, parse_version(bench.version))
    for record in list(recorded.records(sector))[:count]:
        own.append(record.id, record.data)
    bench.firmware.state.load(parse_version(bench.version))


def change_problem(case: Case) -> str | None:
    """Boot another version on what the first one left."""
    problem = replay(case, case["from_version"], case["writes_before"], case["sectors_before"])
    if problem is not None:
        return problem
    target = {**case, "version": case["to_version"]}
    flash = with_sectors(case["sectors_before"], STANDARD | case.get("flash_before", {}))
    keys = [frame[2:] for step in case["replies_after"] for frame in step["notify"] if frame[:2] == "18"]
    drawn = {len(key) // 2: bytes.fromhex(key) for key in keys}  # a key that the new version had to make
    bench = Bench(target, flash, lambda length: drawn.get(length, bytes(range(length))))
    erased = [f"{address:#x}" for address in bench.boot_erased]
    if erased != [f"{int(text, 16):#x}" for text in case["boot_erases"]]:
        return f"boot erased {erased} instead of {case['boot_erases']}"
    for step in case["replies_after"]:
        problem = step_problem(bench, target, step, given_key=True)
        if problem is not None:
            return f"after the change: {problem}"
    return None


def judge_eep(document: dict[str, Any]) -> Iterator[Result]:
    """fw-eep."""
    for case in document["cases"]:
        if case.get("kind") == "version change":
            yield case["name"], change_problem(case)
        else:
            yield (
                case["name"],
                content_problem(case) or replay(case, case["version"], case["writes"], case["sectors"]),
            )


# --- structs ----------------------------------------------------------------------------------------------------------


SAME_FIELD = (
    frozenset({"blinking", "blink", "show_clock", "show_time"}),
    frozenset({"not_day_of_week", "show_day_of_week", "day_of_week", "show_weekday", "weekday"}),
    frozenset({"averaging", "averaging_measurements"}),
    frozenset({"lcd_step", "min_step_time_update_lcd"}),
    frozenset({"screen_type", "smiley"}),
    frozenset({"memo_enable", "history_enable"}),
)
"""Names of one bit in different versions and models (custom-firmware.md 5.2); every layout has one of each."""


def own_names(layout: Layout, fields: dict[str, int]) -> dict[str, int]:
    """The fields by the names of our layout; a field that this layout lacks may only be 0."""
    found = {}
    for name, value in fields.items():
        same = next((names for names in SAME_FIELD if name in names), frozenset({name}))
        own = name if layout.field(name) else next((other for other in same if layout.field(other)), name)
        if layout.field(own) or value:
            found[own] = value
    return found


def config_problem(case: Case) -> str | None:
    """Decode and encode a configuration."""
    layout = layout_for(parse_version(case["version"]), device_id(case.get("model")))
    raw, fields = bytes.fromhex(case["struct_hex"]), own_names(layout, case["fields"])
    if layout.name != case["layout"] or layout.length != len(raw):
        return f"layout {layout.name} of {layout.length} bytes"
    try:
        values, encoded = layout.decode(raw), layout.encode(fields)
    except MithermError as problem:
        return problem.message
    wrong = {name: values.get(name) for name, value in fields.items() if values.get(name) != value}
    if wrong:
        return f"decoded {wrong}"
    return None if encoded == raw else f"encoded {encoded.hex()}"


def judge_config(document: dict[str, Any]) -> Iterator[Result]:
    """fw-config-struct."""
    for case in document["cases"]:
        yield case["name"], config_problem(case)


def _external(case: Case, raw: bytes) -> tuple[dict[str, int], bytes]:
    own = structs.ExternalNumber.from_bytes(raw, device_id(case["model"]))
    fields = {
        "vtime_sec": own.validity_s,
        "smiley": own.smiley,
        "battery": int(own.battery),
        "percent_on": int(own.percent),
        "temp_symbol": own.unit,
        "big_number": own.number,
        "small_number": own.small_number,
        "number": own.number,
    }
    if "percent_on" not in case["fields"]:
        fields["temp_symbol"] |= own.percent << 3
    return fields, own.to_bytes(device_id(case["model"]))


def _trigger(case: Case, raw: bytes) -> tuple[dict[str, int], bytes]:
    version = parse_version(case["version"])
    own = structs.Trigger.from_bytes(version, raw)
    fields = {name: int(getattr(own, name)) for name in own.__dataclass_fields__}
    fields |= {f"{name}_x10": fields[name] // 10 for name in ("temp_hysteresis", "humi_hysteresis")}
    fields["rds_type"] = fields["rds1_type"]  # 3.7 knows one input
    return fields, own.to_bytes(version, flags=True)


def _comfort(case: Case, raw: bytes) -> tuple[dict[str, int], bytes]:
    own = structs.Comfort.from_bytes(raw)
    return {name: int(getattr(own, name)) for name in own.__dataclass_fields__}, own.to_bytes()


STRUCTS = {"scomfort_t": _comfort, "trigger_t": _trigger, "external_data_t": _external}


def judge_structs(document: dict[str, Any]) -> Iterator[Result]:
    """fw-structs."""
    for case in document["cases"]:
        raw = bytes.fromhex(case["struct_hex"])
        fields, encoded = STRUCTS[case["struct"]](case, raw)
        wrong = {name: fields.get(name) for name, value in case["fields"].items() if fields.get(name) != value}
        if wrong:
            yield case["name"], f"decoded {wrong}"
        else:
            yield case["name"], None if encoded == raw else f"encoded {encoded.hex()}"


# --- measurements and history -----------------------------------------------------------------------------------------


def measure_problem(case: Case) -> str | None:
    """The device sends the frame, the client understands it."""
    fields, frame = case["fields"], bytes.fromhex(case["notify"][0])
    bench = Bench(case, flash_of(STANDARD))
    bench.chip.cell = Cell(fields["battery_mv"])
    bench.chip.climate = Climate(fields["temp_x100"] / 100, fields["humi_x100"] / 100)
    state = bench.firmware.state
    state.calibrate_battery()
    state.measured = fields["counter"] - 1
    state.measure()
    sent = bench.firmware.measurement().to_bytes(state.version)
    if sent != frame:
        return f"sent {sent.hex()} instead of {frame.hex()}"
    read = structs.Measurement.from_bytes(state.version, frame)
    counter = fields["counter"] & 0xFF if state.version == 0x25 else fields["counter"]
    wanted = (fields["battery_mv"], fields["temp_x100"], fields["humi_x100"], counter)
    got = (read.battery_mv, read.temp_x100, read.humi_x100, read.counter)
    return None if got == wanted else f"read {got}"


def judge_measure(document: dict[str, Any]) -> Iterator[Result]:
    """fw-measure."""
    for case in document["cases"]:
        yield case["name"], measure_problem(case)


def record(number: int) -> bytes:
    """Record i of the image that the description of fw-history defines."""
    temp = 2000 + number % 100 - (2500 if number % 7 == 0 else 0)
    return structs.HistoryRecord(1700000000 + 600 * number, temp, 4000 + number % 300, 3000 - number % 500).to_bytes()


def history_flash(sectors: list[dict[str, Any]]) -> NorFlash:
    """The image of a history case."""
    flash = flash_of(STANDARD)
    for sector in sectors:
        first = sector["first_record"]
        head = bytes.fromhex("dec0aa55") + (b"\0\0" if sector["closed"] else b"\xff\xff")
        body = b"".join(record(number) for number in range(first, first + sector["count"]))
        put(flash, int(sector["address"], 16), head + body)
    return flash


def history_problem(case: Case) -> str | None:
    """Boot on the image, play the requests."""
    bench = Bench(case, history_flash(case["sectors"]))
    erased = [f"erase {address:#x}" for address in bench.boot_erased if 0x40000 <= address < 0x74000]
    if erased != effects_of(case["boot_erases"]):
        return f"boot: {erased}"
    for request in case["requests"]:
        frames, effects = bench.write(request["write"])
        if "frame_count" in request and len(frames) != request["frame_count"]:
            return f"{request['write']}: {len(frames)} frames"
        if "notify" in request and frames != request["notify"]:
            return f"{request['write']}: {frames}"
        first, last = request.get("notify_first", []), request.get("notify_last", [])
        if frames[: len(first)] != first or frames[len(frames) - len(last) :] != last:
            return f"{request['write']}: {frames[:4]} ... {frames[-4:]}"
        wanted = effects_of(request.get("effects", []))
        if summed(effects, wanted) != wanted:
            return f"{request['write']}: effects {effects}"
    return None


def judge_history(document: dict[str, Any]) -> Iterator[Result]:
    """fw-history."""
    for case in document["cases"]:
        yield case["name"], history_problem(case)


AREAS = {
    "fw-commands": judge_exchanges,
    "fw-mikeys": judge_exchanges,
    "fw-eep": judge_eep,
    "fw-config-struct": judge_config,
    "fw-structs": judge_structs,
    "fw-measure": judge_measure,
    "fw-history": judge_history,
}
