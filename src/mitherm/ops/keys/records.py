"""The Mi records of a unit on pvvx firmware: into the vault, off the unit."""

from __future__ import annotations

from contextlib import suppress

from mitherm.device.observation import Observation
from mitherm.errors import AttRefused, LinkTimeout, NotSupported, NotVerified, ProtocolError
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.operation import StepKind
from mitherm.model.record import UnitBackup
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepEnd
from mitherm.protocol.pvvx.client import (
    erase_mi_records,
    read_beacon_key,
    read_comfort,
    read_config,
    read_flash,
    read_name,
)
from mitherm.radio.driver import run
from mitherm.radio.link import Link

SECTORS = (0x78000, 0x79000)
"""Both homes of the stock record store (flash-layout.md 3.5)."""
SECTOR = 0x1000
ORIGIN = "unit"
BEACON_KEY = "18"
"""Command that reads pvvx' own bind key, as replies are named."""


def backup_of(
    address: Address,
    observation: Observation,
    sectors: dict[int, Secret] | None = None,
    replies: dict[str, Secret] | None = None,
) -> UnitBackup:
    """What the observation holds, in the vault's form."""
    records = observation.records
    facts = {
        "family": observation.family,
        "version": observation.version,
        "model": observation.identity.model,
        "hardware": observation.identity.hardware,
    }
    return UnitBackup(
        address=address,
        did_record=records.did if records else None,
        key_record=records.keys if records else None,
        counter_record=records.counter if records else None,
        deleted_records=records.deleted if records else (),
        mac_record=records.mac.record if records else None,
        sectors=sectors or {},
        replies=replies or {},
        facts={name: value for name, value in facts.items() if value},
    )


def records_saved(bench: Bench, address: Address, observation: Observation) -> bool:
    """Whether the newest backup on disk holds exactly the records the unit shows."""
    if observation.records is None:
        return False
    backup = backup_of(address, observation)
    return any(
        (stored.backup.did_record, stored.backup.key_record, stored.backup.deleted_records)
        == (backup.did_record, backup.key_record, backup.deleted_records)
        for stored in bench.stores.vault.backups(address)
    )


async def save_records(
    bench: Bench, address: Address, *, raw: bool = False, comfort: bool = False, observation: Observation | None = None
) -> UnitBackup:
    """Read all Mi records, put them into the vault as a backup and as key generations.

    `raw`: copy the sectors too. `comfort`: ask for the comfort window too, which makes the unit store it if it did not yet.
    `observation`: the unit as it was just looked at, if it was.
    """
    bench.stores.vault.check_writable(address)
    if observation is None:
        observation = (await look(bench, address)).observation
    async with Link(bench.radio, await find(bench, address)) as link:
        replies = await _settings(link, comfort)
        sectors = await _sectors(bench, link) if raw else {}
    backup = backup_of(address, observation, sectors, replies)
    vault = bench.stores.vault
    vault.backup(backup, bench.wall())
    if BEACON_KEY in replies:
        vault.add(address, MiKeys(bind_key=replies[BEACON_KEY]), "pvvx", bench.wall(), kind="beacon_key")
    for keys in backup.key_pairs:
        if vault.find(address, keys) is None:
            vault.add(address, keys, ORIGIN, bench.wall())
    bench.tell(
        StepEnd(
            StepKind.SAVE_KEYS,
            f"{len(backup.key_pairs)} key pair(s) of {address} are in the vault, read back from disk",
        )
    )
    return backup


async def _settings(link: Link, comfort: bool) -> dict[str, Secret]:
    """What a change of firmware would wipe: configuration, name, beacon key (flash-layout.md 4.3, 8)."""
    replies: dict[str, Secret] = {}
    with suppress(LinkTimeout, AttRefused, ProtocolError, NotSupported):
        replies["55"] = Secret((await run(read_config(), link)).frame)
        replies["01"] = Secret((await run(read_name(), link)).encode())
        key = await run(read_beacon_key(), link)
        if key is not None:
            replies[BEACON_KEY] = key
    with suppress(LinkTimeout, AttRefused, ProtocolError, NotSupported):
        if comfort:
            replies["20"] = Secret((await run(read_comfort(), link)).to_bytes())
    return replies


async def _sectors(bench: Bench, link: Link) -> dict[int, Secret]:
    return {start: Secret(await run(read_flash(start, SECTOR), link, on_event=bench.tell)) for start in SECTORS}


async def erase_records(bench: Bench, address: Address, observation: Observation | None = None) -> Observation:
    """Erase the Mi record sector and see that it is empty; returns the unit as it is then. Nothing unsaved is erased.

    `observation`: the unit as it was just looked at, if it was.
    """
    if observation is None:
        observation = (await look(bench, address)).observation
    saved = records_saved(bench, address, observation)
    enforce(RULES, Case("erase", address, observation, records_saved=saved), bench.waivers)
    async with Link(bench.radio, await find(bench, address)) as link:
        await run(erase_mi_records(), link, on_event=bench.tell)
    after = (await look(bench, address)).observation
    if after.records is None or not after.records.empty:
        raise NotVerified("the Mi records are still there after the erase command", hint="repeat the command")
    if observation.records is not None and observation.records.current is not None:
        erased = bench.stores.vault.find(address, observation.records.current)
        if erased is not None:
            bench.stores.vault.supersede(erased, bench.wall())
    bench.tell(StepEnd(StepKind.ERASE_MI_RECORDS, "DID and keys are gone from the unit"))
    return after
