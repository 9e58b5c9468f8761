"""What the vault keeps about one unit: generations of keys and raw backups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from mitherm.model.address import Address
from mitherm.model.keys import BIND_KEY_LENGTH, TOKEN_LENGTH, MiKeys, did_text
from mitherm.primitives.secret import Secret

KeyKind: TypeAlias = Literal["mi", "beacon_key"]
"""`mi`: the credentials of stock firmware; `beacon_key`: pvvx's own bind key (command 18, custom-firmware.md)."""

_KEY_RECORD = TOKEN_LENGTH + BIND_KEY_LENGTH


@dataclass(frozen=True, slots=True)
class KeyGeneration:
    """Keys a unit had, has or may have; generations are only ever added."""

    id: str
    """Name within the unit: UTC and fingerprint."""
    address: Address
    keys: MiKeys
    origin: str
    """Where the keys came from: activation, account, unit, pvvx, an import format ..."""
    created: datetime
    kind: KeyKind = "mi"
    note: str = ""
    confirmed: datetime | None = None
    """When the unit last proved that it holds these keys."""
    superseded: datetime | None = None
    """When it became known that the unit no longer holds them."""

    @property
    def may_be_held(self) -> bool:
        """Whether nothing says that the unit gave them up."""
        return self.superseded is None


@dataclass(frozen=True, slots=True)
class UnitBackup:
    """Raw copy of what identifies a unit (flash-layout.md 8); None or empty where it could not be read."""

    address: Address
    mac_record: bytes | None = None
    """8 bytes in flash order: address reversed and 2 random bytes (command 10)."""
    did_record: bytes | None = None
    """20 bytes: record 0001."""
    key_record: Secret | None = None
    """28 bytes: record 0010."""
    counter_record: bytes | None = None
    """4 bytes: record 0004."""
    deleted_records: tuple[Secret, ...] = ()
    """Data of the records 0000 in order, oldest first."""
    sectors: Mapping[int, Secret] = field(default_factory=dict)
    """Flash address to raw bytes."""
    replies: Mapping[str, Secret] = field(default_factory=dict)
    """Command in hex to the unit's reply: settings, comfort range, name and so on."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known about the unit: model, hardware, family, version."""

    @property
    def key_pairs(self) -> tuple[MiKeys, ...]:
        """Every pair of keys in it, oldest first, the one in use last; only that one is known to go with the DID."""
        did = did_text(self.did_record) if self.did_record else None
        old = tuple(_pair(data, None) for data in self.deleted_records if len(data) == _KEY_RECORD)
        return old if self.key_record is None else (*old, _pair(self.key_record, did))


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup as it lies in the vault."""

    id: str
    backup: UnitBackup
    created: datetime


def _pair(record: Secret, did: str | None) -> MiKeys:
    return MiKeys.from_record(record.reveal(), did or None)
