"""The settings of a unit on pvvx firmware: read, compare, change, reset, keep in the vault.

Read by GATT, which leaves the flash alone; written once and only if different, then read back (custom-firmware.md 5.6).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from mitherm.device.observation import Observation
from mitherm.errors import (
    DeviceNotFound,
    LinkError,
    NotSupported,
    NotVerified,
    ProtocolError,
)
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.model.record import UnitBackup
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.look import meet
from mitherm.ops.target import find, resolve
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepEnd, StepStart
from mitherm.protocol.pvvx import client as pvvx_client
from mitherm.protocol.pvvx.config import Config, version_text
from mitherm.protocol.pvvx.settings import DISPLAY, HARDWARE, Setting, Settings, hiding, knows, wants_comfort
from mitherm.protocol.pvvx.structs import CLOCK_MODELS
from mitherm.radio.driver import run
from mitherm.radio.link import Link

NAMES_SINCE: Final = 0x14
COMFORT_SINCE: Final = 0x13
WRITABLE_SINCE: Final = 0x09
REAPPEAR_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Change:
    """One setting: before, as wished for (None: not asked for), and as read back (None: not written)."""

    before: Setting
    wanted: Setting | None
    after: Setting | None


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What a command made of the settings."""

    outcome: Outcome
    """VERIFIED, CLAMPED, NOTHING_TO_DO or DRY_RUN."""
    changes: tuple[Change, ...]
    backup: str | None = None
    """Id of the backup with the settings before, where one was made for them."""


# --- reading ----------------------------------------------------------------------------------------------------------


async def read(bench: Bench, unit: Address | str, *, comfort: bool = False) -> Settings:
    """The settings of the unit. `comfort`: ask for the comfort window, which makes the unit store it once."""
    address = await resolve(bench, unit)
    async with pvvx_unit(bench, address) as (link, _):
        return await read_link(link, comfort)


async def compare(
    bench: Bench, unit: Address | str, request: Mapping[str, str], *, lenient: bool = False
) -> list[Change]:
    """What would change if the request were applied; `lenient` as for `change`. Raises SettingsError."""
    address = await resolve(bench, unit)
    async with pvvx_unit(bench, address) as (link, _):
        before = await read_link(link, wants_comfort(request))
    request = {name: request[name] for name in request if not lenient or knows(before.config, name)}
    return changes_of(before, before.changed(request), None)


@asynccontextmanager
async def pvvx_unit(bench: Bench, address: Address) -> AsyncIterator[tuple[Link, Observation]]:
    """A link to a unit on pvvx firmware. Raises NotSupported, with the reason, for any other."""
    async with meet(bench, address) as (link, observation):
        if observation.family is Family.PVVX:
            yield link, observation
            return
        raise _unable(observation)


def _unable(observation: Observation) -> NotSupported:
    match observation.family:
        case Family.STOCK:
            return NotSupported(
                f"{observation.label} runs: it keeps no settings beyond unit and comfort range, and forgets those",
                hint="`mitherm bring UNIT --to pvvx` puts on a firmware with settings",
            )
        case Family.ATC1441:
            return NotSupported(
                f"{observation.label} runs: it answers no command, so no setting could be read back",
                hint="`mitherm bring UNIT --to pvvx` puts on a firmware whose settings can be read",
            )
        case _:
            return NotSupported(f"{observation.label} runs: how it keeps settings is not known")


async def read_link(link: Link, comfort: bool) -> Settings:
    """What `read` does, over a link that is there."""
    config = await _config(link)
    return Settings(
        config,
        await run(pvvx_client.read_name(), link) if config.version >= NAMES_SINCE else None,
        await run(pvvx_client.read_comfort(), link) if comfort and config.version >= COMFORT_SINCE else None,
    )


async def _config(link: Link) -> Config:
    """With the layout of the model: those of the clocks name other bits."""
    config = await run(pvvx_client.read_config(), link)
    hw_ver = config.values.get("hw_ver")
    return replace(config, device_id=hw_ver) if hw_ver in CLOCK_MODELS else config


# --- writing ----------------------------------------------------------------------------------------------------------


async def change(
    bench: Bench,
    unit: Address | str,
    request: Mapping[str, str],
    *,
    operation: str = "config set",
    lenient: bool = False,
) -> SettingsChange:
    """Write what is wished for, read it back, and keep the result in the vault.

    `lenient`: leave out what this version of the firmware does not know; for backups of another version. Raises SettingsError before anything is written, GuardRefused (H14, H15, H16), NotVerified when the unit is gone after.
    """
    address = await resolve(bench, unit)
    with bench.stores.journal.operation(operation, address, bench.wall, sorted(bench.waivers)) as entry:
        async with pvvx_unit(bench, address) as (link, observation):
            before = await read_link(link, wants_comfort(request))
            request = {name: request[name] for name in request if not lenient or knows(before.config, name)}
            target = before.changed(request)
            planned = changes_of(before, target, None)
            if not planned:
                entry.outcome(Outcome.NOTHING_TO_DO)
                return SettingsChange(Outcome.NOTHING_TO_DO, ())
            hidden = _judge(bench, address, observation, before, target)
            if bench.dry_run:
                entry.outcome(Outcome.DRY_RUN)
                return SettingsChange(Outcome.DRY_RUN, tuple(planned))
            bench.stores.vault.check_writable(address)
            entry.step(StepRecord(StepKind.WRITE_SETTINGS))
            after = await _write(bench, link, before, target)
        done = _done(before, target, after, request)
        keep(bench, address, observation, after)
        if hidden:
            await _find_again(bench, address, hidden)
        entry.outcome(done.outcome)
        return done


def _judge(
    bench: Bench, address: Address, observation: Observation, before: Settings, target: Settings
) -> tuple[str, ...]:
    """Names of the settings after which the unit may be out of reach. Raises GuardRefused, NotSupported."""
    if before.config.version < WRITABLE_SINCE:
        raise NotSupported(f"the settings of pvvx {version_text(before.config.version)} can only be read")
    touched = set(before.differences(target))
    hidden = hiding(before.config, target.config)
    hardware, display = tuple(sorted(touched & HARDWARE)), tuple(sorted(touched & DISPLAY))
    case = Case("configure", address, observation, hides=hidden, hardware=hardware, display=display)
    enforce(RULES, case, bench.waivers)
    return hidden


async def _write(bench: Bench, link: Link, before: Settings, target: Settings) -> Settings:
    """Everything that differs, once each; the name last, since the unit restarts after it."""
    names = before.differences(target)
    bench.tell(StepStart(StepKind.WRITE_SETTINGS, ", ".join(names)))
    try:
        if target.comfort is not None and target.comfort != before.comfort:
            await run(pvvx_client.write_comfort(target.comfort), link)
        if target.config != before.config:
            await run(pvvx_client.write_config(target.config), link)
        if target.name is not None and target.name != before.name:
            await run(pvvx_client.set_name(target.name), link)
        after = await read_link(link, comfort=target.comfort is not None)
    except (LinkError, ProtocolError) as problem:
        problem.device = "unknown"
        raise
    bench.tell(StepEnd(StepKind.WRITE_SETTINGS, f"{len(names)} setting(s) written and read back"))
    return after


def _done(before: Settings, target: Settings, after: Settings, request: Iterable[str]) -> SettingsChange:
    changes = changes_of(before, target, after)
    missed = [change for change in changes if change.wanted is not None and change.after != change.wanted]
    unasked = [change for change in changes if change.before.name not in set(request)]
    return SettingsChange(Outcome.CLAMPED if missed or unasked else Outcome.VERIFIED, tuple(changes))


def changes_of(before: Settings, wanted: Settings, after: Settings | None) -> list[Change]:
    """Settings that were to change, or did."""
    was, asked, now = before.shown(), wanted.shown(), after.shown() if after is not None else {}
    return [
        Change(change, asked[name] if asked[name] != change else None, now.get(name))
        for name, change in was.items()
        if asked[name] != change or now.get(name, change) != change
    ]


def keep(bench: Bench, address: Address, observation: Observation, settings: Settings) -> None:
    """The vault's record of the settings follows what mitherm made of them; doctor compares with it."""
    replies = {"55": Secret(settings.config.frame)}
    if settings.name is not None:
        replies["01"] = Secret(settings.name.encode())
    if settings.comfort is not None:
        replies["20"] = Secret(settings.comfort.to_bytes())
    facts = {"family": observation.family, "version": version_text(settings.config.version)}
    bench.stores.vault.backup(UnitBackup(address, replies=replies, facts=facts), bench.wall())


async def _find_again(bench: Bench, address: Address, hidden: tuple[str, ...]) -> None:
    """Whether this computer still hears the unit; the radio's settings count once the link has ended."""
    try:
        await find(bench, address, REAPPEAR_S)
    except DeviceNotFound:
        raise NotVerified(
            f"the settings are written, but {address} was not heard again within {REAPPEAR_S:.0f} s "
            f"({', '.join(hidden)})",
            hint="taking the cell out and in ends long range; a receiver for it hears the unit meanwhile",
        ) from None
