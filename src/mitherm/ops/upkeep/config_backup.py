"""Settings of a pvvx unit and the vault: backups, what they hold, and the way back to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mitherm.errors import AnswerNeeded, LinkError, NotFound, NotSupported, PeerMisbehaved, ProtocolError
from mitherm.model.address import Address
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.model.record import StoredBackup
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.keys.records import save_records
from mitherm.ops.target import resolve
from mitherm.ops.upkeep.config import SettingsChange, changes_of, keep, pvvx_unit, read_link
from mitherm.primitives.secret import Secret
from mitherm.protocol.pvvx import client as pvvx_client
from mitherm.protocol.pvvx.config import Config, version_text
from mitherm.protocol.pvvx.settings import Settings
from mitherm.protocol.pvvx.structs import CLOCK_MODELS, Comfort
from mitherm.radio.driver import run

RESET_SINCE: Final = 0x10


@dataclass(frozen=True, slots=True)
class ConfigBackup:
    """A backup with the settings, and whether it is new."""

    stored: StoredBackup
    changed: bool


async def reset(bench: Bench, unit: Address | str) -> SettingsChange:
    """Defaults of the firmware for the configuration (command 56), after a backup; name, PIN, key stay."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("config reset", address, bench.wall, sorted(bench.waivers)) as entry:
        async with pvvx_unit(bench, address) as (link, observation):
            before = await read_link(link, comfort=False)
        if before.config.version < RESET_SINCE:
            raise NotSupported(f"pvvx {version_text(before.config.version)} has no command for its defaults")
        enforce(RULES, Case("configure", address, observation), bench.waivers)
        if bench.dry_run:
            entry.outcome(Outcome.DRY_RUN)
            return SettingsChange(Outcome.DRY_RUN, ())
        await _save(bench, address)
        saved = bench.stores.vault.backups(address)[-1].id
        if not bench.ask(f"{address}: put all settings but the name back to the defaults of its firmware?"):
            raise AnswerNeeded("nothing was written", hint="answer yes, or give --yes")
        entry.step(StepRecord(StepKind.RESET_SETTINGS))
        after = await _reset(bench, address)
        changes = tuple(changes_of(before, before, after))
        if changes:
            keep(bench, address, observation, after)
        done = SettingsChange(Outcome.VERIFIED if changes else Outcome.NOTHING_TO_DO, changes, saved)
        entry.outcome(done.outcome)
        return done


async def _reset(bench: Bench, address: Address) -> Settings:
    async with pvvx_unit(bench, address) as (link, _):
        try:
            await run(pvvx_client.reset_config(), link)
            return await read_link(link, comfort=False)
        except (LinkError, ProtocolError) as problem:
            problem.device = "unknown"
            raise


async def backup(bench: Bench, unit: Address | str) -> ConfigBackup:
    """Settings, comfort window and Mi records into the vault; whether that is news."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("config backup", address, bench.wall) as entry:
        async with pvvx_unit(bench, address):
            pass
        before = len(bench.stores.vault.backups(address))
        await _save(bench, address)
        stored = bench.stores.vault.backups(address)
        entry.outcome(Outcome.SAVED if len(stored) > before else Outcome.NOTHING_TO_DO)
        return ConfigBackup(stored[-1], changed=len(stored) > before)


async def _save(bench: Bench, address: Address) -> None:
    """Raises PeerMisbehaved where the settings did not come along."""
    backup = await save_records(bench, address, comfort=True)
    if "55" not in backup.replies:
        raise PeerMisbehaved("the unit did not show its settings", hint="try again nearer to it")


async def saved(bench: Bench, unit: Address | str, backup_id: str | None = None) -> dict[str, str]:
    """The request for the settings as the vault knew them at a backup, the newest one by default. Raises NotFound."""
    address = await resolve(bench, unit)
    replies: dict[str, Secret] = {}
    for stored in bench.stores.vault.backups(address):
        replies |= stored.backup.replies
        if backup_id is not None and stored.id.startswith(backup_id):
            break
    else:
        replies = {} if backup_id is not None else replies
    if "55" in replies:
        return _settings_of(replies).wishes()
    raise NotFound(
        f"the vault has no settings of {address}{' under ' + backup_id if backup_id else ''}",
        hint="`mitherm keys show UNIT` lists its backups; `mitherm config backup UNIT` makes one",
    )


def _settings_of(replies: Mapping[str, Secret]) -> Settings:
    config = Config.from_bytes(replies["55"].reveal())
    hw_ver = config.values.get("hw_ver")
    return Settings(
        replace(config, device_id=hw_ver) if hw_ver in CLOCK_MODELS else config,
        replies["01"].reveal().decode(errors="replace") if "01" in replies else None,
        Comfort.from_bytes(replies["20"].reveal()) if "20" in replies else None,
    )
