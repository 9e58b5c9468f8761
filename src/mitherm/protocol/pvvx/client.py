"""Conversations with pvvx firmware over characteristic 1F1F (custom-firmware.md 2, 4, 6 to 8, 10).

Every procedure subscribes itself. Frames nobody asked for and repeated frames are dropped; a command that only reads is
sent twice when no answer comes. Raises NotSupported where the unit does not know the command, LinkTimeout where it keeps
silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from mitherm.errors import LinkTimeout, NotSupported, PeerMisbehaved, SettingsError
from mitherm.model.address import Address
from mitherm.model.keys import BIND_KEY_LENGTH, DID_LENGTH
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Procedure, notified, pause, read, report, subscribe, write
from mitherm.protocol.events import Progress
from mitherm.protocol.pvvx import keys as pvvx_keys
from mitherm.protocol.pvvx.config import Config, version_text
from mitherm.protocol.pvvx.keys import ItemCollector, MacRecord, MiRecords
from mitherm.protocol.pvvx.structs import Comfort, DeviceId, HistoryRecord, Measurement, Trigger
from mitherm.protocol.uuids import CUSTOM_COMMAND

ANSWER_S: Final = 3.0
MTU: Final = 32
"""Enough for the longest command, a key pair of 1 + 28 bytes."""
WHOLE_HISTORY: Final = 0xFFFF
"""More than any unit keeps: the firmware stops at its last record."""
CLOCK_SINCE: Final = 0x18
HISTORY_SINCE: Final = 0x19
START_INDEX_SINCE: Final = 0x21
SAFE_CLEAR_SINCE: Final = 0x38
"""From 2.3 to 3.7 command 36 erases all of 0x40000 to 0x73FFF, the serial number and the settings of stock with it
(custom-firmware.md, command 36)."""
PIN_LIMIT: Final = 999_999
NAME_LIMIT: Final = 17
"""The buffer takes 18, but then the last byte is lost and reads back as 00 (custom-firmware.md, command 01)."""
_STRAY_LIMIT: Final = 200
"""Frames of other commands that may come first, such as measurements somebody asked for: a whole screenful, not a flood."""
_SLACK_S: Final = 3.0
"""Beyond a measuring interval: connection events stretch up to a second at the latency these units ask for."""
_MEAN_OF: Final = 512
"""Since 4.2 the battery voltage is the mean of so many samples at most."""
_TELLING: Final = 64
"""Up to this many samples in the mean, rounding hides no more than this many millivolts."""
_SETTLE_S: Final = 1.0
_PAGE: Final = 18
_REPORT_EVERY: Final = 64

_T = TypeVar("_T")


# --- asking -----------------------------------------------------------------------------------------------------------


def _ask(request: bytes, understand: Callable[[bytes], _T | None], *, repeat: bool = True) -> Procedure[_T]:
    """Send a command and return the first frame that is understood."""
    yield from subscribe(CUSTOM_COMMAND)
    yield from write(CUSTOM_COMMAND, request)
    try:
        return (yield from _answer(request[0], understand, ANSWER_S))
    except LinkTimeout:
        if not repeat:
            raise
    yield from write(CUSTOM_COMMAND, request)
    return (yield from _answer(request[0], understand, ANSWER_S))


def _answer(number: int, understand: Callable[[bytes], _T | None], timeout_s: float) -> Procedure[_T]:
    for _ in range(_STRAY_LIMIT):
        notification = yield from notified(timeout_s)
        if notification.char != CUSTOM_COMMAND:
            continue
        answer = understand(notification.data)
        if answer is not None:
            return answer
        if notification.data == bytes([number, 0xFF]):
            raise NotSupported(f"this firmware refuses command {number:02X}")
    raise PeerMisbehaved(f"command {number:02X} drowned in other frames")


def _starting(head: bytes, length: int) -> Callable[[bytes], bytes | None]:
    """Understands frames with this beginning and at least this length."""
    return lambda frame: frame if frame.startswith(head) and len(frame) >= length else None


# --- what is it -------------------------------------------------------------------------------------------------------


def read_config(device_id: int = 10) -> Procedure[Config]:
    """Version and configuration by a GATT read, which never touches the unit's flash (custom-firmware.md 5.6)."""
    return Config.from_bytes((yield from read(CUSTOM_COMMAND)), device_id)


def device_id() -> Procedure[DeviceId | None]:
    """Command 00; None before 4.5."""
    config = yield from read_config()
    if config.version < 0x45:
        return None
    return DeviceId.from_bytes((yield from _ask(b"\0", _starting(b"\0", 12))))


def read_name() -> Procedure[str]:
    """The name in use."""
    frame = yield from _ask(b"\x01", _starting(b"\x01", 2))
    return frame[1:].rstrip(b"\0").decode(errors="replace")


def set_name(name: str) -> Procedure[str]:
    """Store a name of at most 17 bytes, or go back to the default with an empty one; effective after a reconnect."""
    raw = name.encode()
    if len(raw) > NAME_LIMIT or "\0" in name:
        raise SettingsError(f"a name has at most {NAME_LIMIT} bytes")
    frame = yield from _ask(b"\x01" + (raw or b"\0"), _starting(b"\x01" + raw, 2))
    return frame[1:].rstrip(b"\0").decode(errors="replace")


def read_mac() -> Procedure[MacRecord]:
    """Command 10."""
    frame = yield from _ask(b"\x10", _starting(b"\x10\x08", 10))
    return _mac_record(frame[2:10])


def _mac_record(record: bytes) -> MacRecord:
    return MacRecord(Address.from_reversed(record), record[6:8])


# --- Mi keys ----------------------------------------------------------------------------------------------------------


def read_mi_records() -> Procedure[MiRecords]:
    """Command 15: everything in the Mi record store, superseded records included. Raises PeerMisbehaved when incomplete."""
    yield from subscribe(CUSTOM_COMMAND)
    try:
        records = yield from _collect_records()
        if records is not None:
            return records
    except LinkTimeout:
        pass
    records = yield from _collect_records()
    if records is None:
        raise PeerMisbehaved(
            "the unit did not show all of its Mi records", hint="Try again nearer to it, or copy sector 0x78000."
        )
    return records


_ONCE: Final = (pvvx_keys.MAC, pvvx_keys.DID, pvvx_keys.KEYS, pvvx_keys.COUNTER)


def _collect_records() -> Procedure[MiRecords | None]:
    """One round of 15; None when an item is missing. The end mark of an earlier round comes before any MAC."""
    yield from write(CUSTOM_COMMAND, b"\x15")
    collector = ItemCollector(*_ONCE, pvvx_keys.DELETED)
    items: dict[int, bytes] = {}
    deleted: list[Secret] = []
    while True:
        item = collector.feed((yield from notified(ANSWER_S)).data)
        if item is None or (item[0] != pvvx_keys.MAC and pvvx_keys.MAC not in items):
            continue
        number, data = item
        if number != pvvx_keys.DELETED:
            items.setdefault(number, data)
        elif data:
            deleted.append(Secret(data))
        else:
            return _records(items, deleted) if all(number in items for number in _ONCE) else None


def _records(items: dict[int, bytes], deleted: list[Secret]) -> MiRecords:
    keys = items[pvvx_keys.KEYS]
    return MiRecords(
        mac=_mac_record(items[pvvx_keys.MAC]),
        did=items[pvvx_keys.DID] or None,
        keys=Secret(keys) if keys else None,
        counter=items[pvvx_keys.COUNTER] or None,
        deleted=tuple(deleted),
    )


def erase_mi_records() -> Procedure[None]:
    """Command 17: erase DID, keys and counter, and see that they are gone. Back up first; there is no way back."""
    version = (yield from read_config()).version
    if version < 0x21:
        raise NotSupported(f"pvvx {version_text(version)} cannot erase the Mi records", hint="Update to 5.8 first.")
    if version < 0x23:
        yield from write(CUSTOM_COMMAND, b"\x17")
    else:
        yield from _ask(b"\x17", _starting(b"\x17\0", 2))
    if not (yield from read_mi_records()).empty:
        raise PeerMisbehaved("the Mi records are still there after the erase command", hint="Repeat it.")


def set_keys(did: bytes | None, keys: Secret | None) -> Procedure[MiRecords]:
    """Replace DID (20 bytes) and token with key (28 bytes) in place; the unit must hold records of both kinds already.

    Returns the records afterwards. Raises NotSupported where there is nothing to replace, SettingsError.
    """
    contents = {pvvx_keys.DID: did, pvvx_keys.KEYS: keys.reveal() if keys is not None else None}
    if any(data is not None and len(data) != pvvx_keys.LENGTHS[item] for item, data in contents.items()):
        raise SettingsError(f"a DID record has {DID_LENGTH} bytes, a key record {pvvx_keys.LENGTHS[pvvx_keys.KEYS]}")
    before = yield from read_mi_records()
    if (did is not None and before.did is None) or (keys is not None and before.keys is None):
        raise NotSupported(
            "the unit holds no such record, and this firmware can only replace",
            hint="Write the records over SWire, or register the unit on stock firmware.",
        )
    yield from set_mtu()
    for item, data in contents.items():
        if data is not None:
            yield from write(CUSTOM_COMMAND, bytes([item]) + data)
            yield from _settled()
    after = yield from read_mi_records()
    if (did is not None and after.did != did) or (keys is not None and after.keys != keys):
        raise PeerMisbehaved("the unit did not take over the records", hint="Repeat; the old ones may be damaged.")
    return after


def _settled() -> Procedure[None]:
    """Let the frames of a set go by, stray ones included."""
    try:
        while True:
            yield from notified(_SETTLE_S)
    except LinkTimeout:
        return


def read_beacon_key() -> Procedure[Secret | None]:
    """Command 18: the key of encrypted beacons; None where there is none (or no such command, before 2.8)."""
    try:
        frame = yield from _ask(b"\x18", _starting(b"\x18", 1 + BIND_KEY_LENGTH))
    except NotSupported:
        return None
    return Secret(frame[1 : 1 + BIND_KEY_LENGTH])


def set_beacon_key(key: Secret) -> Procedure[None]:
    """Store the key of encrypted beacons; raises SettingsError unless it has 16 bytes."""
    if len(key) != BIND_KEY_LENGTH:
        raise SettingsError(f"a bind key has {BIND_KEY_LENGTH} bytes")
    yield from _ask(b"\x18" + key.reveal(), _starting(b"\x18" + key.reveal(), 1))


# --- raw flash --------------------------------------------------------------------------------------------------------


def read_flash(address: int, length: int) -> Procedure[bytes]:
    """Copy flash with command DE, 18 bytes per question; each question is asked up to twice."""
    yield from set_mtu()
    data = b""
    requested = 0
    while len(data) < length:
        head = b"\xde" + (address + len(data)).to_bytes(3, "little")
        frame = yield from _ask(head, _starting(head, len(head) + 1))
        data += frame[len(head) : len(head) + _PAGE]
        requested += 1
        if requested % _REPORT_EVERY == 0 or len(data) >= length:
            yield from report(Progress("read-flash", min(len(data), length), length, "bytes"))
    return data[:length]


def set_mtu(mtu: int = MTU) -> Procedure[None]:
    """Have the unit ask for a larger ATT MTU; it does not accept one from this side."""
    yield from _ask(bytes([0x71, mtu]), _starting(b"\x71\0", 2))
    yield from pause(_SETTLE_S)


# --- settings ---------------------------------------------------------------------------------------------------------


def write_config(config: Config) -> Procedure[Config]:
    """Store a configuration unless the unit has it already; returns what the unit made of it."""
    present = yield from read_config(config.device_id)
    if present.version != config.version:
        raise SettingsError(f"this configuration is for pvvx {version_text(config.version)}")
    if present.data == config.data:
        return present
    head = bytes([0x55, config.version])
    frame = yield from _ask(config.to_bytes(), _starting(head, 2 + config.layout.length))
    return Config.from_bytes(frame, config.device_id)


def reset_config() -> Procedure[Config]:
    """Command 56: store the configuration the firmware begins with."""
    present = yield from read_config()
    head = bytes([0x55, present.version])
    frame = yield from _ask(b"\x56", _starting(head, 2 + present.layout.length), repeat=False)
    return Config.from_bytes(frame)


def read_comfort() -> Procedure[Comfort]:
    """Command 20."""
    return Comfort.from_bytes((yield from _ask(b"\x20", _starting(b"\x20", 9)))[1:])


def write_comfort(comfort: Comfort) -> Procedure[None]:
    """Store the comfort window."""
    yield from _ask(b"\x20" + comfort.to_bytes(), _starting(b"\x20" + comfort.to_bytes(), 9))


def read_trigger() -> Procedure[Trigger]:
    """Command 44."""
    version = (yield from read_config()).version
    frame = yield from _ask(b"\x44", _starting(b"\x44", 2 + Trigger.length(version)))
    return Trigger.from_bytes(version, frame[1:])


def write_trigger(trigger: Trigger) -> Procedure[Trigger]:
    """Store thresholds and reed input; returns what the unit made of them."""
    version = (yield from read_config()).version
    request = b"\x44" + trigger.to_bytes(version)
    return Trigger.from_bytes(version, (yield from _ask(request, _starting(b"\x44", len(request) + 1)))[1:])


def read_clock() -> Procedure[int]:
    """The unit's clock in s; its basis is what the one who set it took. Raises NotSupported before 1.8."""
    version = (yield from read_config()).version
    if version < CLOCK_SINCE:
        raise NotSupported(f"pvvx {version_text(version)} has no clock", hint="Update first.")
    return int.from_bytes((yield from _ask(b"\x23", _starting(b"\x23", 5)))[1:5], "little")


def set_clock(local_s: int) -> Procedure[None]:
    """Set the clock: seconds since 1970 in local time, as screen and history use them."""
    yield from _ask(b"\x23" + local_s.to_bytes(4, "little"), _starting(b"\x23", 5), repeat=False)


def set_pin(pin: int) -> Procedure[bool]:
    """Store a PIN (0 = none); False when it was the same. Protection begins after a reconnect. Raises SettingsError."""
    if not 0 <= pin <= PIN_LIMIT:
        raise SettingsError(f"a PIN is 0 to {PIN_LIMIT}")
    frame = yield from _ask(b"\x70" + pin.to_bytes(4, "little"), _starting(b"\x70", 2), repeat=False)
    if frame[1] not in (0, 1):
        raise PeerMisbehaved("the unit could not store the PIN")
    return frame[1] == 1


def reboot_on_disconnect() -> Procedure[None]:
    """Command 72: the unit restarts when this link ends."""
    yield from _ask(b"\x72", _starting(b"\x72\0", 2))


# --- readings ---------------------------------------------------------------------------------------------------------


def measure() -> Procedure[Measurement]:
    """The next measurement (command 33); takes up to one measuring interval of the unit, 10 s by default."""
    measurements = yield from _measurements(1)
    return measurements[0]


def load_mv() -> Procedure[int]:
    """Supply voltage under the load of this connection; takes up to two measuring intervals.

    From 4.2 on the unit tells the mean of its last measurements, 512 at most: two in a row show where it is going. Long
    after the boot they differ by less than a millivolt, and then the mean itself must do.
    """
    first, second = yield from _measurements(2)
    weight = min(second.counter + 1, _MEAN_OF)
    now = first.battery_mv + (second.battery_mv - first.battery_mv) * weight
    return min(second.battery_mv, now) if weight <= _TELLING else second.battery_mv


def _measurements(count: int) -> Procedure[list[Measurement]]:
    config = yield from read_config()
    values = config.values
    period_s = 0.0625 * values["advertising_interval"] * max(values["measure_interval"], 1)
    understand = _starting(b"\x33", 9)
    yield from subscribe(CUSTOM_COMMAND)
    yield from write(CUSTOM_COMMAND, bytes([0x33, count]))
    measurements: list[Measurement] = []
    while len(measurements) < count:
        frame = yield from _answer(0x33, understand, period_s + _SLACK_S)
        measurements.append(Measurement.from_bytes(config.version, frame))
    return measurements


def read_history(
    count: int = WHOLE_HISTORY, start: int = 0, records: dict[int, HistoryRecord] | None = None
) -> Procedure[list[HistoryRecord]]:
    """The stored means number `start` + 1 to `count`, counted from the newest, newest first; `start` since 2.1.

    `records` gets each one under its number as it comes, so that it outlives a lost link.
    """
    records = {} if records is None else records
    yield from subscribe(CUSTOM_COMMAND)
    yield from write(
        CUSTOM_COMMAND, b"\x35" + count.to_bytes(2, "little") + (start.to_bytes(2, "little") if start else b"")
    )
    while True:
        frame = (yield from notified(ANSWER_S)).data
        if frame[:3] == b"\x35\0\0":
            return [records[index] for index in sorted(records)]
        if frame == b"\x35\xff":
            raise NotSupported("this firmware keeps no history")
        if frame[:1] == b"\x35" and len(frame) >= 13:
            index = int.from_bytes(frame[1:3], "little")
            records[index] = HistoryRecord.from_bytes(frame[3:])
            if index % 409 == 0:
                yield from report(Progress("history", index, count, "records"))


def clear_history() -> Procedure[None]:
    """Command 36; refused on 2.3 to 3.7, where it destroys the serial number and stock's settings. Raises NotSupported."""
    version = (yield from read_config()).version
    if version < SAFE_CLEAR_SINCE:
        raise NotSupported(
            f"on pvvx {version_text(version)} clearing the history destroys the serial number", hint="Update first."
        )
    yield from _ask(b"\x36\x12\x34", _starting(b"\x36\0", 2))
