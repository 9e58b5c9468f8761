"""Synthetic files of the ota-* vectors: stream(), image(), raw(), the zigbee wrap, and recipes (lists of steps)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Any

from judges._cases import number
from mitherm.primitives.checksums import crc32_raw

_ZIGBEE_HEAD = struct.Struct("<IHHHHHIH32sIHI")


def stream(seed: str, n: int) -> bytes:
    """The first n bytes of SHA256(seed || c) for c = 0, 1, 2, ... (c four bytes big-endian)."""
    chunks = (hashlib.sha256(seed.encode() + c.to_bytes(4, "big")).digest() for c in range(n // 32 + 1))
    return b"".join(chunks)[:n]


def trailer(data: bytes | bytearray) -> bytes:
    """The CRC32 trailer of an image without one."""
    return struct.pack("<I", crc32_raw(bytes(data)))


def image_body(seed: str, n: int) -> bytearray:
    """image(seed, n) without its trailer, for callers that change fields."""
    data = bytearray(stream(seed, n))
    data[0:12] = bytes.fromhex("2680000000005d02") + b"KNLT"
    data[0x18:0x20] = struct.pack("<II", n + 4, 0)
    return data


def image(seed: str, n: int) -> bytes:
    """A well-formed image of n + 4 bytes."""
    body = bytes(image_body(seed, n))
    return body + trailer(body)


def changed_image(entry: dict[str, Any]) -> bytes:
    """image(seed, n) with the changes of ota-device: f0, f1, magic, size, crc_xor, append_ff."""
    body = image_body(entry["seed"], entry["n"])
    for offset, key in ((6, "f0"), (7, "f1")):
        if key in entry:
            body[offset] = number(entry[key])
    if "magic" in entry:
        body[8:12] = bytes.fromhex(entry["magic"])
    if "size" in entry:
        body[0x18:0x1C] = number(entry["size"]).to_bytes(4, "little")
    crc = int.from_bytes(trailer(body), "little") ^ number(entry.get("crc_xor", 0))
    return bytes(body) + crc.to_bytes(4, "little") + b"\xff" * number(entry.get("append_ff", 0))


def raw(seed: str, n: int) -> bytes:
    """Linker output of n bytes: no flag, no trailer."""
    data = bytearray(stream(seed, n))
    data[0:12] = struct.pack("<HI", 0x8026, 0x99993001) + b"\0\0KNLT"
    data[0x10:0x20] = struct.pack("<HHHHII", 0x8086, 0x1141, 0x020A, 0, n, 0)
    return bytes(data)


def finalise(data: bytes) -> bytes:
    """firmware-image.md 2, without any check."""
    if data[6:8] == b"\x5d\x02":
        return data
    padded = bytearray(data.ljust(-(-len(data) // 16) * 16, b"\xff"))
    padded[6:8] = b"\x5d\x02"
    padded[0x18:0x1C] = struct.pack("<I", len(padded) + 4)
    return bytes(padded) + trailer(padded)


def zigbee(data: bytes, manufacturer: int, image_type: int) -> bytes:
    """The synthetic 62-byte container head and `data`."""
    total = len(data) + _ZIGBEE_HEAD.size
    head = (0x0BEEF11E, 0x0100, 56, 0, manufacturer, image_type, 0x99993001, 2, b"synthetic", total, 0, len(data))
    return _ZIGBEE_HEAD.pack(*head) + data


class _Kitchen:
    """One file being made; `start` and `trailer_at` locate the newest image with a trailer inside it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.start = 0
        self.trailer_at: int | None = None

    def do(self, step: list[Any]) -> None:
        name, *arguments = step
        getattr(self, f"do_{name}")(*arguments)

    def do_image(self, seed: str, n: int) -> None:
        self.start, self.trailer_at = len(self.data), len(self.data) + n
        self.data += image(seed, n)

    def do_raw(self, seed: str, n: int) -> None:
        self.start, self.trailer_at = len(self.data), None
        self.data += raw(seed, n)

    def do_stream(self, seed: str, n: int) -> None:
        self.data += stream(seed, n)

    def do_fill(self, pattern: str, count: int) -> None:
        self.data += bytes.fromhex(pattern) * count

    def do_cut(self, length: int) -> None:
        del self.data[length:]
        if self.trailer_at is not None and self.trailer_at + 4 > length:
            self.trailer_at = None

    def do_set(self, offset: int, value: str) -> None:
        new = bytes.fromhex(value)
        self.data[offset : offset + len(new)] = new

    def do_xor(self, offset: int, value: int) -> None:
        self.data[offset] ^= value

    def do_crc(self) -> None:
        """Where the image has its trailer; the last four bytes of what never had one or was cut."""
        end = len(self.data) - 4 if self.trailer_at is None else self.trailer_at
        self.data[end : end + 4] = trailer(self.data[self.start : end])

    def do_finalise(self) -> None:
        self.data = bytearray(finalise(bytes(self.data)))
        self.start, self.trailer_at = 0, len(self.data) - 4

    def do_zigbee(self, manufacturer: int, image_type: int) -> None:
        self.data = bytearray(zigbee(bytes(self.data), manufacturer, image_type))
        self.start += _ZIGBEE_HEAD.size
        if self.trailer_at is not None:
            self.trailer_at += _ZIGBEE_HEAD.size


def build(recipe: Iterable[list[Any]]) -> bytes:
    """Apply the steps in order to an empty byte string; an unknown step raises AttributeError."""
    kitchen = _Kitchen()
    for step in recipe:
        kitchen.do(step)
    return bytes(kitchen.data)


def named_file(entry: dict[str, Any]) -> bytes:
    """The file of a `file` entry: {recipe}, {hex} or {seed, n, len}, the last with the changes of ota-device."""
    if entry.get("recipe") is not None:
        return build(entry["recipe"])
    if entry.get("hex") is not None:
        return bytes.fromhex(entry["hex"])
    data = changed_image(entry)
    length: int = entry.get("len", len(data))
    return (data + stream(entry["seed"] + "/tail", max(0, length - len(data))))[:length]
