"""Backups of units in the vault: raw copies of what identifies a unit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import UnitBackup
from mitherm.primitives.secret import Secret
from mitherm.store.vault import Vault

UNIT = Address.parse("A4:C1:38:01:02:03")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
HOUR = timedelta(hours=1)


def mi_keys(number: int, did: str | None = "blt.3.1abcdefghijkl") -> MiKeys:
    return MiKeys(Secret(bytes([number] * 12)), Secret(bytes([number + 1] * 16)), did)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def unit_folder(tmp_path: Path) -> Path:
    return tmp_path / "vault" / UNIT.compact


def full_backup(number: int = 1) -> UnitBackup:
    return UnitBackup(
        UNIT,
        mac_record=UNIT.reversed + b"\x12\x34",
        did_record=b"\0blt.3.1abcdefghijkl",
        key_record=Secret(mi_keys(number).record),
        counter_record=bytes.fromhex("10000000"),
        deleted_records=(Secret(mi_keys(7).record), Secret(b"\x01\x02\x03\x04")),
        sectors={0x78000: Secret(b"\xff" * 4096), 0x55000: Secret(b"B1.4".ljust(32, b"\xff"))},
        replies={"55": Secret(b"\x55\x01\x02"), "18": Secret(b"\x18" + b"\x09" * 16)},
        facts={"family": "pvvx", "version": "5.8"},
    )


def test_backups_come_back(vault: Vault) -> None:
    """Everything of a raw backup survives the disk."""
    stored = vault.backup(full_backup(), NOW)
    assert vault.backups(UNIT) == (stored,)
    assert vault.backups(UNIT)[0].backup == full_backup()
    assert vault.backups(UNIT)[0].created == NOW
    assert vault.units() == (UNIT,)


def test_a_sparse_backup_comes_back(vault: Vault) -> None:
    """What could not be read stays unknown."""
    vault.backup(UnitBackup(UNIT), NOW)
    assert vault.backups(UNIT)[0].backup == UnitBackup(UNIT)


def test_same_backup_twice_is_one(vault: Vault) -> None:
    """An unchanged unit adds nothing; a changed one adds beside."""
    first = vault.backup(full_backup(1), NOW)
    assert vault.backup(full_backup(1), NOW + HOUR) == first
    vault.backup(full_backup(2), NOW + HOUR)
    vault.backup(full_backup(1), NOW)
    assert [one.backup for one in vault.backups(UNIT)] == [full_backup(1), full_backup(2), full_backup(1)]


def test_a_backup_names_its_key_pairs(vault: Vault) -> None:
    """Deleted pairs first, the one in use last; only that one has the DID."""
    assert full_backup().key_pairs == (mi_keys(7, None), mi_keys(1))
    assert UnitBackup(UNIT).key_pairs == ()


def test_a_damaged_backup_is_reported(vault: Vault, tmp_path: Path) -> None:
    """One flipped digit is noticed."""
    vault.backup(full_backup(), NOW)
    (path,) = (unit_folder(tmp_path) / "backups").iterdir()
    path.write_text(path.read_text().replace("10000000", "11000000"))
    good = vault.backup(full_backup(2), NOW)
    assert vault.backups(UNIT) == (good,)
    (problem,) = vault.problems()
    assert "SHA-256" in problem.message
