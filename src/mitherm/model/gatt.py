"""A GATT table as both sides see it: the client after discovery, the virtual unit as its definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One descriptor; `handle` and `value` are known on the device side only."""

    uuid: str
    handle: int = 0
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic. Properties use bleak's words: read, write, write-without-response, notify, indicate."""

    uuid: str
    properties: frozenset[str]
    handle: int = 0
    """Handle of the value; 0 where unknown. Never compare handles across radios (test-rig.md 2)."""
    descriptors: tuple[Descriptor, ...] = ()
    value: bytes = b""
    """Device side: the value compiled into the firmware."""
    max_length: int = 20


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service."""

    uuid: str
    characteristics: tuple[Characteristic, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class GattTable:
    """All services of a unit."""

    services: tuple[Service, ...]

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services)

    def has_service(self, uuid: str) -> bool:
        """Whether a service with this UUID exists."""
        return any(service.uuid == uuid for service in self.services)

    def find(self, uuid: str) -> Characteristic | None:
        """The first characteristic with this UUID."""
        for service in self.services:
            for characteristic in service.characteristics:
                if characteristic.uuid == uuid:
                    return characteristic
        return None

    @property
    def service_uuids(self) -> tuple[str, ...]:
        """UUIDs of all services in table order."""
        return tuple(service.uuid for service in self.services)
