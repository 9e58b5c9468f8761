"""The Mi keys that a unit on pvvx firmware holds: copy them, put saved ones back, swap, erase. Never command 16, which
destroys the previous pair (custom-firmware.md 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.device.observation import Observation
from mitherm.errors import AnswerNeeded, KeysMissing, NotSupported, PeerMisbehaved, StoreError
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys, did_record
from mitherm.model.operation import Outcome, StepKind, StepRecord
from mitherm.model.record import KeyGeneration, StoredBackup
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.keys.import_export import choose
from mitherm.ops.keys.records import ORIGIN, erase_records, records_saved, save_records
from mitherm.ops.look import look
from mitherm.ops.target import find, resolve
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import StepEnd, StepStart
from mitherm.protocol.pvvx.client import set_keys
from mitherm.protocol.pvvx.keys import MiRecords
from mitherm.radio.driver import run
from mitherm.radio.link import Link

_WIRE: Final = "only the wire (a USB-serial adapter on the debug pin) can write records into an empty store"


@dataclass(frozen=True, slots=True)
class KeyBackup:
    """A backup in the vault and the pairs in it, the one in use last."""

    stored: StoredBackup
    generations: tuple[KeyGeneration, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class KeyReplacement:
    """Which pair the unit holds now, which one before, and whether that is a change."""

    now: KeyGeneration
    before: KeyGeneration
    outcome: Outcome

    @property
    def changed(self) -> bool:
        """Whether the unit was written to."""
        return self.outcome.changed


@dataclass(frozen=True, slots=True)
class KeyErasure:
    """What became of the unit's DID and keys."""

    address: Address
    outcome: Outcome

    @property
    def changed(self) -> bool:
        """Whether they are gone now, and were not before."""
        return self.outcome.changed


async def backup(bench: Bench, unit: Address | str, *, raw: bool = False) -> KeyBackup:
    """Copy all Mi records of the unit into the vault. `raw`: the flash sectors too. Raises NotSupported off pvvx."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("keys backup", address, bench.wall) as entry:
        await _readable(bench, address)
        saved = await _save(bench, address, raw=raw)
        entry.outcome(Outcome.SAVED if saved.changed else Outcome.NOTHING_TO_DO)
        return saved


async def restore(bench: Bench, unit: Address | str, generation: str | None) -> KeyReplacement:
    """Write a pair of the vault (and its DID) over the one in the unit, and read it back.

    Raises NotSupported where the unit holds no records to replace, KeysMissing, GuardRefused, PeerMisbehaved.
    """
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("keys restore", address, bench.wall, sorted(bench.waivers)) as entry:
        pair = choose(bench.stores.vault, address, generation)
        observation, records = await _readable(bench, address)
        replaced = await _replace(bench, address, observation, records, pair)
        entry.outcome(replaced.outcome)
        return replaced


async def swap(bench: Bench, unit: Address | str) -> KeyReplacement:
    """Bring back the previous pair: the newest superseded one in the unit, else the newest other one in the vault."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("keys swap", address, bench.wall, sorted(bench.waivers)) as entry:
        observation, records = await _readable(bench, address)
        replaced = await _replace(bench, address, observation, records, _previous(bench, address, records))
        entry.outcome(replaced.outcome)
        return replaced


async def erase(bench: Bench, unit: Address | str) -> KeyErasure:
    """Save the Mi records, then erase them. Raises GuardRefused (H10) unless they are saved."""
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("keys erase", address, bench.wall, sorted(bench.waivers)) as entry:
        _, records = await _readable(bench, address)
        if records.empty:
            outcome = Outcome.NOTHING_TO_DO
        elif bench.dry_run:
            outcome = Outcome.DRY_RUN
        else:
            await _save_or_waive(bench, address)
            _agree(bench, f"{address}: erase DID and keys? Mi Home then takes it for a new unit")
            entry.step(StepRecord(StepKind.ERASE_MI_RECORDS))
            await erase_records(bench, address)
            _all_superseded(bench, address)
            outcome = Outcome.VERIFIED
        entry.outcome(outcome)
        return KeyErasure(address, outcome)


# --- steps ------------------------------------------------------------------------------------------------------------


async def _readable(bench: Bench, address: Address) -> tuple[Observation, MiRecords]:
    """The unit and its records. Raises NotSupported on firmware that shows none."""
    observation = (await look(bench, address, ask_bound=False)).observation
    if observation.family is Family.STOCK:
        raise NotSupported(
            f"{observation.label} runs: stock firmware gives its keys to nobody",
            hint="import them from your account, or `mitherm bring UNIT --to pvvx`, which saves them on the way",
        )
    if observation.family is Family.ATC1441:
        raise NotSupported(
            f"{observation.label} runs: it erased the Mi records when it first started",
            hint="there is nothing to read; Mi Home takes the unit for a new one once it runs stock again",
        )
    if observation.family is not Family.PVVX:
        raise NotSupported(f"{observation.label} runs: how it keeps Mi records is not known")
    if observation.records is None:
        raise PeerMisbehaved(
            "the unit did not show its Mi records", hint="try again nearer to it; pvvx before 2.1 cannot show them"
        )
    return observation, observation.records


async def _save(bench: Bench, address: Address, *, raw: bool = False) -> KeyBackup:
    vault = bench.stores.vault
    before = len(vault.backups(address))
    backup = await save_records(bench, address, raw=raw)
    stored = vault.backups(address)
    generations = (vault.find(address, keys) for keys in backup.key_pairs)
    return KeyBackup(
        stored[-1],
        tuple(generation for generation in generations if generation is not None),
        changed=len(stored) > before,
    )


async def _save_or_waive(bench: Bench, address: Address) -> None:
    try:
        await _save(bench, address)
    except StoreError as problem:
        if "H10" not in bench.waivers:
            raise
        bench.warn(f"the records are not saved: {problem.message}", problem.hint)


async def _replace(
    bench: Bench, address: Address, observation: Observation, records: MiRecords, generation: KeyGeneration
) -> KeyReplacement:
    """Make `wanted` the pair in use: saved, guarded, asked, written, read back."""
    current = _check_not_empty(address, records)
    vault = bench.stores.vault
    did = _did_to_write(bench, records, generation.keys)
    if current.record == generation.keys.record and did is None:
        return KeyReplacement(vault.confirm(generation, bench.wall()), generation, Outcome.NOTHING_TO_DO)
    if bench.dry_run:
        return KeyReplacement(generation, generation, Outcome.DRY_RUN)
    await _save(bench, address)
    before = vault.find(address, current)
    if before is None:
        raise KeysMissing("the pair in the unit is not in the vault", hint="`mitherm keys backup UNIT`")
    enforce(
        RULES,
        Case("erase", address, observation, records_saved=records_saved(bench, address, observation)),
        bench.waivers,
    )
    _agree(bench, f"{address}: replace the keys {current.fingerprint} by {generation.keys.fingerprint}?")
    return await _write(bench, address, did, generation, before)


async def _write(
    bench: Bench, address: Address, did: bytes | None, generation: KeyGeneration, before: KeyGeneration
) -> KeyReplacement:
    bench.tell(StepStart(StepKind.WRITE_KEYS, f"{generation.keys.fingerprint} into {address}"))
    async with Link(bench.radio, await find(bench, address)) as link:
        try:
            await run(set_keys(did, Secret(generation.keys.record)), link, on_event=bench.tell)
        except PeerMisbehaved as problem:
            problem.device = "unknown"
            raise
    vault = bench.stores.vault
    if before.keys.record != generation.keys.record:
        vault.supersede(before, bench.wall())
    confirmed = vault.confirm(generation, bench.wall())
    bench.tell(StepEnd(StepKind.WRITE_KEYS, f"{address} holds {generation.keys.fingerprint}, read back from the unit"))
    return KeyReplacement(confirmed, before, Outcome.VERIFIED)


def _check_not_empty(address: Address, records: MiRecords) -> MiKeys:
    """The pair in use. Raises NotSupported where there is none: the firmware replaces records, it makes none."""
    if records.current is None:
        raise NotSupported(f"{address} holds no keys that could be replaced", hint=_WIRE)
    return records.current


def _did_to_write(bench: Bench, records: MiRecords, keys: MiKeys) -> bytes | None:
    """The DID record that goes with the keys; None where it is there, not known, or cannot be written."""
    if keys.did is None or keys.did == records.did_text:
        return None
    if records.did is None:
        bench.warn("the unit holds no DID record, so the DID cannot be put back", _WIRE)
        return None
    return did_record(keys.did)


def _previous(bench: Bench, address: Address, records: MiRecords) -> KeyGeneration:
    """The pair before the one in use.

    Where the newest superseded record of the unit is the pair in use, a swap was done: then it is the pair that gave way.
    """
    vault, current = bench.stores.vault, _check_not_empty(address, records)
    newest = next(iter(records.previous), None)
    if newest is not None and newest.record != current.record:
        return vault.find(address, newest) or vault.add(address, newest, ORIGIN, bench.wall())
    others = [generation for generation in vault.access(address).pairs if generation.keys.record != current.record]
    if not others:
        raise KeysMissing(
            f"neither {address} nor the vault has a previous pair",
            hint="one boot of stock 1.0.0_0130 removes it from the unit; `mitherm keys import` if you have it elsewhere",
        )
    return max(
        others, key=lambda generation: (generation.superseded is not None, generation.superseded or generation.created)
    )


def _all_superseded(bench: Bench, address: Address) -> None:
    """After an erase no pair is in use any more."""
    for generation in bench.stores.vault.access(address).generations:
        if generation.may_be_held:
            bench.stores.vault.supersede(generation, bench.wall())


def _agree(bench: Bench, question: str) -> None:
    if not bench.ask(question):
        raise AnswerNeeded("nothing was written", hint="answer yes, or give --yes")
