"""The Mi records of a unit on pvvx firmware: into the vault, off the unit."""

from __future__ import annotations

from mitherm.device.observation import Observation
from mitherm.errors import NotVerified
from mitherm.model.address import Address
from mitherm.model.record import UnitBackup
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepDone
from mitherm.protocol.pvvx_client import erase_mi_records, read_flash
from mitherm.radio.driver import run
from mitherm.radio.link import Link

SECTORS = (0x78000, 0x79000)
"""Both homes of the stock record store (flash-layout.md 3.5)."""
ORIGIN = "unit"


def backup_of(address: Address, seen: Observation, sectors: dict[int, Secret] | None = None) -> UnitBackup:
    """What the observation holds, in the vault's form."""
    records = seen.records
    facts = {
        "family": seen.family,
        "version": seen.version,
        "model": seen.identity.model,
        "hardware": seen.identity.hardware,
    }
    return UnitBackup(
        address=address,
        did_record=records.did if records else None,
        key_record=records.keys if records else None,
        counter_record=records.counter if records else None,
        deleted_records=records.deleted if records else (),
        mac_record=records.mac.record if records else None,
        sectors=sectors or {},
        facts={name: value for name, value in facts.items() if value},
    )


def records_saved(bench: Bench, address: Address, seen: Observation) -> bool:
    """Whether the newest backup on disk holds exactly the records the unit shows."""
    if seen.records is None:
        return False
    wanted = backup_of(address, seen)
    return any(
        (one.backup.did_record, one.backup.key_record, one.backup.deleted_records)
        == (wanted.did_record, wanted.key_record, wanted.deleted_records)
        for one in bench.stores.vault.backups(address)
    )


async def save_records(bench: Bench, address: Address, *, raw: bool = False) -> UnitBackup:
    """Read all Mi records, put them into the vault as a backup and as key generations. `raw`: copy the sectors too."""
    bench.stores.vault.check_writable(address)
    found = await look(bench, address)
    sectors: dict[int, Secret] = {}
    if raw:
        async with Link(bench.radio, found.sighting) as link:
            for start in SECTORS:
                sectors[start] = Secret(await run(read_flash(start, 0x1000), link, on_event=bench.tell))
    backup = backup_of(address, found.seen, sectors)
    vault = bench.stores.vault
    vault.backup(backup, bench.wall())
    for keys in backup.key_pairs:
        if vault.find(address, keys) is None:
            vault.add(address, keys, ORIGIN, bench.wall())
    bench.tell(
        StepDone("save-keys", f"{len(backup.key_pairs)} key pair(s) of {address} are in the vault, read back from disk")
    )
    return backup


async def erase_records(bench: Bench, address: Address) -> None:
    """Erase the Mi record sector and see that it is empty. Guarded: nothing unsaved is erased."""
    found = await look(bench, address)
    saved = records_saved(bench, address, found.seen)
    enforce(RULES, Case("erase", address, found.seen, records_saved=saved), bench.waivers)
    async with Link(bench.radio, await find(bench, address)) as link:
        await run(erase_mi_records(), link, on_event=bench.tell)
    after = (await look(bench, address)).seen
    if after.records is None or not after.records.empty:
        raise NotVerified("the Mi records are still there after the erase command", hint="repeat the command")
    bench.tell(StepDone("erase-mi-records", "DID and keys are gone from the unit"))
