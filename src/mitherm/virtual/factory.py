"""The flash of a factory-new virtual unit (virtual-unit.md 2). The first boot, by its own rules, is the unit's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.image.synth import package
from mitherm.model.keys import INVENTED_DID, MiKeys, did_record
from mitherm.protocol.effects import Entropy
from mitherm.virtual.board.mi_records import MiRecordStore
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.spec import HARDWARE, UnitSpec

MAC: Final = 0x76000
TRIM: Final = 0x77000
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_MIXED: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class NewUnit:
    """Flash content, and the keys where the unit is bound."""

    flash: NorFlash
    keys: MiKeys | None


def make_unit(spec: UnitSpec, entropy: Entropy) -> NewUnit:
    """Build the flash of `spec`, whose address must be set."""
    if spec.address is None:
        raise ValueError("the address must be chosen first")
    flash = NorFlash()
    _put(flash, 0, package(spec.firmware, spec.model))
    if spec.hardware:
        _put(flash, spec.board.identity_at, _identity(spec).encode("ascii"))
    _put(flash, MAC, spec.address.reversed + bytes.fromhex("55aa"))
    _put(flash, TRIM, b"\x80")
    keys = new_keys(spec.bound, entropy)
    if keys is not None:
        records = MiRecordStore(flash)
        records.write(0x0001, did_record(keys.did or ""))
        records.write(0x0010, keys.record)
        records.write(0x0004, bytes.fromhex("10000000"))
    return NewUnit(flash, keys)


def _identity(spec: UnitSpec) -> str:
    """Hardware and serial string, 24 characters."""
    typical = spec.board.identity if spec.hardware == spec.board.identity[:4] else ""
    return HARDWARE.get(spec.hardware) or typical or spec.hardware.ljust(24, "-")[:24]


def new_keys(bound: str, entropy: Entropy) -> MiKeys | None:
    """Random keys with a DID of the cloud (`mi-home`) or of a flasher."""
    if bound == "no":
        return None
    did = new_did(entropy) if bound == "mi-home" else INVENTED_DID + _pick(_MIXED, 6, entropy) + "ATC"
    return MiKeys.from_record(entropy(28), did)


def new_did(entropy: Entropy) -> str:
    """A DID as the cloud issues it."""
    return "blt.3.1" + _pick(_LETTERS, 12, entropy)


def _pick(alphabet: str, length: int, entropy: Entropy) -> str:
    return "".join(alphabet[value % len(alphabet)] for value in entropy(length))


def _put(flash: NorFlash, address: int, data: bytes) -> None:
    flash.data[address : address + len(data)] = data
