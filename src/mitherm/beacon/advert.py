"""AD structures of an advertisement: `length | type | data`, length counting type and data (beacons.md 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

FLAGS: Final = 0x01
UUIDS16_SOME: Final = 0x02
UUIDS16_ALL: Final = 0x03
NAME_SHORT: Final = 0x08
NAME_COMPLETE: Final = 0x09
SERVICE_DATA: Final = 0x16

# 16-bit UUIDs of service data
ENVIRONMENT: Final = 0x181A
BTHOME1: Final = 0x181C
BTHOME1_ENCRYPTED: Final = 0x181E
EVENT_FLAGS: Final = 0x2A56
EVENT_COUNT: Final = 0x2AEB
BTHOME2: Final = 0xFCD2
QINGPING: Final = 0xFDCD
MIBEACON: Final = 0xFE95


def ad(kind: int, data: bytes) -> bytes:
    """One AD structure."""
    return bytes((len(data) + 1, kind)) + data


def flags_ad(value: int = 0x06) -> bytes:
    """Flags; 0x06 = general discoverable, no BR/EDR."""
    return ad(FLAGS, bytes((value,)))


def name_ad(name: str, *, complete: bool = True) -> bytes:
    """Local name, UTF-8."""
    return ad(NAME_COMPLETE if complete else NAME_SHORT, name.encode())


def service_data_ad(uuid: int, data: bytes) -> bytes:
    """Service data of a 16-bit UUID."""
    return ad(SERVICE_DATA, uuid.to_bytes(2, "little") + data)


def structures(data: bytes) -> list[tuple[int, bytes]]:
    """(type, data) of each structure; stops at a zero length or where a structure runs over the end."""
    return list(_walk(data))


def service_data(data: bytes) -> list[tuple[int, bytes]]:
    """(16-bit UUID, service data) in order of appearance."""
    return [
        (int.from_bytes(value[:2], "little"), value[2:])
        for kind, value in _walk(data)
        if kind == SERVICE_DATA and len(value) >= 2
    ]


def local_name(data: bytes) -> str | None:
    """The complete name, else the shortened one, else None; bytes that are not UTF-8 are replaced."""
    structures = {kind: value for kind, value in _walk(data) if kind in (NAME_COMPLETE, NAME_SHORT)}
    name = structures.get(NAME_COMPLETE, structures.get(NAME_SHORT))
    return None if name is None else name.decode(errors="replace")


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 1 < len(data):
        length = data[position]
        end = position + 1 + length
        if length == 0 or end > len(data):
            return
        yield data[position + 1], data[position + 2 : end]
        position = end
