"""The reference update clients as procedures (telink-ota.md 3, 7, 9.3): played by the judge and by benchmarks/ota.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mitherm.primitives.checksums import crc32_raw
from mitherm.protocol.effects import Await, Notification, Pause, Procedure, Read, Write
from mitherm.protocol.ota.extended import AREA, COMMAND, Request, Status, area_kib
from mitherm.protocol.ota.packets import BANK_SIZE, BLOCK_SIZE, End, Start, Version, block_count, blocks
from mitherm.protocol.uuids import CUSTOM_COMMAND, CUSTOM_SERVICE, OTA, STOCK_INTERVAL, STOCK_SERVICE

DONE: Final = "Update done"
READ_ERROR: Final = "Update error("
CONFIRM: Final = "CONFIRM:All data for MiHome and measurement memory will be erased?"

_MAGIC: Final = b"KNLT"
_ZIGBEE: Final = bytes.fromhex("1ef1ee0b")
_ZIGBEE_HEAD: Final = 62
_EXTENDED_LIMIT: Final = 0x34000
_BIG_BANK_HARDWARE: Final = (12, 13, 49)
_BIG_BANK_LIMIT: Final = 0x1C000
_CONNECT_TRIES: Final = 6


@dataclass(frozen=True, slots=True)
class Peer:
    """How a client paces itself. `write_ms` is h of the speed model, `group` blocks lie between two reads (0: none)."""

    name: str
    write_ms: float
    group: int
    pauses: bool
    heeds_reads: bool = False
    strict: bool = False
    wants_login: bool = False
    """Sends nothing to a stock unit before a login in the same session."""


TELINK_MI: Final = Peer("TelinkMiFlasher", 4, 8, pauses=True, heeds_reads=True, strict=True, wants_login=True)
TELINK_FLASHER: Final = Peer("TelinkFlasher", 4, 8, pauses=True, wants_login=True)
TELINK_OTA: Final = Peer("TelinkOTA", 4, 8, pauses=True)
FLASH_PY: Final = Peer("flash.py", 0.2, 8, pauses=False)
FIXED_PAUSE: Final = Peer("fixed 5 ms", 5, 0, pauses=False)
LIMIT: Final = Peer("limit", 0.2, 0, pauses=True)
PEERS: Final = {peer.name: peer for peer in (TELINK_MI, TELINK_FLASHER, TELINK_OTA, FLASH_PY, FIXED_PAUSE, LIMIT)}


@lru_cache(maxsize=4)
def _frames(data: bytes) -> tuple[bytes, ...]:
    """All blocks as they are sent; kept because one file is played many times."""
    return tuple(bytes(block) for block in blocks(data))


def transfer(data: bytes, group: int, *, heeds_reads: bool = False) -> Procedure[str]:
    """Blocks, a read after every full group, END; the text is what the page would show."""
    for sent, frame in enumerate(_frames(data), start=1):
        yield Write(OTA, frame)
        if group and sent % group == 0:
            value: bytes = yield Read(OTA)
            if heeds_reads and value[:1] not in (b"", b"\0"):
                return READ_ERROR
    if not group:
        yield Pause(0)  # the speed model gives END an event of its own
    yield Write(OTA, bytes(End(block_count(len(data)) - 1)))
    return DONE


def update(data: bytes, peer: Peer, *, stock: bool = False) -> Procedure[str]:
    """The whole standard update of one client."""
    if stock:
        yield Write(STOCK_INTERVAL, bytes.fromhex("1e0000"))
    if peer.pauses:
        yield Pause(0.5)
    yield Write(OTA, bytes(Version()))
    yield Write(OTA, bytes(Start()))
    if peer.pauses:
        yield Pause(0.3)
    return (yield from transfer(data, peer.group, heeds_reads=peer.heeds_reads))


def file_refused(data: bytes, peer: Peer) -> bool:
    """Whether the client does not take the file (plain images, no extended update)."""
    if data[8:12] != _MAGIC:
        return True
    if not peer.strict:
        return False
    size = int.from_bytes(data[0x18:0x1C], "little")
    return (
        not 1024 <= len(data) <= BANK_SIZE
        or not 4 <= size <= len(data)
        or size % BLOCK_SIZE != 4
        or crc32_raw(data[: size - 4]).to_bytes(4, "little") != data[size - 4 : size]
    )


@dataclass(frozen=True, slots=True)
class CustomUnit:
    """What TelinkMiFlasher knows about a unit with custom firmware."""

    version: int
    hardware: int
    extended: bool


def load_alert(data: bytes, unit: CustomUnit) -> str | None:
    """Refusal of a file by TelinkMiFlasher because of its size or kind (firmware-image.md 8, lines 4 to 7)."""
    length = len(payload(data))
    if unit.extended:
        return "Size firmware is more 208 kbytes!" if length > _EXTENDED_LIMIT else None
    if data[:4] != _ZIGBEE:
        return f"Size firmware is more {BANK_SIZE} bytes!" if length > BANK_SIZE else None
    image_type = int.from_bytes(data[12:14], "little")
    if 0x0203 <= image_type <= 0x0205:
        return f"The current firmware version does not support OTA for image type `{image_type:04X}`."
    if length > BANK_SIZE:
        return (
            "The current firmware version does not support EXT OTA. Update the new custom BLE version (4.6 or higher)!"
        )
    return None


def payload(data: bytes) -> bytes:
    """What is sent over BLE: a container without its head."""
    if data[:4] != _ZIGBEE:
        return data
    return data[_ZIGBEE_HEAD:][: int.from_bytes(data[58:62], "little")]


def area_wanted(data: bytes, unit: CustomUnit) -> int | None:
    """KiB that TelinkMiFlasher asks to clear; None where it takes the standard path."""
    length = len(payload(data))
    padded = block_count(length) * BLOCK_SIZE
    big_banks = unit.hardware in _BIG_BANK_HARDWARE and padded > _BIG_BANK_LIMIT
    if data[:4] == _ZIGBEE or padded > BANK_SIZE:
        return area_kib(length, version=unit.version)
    return area_kib(length, version=unit.version, exact=True) if big_banks else None


def update_custom(data: bytes, unit: CustomUnit) -> Procedure[str]:
    """TelinkMiFlasher on custom firmware, after the question was answered with yes. Waits without any time-out."""
    size_kib = area_wanted(data, unit)
    if size_kib is not None:
        yield Write(CUSTOM_COMMAND, bytes(Request(AREA, size_kib)))
        while True:
            notification: Notification = yield Await(float("inf"))
            if notification.data[:1] != bytes([COMMAND]):
                continue
            status = int.from_bytes(notification.data[1:2], "little")
            if status == Status.READY:
                break
            if status not in tuple(Status) or status == Status.BAD_PARAMETER:
                return "refused"
    return (yield from update(payload(data), TELINK_MI))


def flash_py_lines(
    data: bytes, services: list[str], failed_connects: int, sent: Iterator[str]
) -> tuple[list[str], int]:
    """What flash.py does to the link, and its exit code; `sent` are the lines of its update."""
    lines = ["connect"] * min(failed_connects + 1, _CONNECT_TRIES)
    if failed_connects >= _CONNECT_TRIES:
        return lines, -1
    welcome = CUSTOM_SERVICE in services and STOCK_SERVICE not in services
    if not welcome or data[8:12] != _MAGIC:
        return [*lines, "disconnect"], -1
    return [*lines, *sent, "disconnect"], 0
