"""What a scanner makes of advertising data: the part that every operating system reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mitherm.beacon import advert
from mitherm.protocol.uuids import short


@dataclass(frozen=True, slots=True)
class AdvertisingData:
    """Name, service data and service UUIDs of an advert together with its scan response."""

    name: str | None
    service_data: Mapping[str, bytes]
    service_uuids: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes, scan_response: bytes = b"") -> Self:
        """Merge both parts as an active scan does."""
        structures = advert.structures(data) + advert.structures(scan_response)
        return cls(
            advert.local_name(scan_response) or advert.local_name(data),
            {_uuid(value): value[2:] for kind, value in structures if kind == advert.SERVICE_DATA and len(value) >= 2},
            tuple(uuid for kind, value in structures if kind in _UUID_LISTS for uuid in _uuids(value)),
        )


_UUID_LISTS = (advert.UUIDS16_SOME, advert.UUIDS16_ALL)


def _uuid(value: bytes) -> str:
    return short(int.from_bytes(value[:2], "little"))


def _uuids(value: bytes) -> list[str]:
    return [_uuid(value[start : start + 2]) for start in range(0, len(value) - 1, 2)]
