"""The vault without a unit: what it knows, keys from and for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mitherm.errors import KeyProblem, KeysMissing, SomeFailed, UsageProblem
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.model.operation import Outcome
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Stores
from mitherm.ops.next_step import KEYS_HINT
from mitherm.ops.target import noted
from mitherm.store.key_entries import ImportedKeys, ImportProblem
from mitherm.store.key_export import TARGETS
from mitherm.store.key_export import export_keys as write_keys
from mitherm.store.key_formats import read_keys
from mitherm.store.vault import Vault

TYPED = "typed"
_IMPORT_HINT: Final = (
    f"{KEYS_HINT}; an unbound stock 1.x unit gets keys by `mitherm activate UNIT`, pvvx firmware shows them to "
    "`mitherm keys backup UNIT`"
)


def everything(vault: Vault, address: Address) -> tuple[KeyGeneration, ...]:
    """All keys of a unit, the likeliest first, beacon keys last. Raises KeysMissing when the vault knows nothing of it."""
    access = vault.access(address)
    generations = (*access.generations, *access.beacon_keys)
    if not generations and not vault.backups(address):
        raise KeysMissing(f"the vault has nothing of {address}", hint=_IMPORT_HINT)
    return generations


def list_keys(stores: Stores) -> list[KeyGeneration]:
    """The keys in use of every unit in the vault."""
    return [generation for unit in stores.vault.units() if (generation := in_use(stores, unit)) is not None]


def show_keys(stores: Stores, unit: Address | str) -> tuple[KeyGeneration, ...]:
    """Every key that a unit ever had, the likeliest first. Raises KeysMissing when the vault knows nothing of it."""
    return everything(stores.vault, noted(stores.inventory, unit))


def in_use(stores: Stores, address: Address) -> KeyGeneration | None:
    """The keys that were proven or learned last: those of Mi, or pvvx' own where that firmware was seen last."""
    unit = stores.inventory.get(address)
    access = stores.vault.access(address)
    if unit is not None and unit.family is Family.PVVX and access.current_beacon_key is not None:
        return access.current_beacon_key
    return access.current or access.current_beacon_key


def choose(vault: Vault, address: Address, text: str | None) -> KeyGeneration:
    """One complete pair of Mi keys: by id, beginning of the id, or fingerprint; without text the likeliest one.

    Raises KeysMissing, UsageProblem when several fit.
    """
    access = vault.access(address)
    if text is None:
        if access.current_pair is None:
            raise KeysMissing(f"the vault has no token and bind key of {address}", hint=_IMPORT_HINT)
        return access.current_pair
    fitting = [
        generation
        for generation in access.pairs
        if generation.id.startswith(text) or generation.keys.fingerprint == text.lower()
    ]
    if not fitting:
        raise KeysMissing(
            f"the vault has no pair {text!r} of {address}", hint=f"`mitherm keys show {address}` lists the ids"
        )
    if len({generation.keys.fingerprint for generation in fitting}) > 1:
        raise UsageProblem(f"{text!r} is the beginning of {len(fitting)} ids", hint="give more of it")
    return fitting[0]


# --- import -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyImport:
    """What became of key files."""

    generations: tuple[KeyGeneration, ...] = ()
    new: tuple[KeyGeneration, ...] = ()
    """Those of them that the vault did not have."""
    formats: tuple[str, ...] = ()
    """One per file."""
    problems: tuple[ImportProblem, ...] = ()
    """The entries that were left out."""


def import_keys(
    stores: Stores, files: Mapping[str, bytes], unit: Address | str | None = None, *, now: datetime
) -> KeyImport:
    """Keys from files of any known format (name -> content) into the vault; `unit`: whose they are, where a file does not
    say. All files are understood before the first key is stored.

    Raises BadFile, and where single entries had to be left out, with the KeyImport as `result`: KeyProblem, or SomeFailed
    when that does not concern the units that were imported.
    """
    address = noted(stores.inventory, unit) if unit is not None else None
    parts = {name: read_keys(data, address) for name, data in files.items()}
    problems = (
        replace(problem, text=f"{name}: {problem.text}") for name, part in parts.items() for problem in part.problems
    )
    keys = [entry for part in parts.values() for entry in part.keys]
    result = _stored(stores, keys, [part.format for part in parts.values()], now, problems)
    check_complete(result)
    return result


def add_keys(stores: Stores, unit: Address | str, keys: MiKeys, *, now: datetime) -> KeyImport:
    """Keys that a person typed."""
    return _stored(stores, [ImportedKeys(noted(stores.inventory, unit), keys, TYPED)], [TYPED], now)


def _stored(
    stores: Stores,
    keys: Iterable[ImportedKeys],
    formats: Iterable[str],
    now: datetime,
    problems: Iterable[ImportProblem] = (),
) -> KeyImport:
    results = [_store(stores, entry, now) for entry in keys]
    new = tuple(generation for generation, is_new in results if is_new)
    return KeyImport(tuple(generation for generation, _ in results), new, tuple(formats), tuple(problems))


def _store(stores: Stores, entry: ImportedKeys, now: datetime) -> tuple[KeyGeneration, bool]:
    """The generation that holds the keys, and whether it is new."""
    stored = stores.vault.find(entry.address, entry.keys, entry.kind)
    if stored is not None and stored.may_be_held:
        return stored, False
    with stores.journal.operation("keys import", entry.address, lambda: now) as journal:
        generation = stores.vault.add(entry.address, entry.keys, entry.source, now, kind=entry.kind)
        journal.outcome(Outcome.IMPORTED)
    return generation, True


def check_complete(done: KeyImport) -> None:
    """Raises KeyProblem when keys had to be left out; SomeFailed when that does not concern the units that were imported."""
    if not done.problems:
        return
    imported = {generation.address for generation in done.generations}
    summary = "; ".join(problem.text for problem in done.problems)
    hint = "a token has 24 hex digits, a bind key 32; correct the entries and import again, the others are in the vault"
    if imported and not any(problem.address in imported for problem in done.problems):
        raise SomeFailed(f"keys were left out: {summary}", hint=hint, result=done)
    raise KeyProblem(f"keys were left out: {summary}", hint=hint, result=done)


# --- export -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class ExportedKeys:
    """A text full of secrets."""

    text: str
    generations: tuple[KeyGeneration, ...]
    """What it holds."""
    left_out: tuple[Address, ...]
    """Units that have no bind key for it."""


def export_keys(stores: Stores, target: str, unit: Address | str | None = None) -> ExportedKeys:
    """The keys in use of one unit or all, as `target` wants them: a name of store.key_export.TARGETS.

    Raises KeysMissing when there are none, UsageProblem for another target.
    """
    if target not in TARGETS:
        raise UsageProblem(f"nobody is called {target!r}", hint=f"keys are written for {', '.join(TARGETS)}")
    units: Sequence[Address] = stores.vault.units() if unit is None else (noted(stores.inventory, unit),)
    choose_keys = in_use if target == "json" else _for_beacons
    generations = [keys for address in units if (keys := choose_keys(stores, address)) is not None]
    usable = tuple(keys for keys in generations if target == "json" or keys.keys.bind_key is not None)
    if not usable:
        whose = f" of {units[0]}" if unit is not None else ""
        raise KeysMissing(f"the vault has no keys{whose} to export", hint=_IMPORT_HINT)
    names = {stored.address: stored.name for stored in stores.inventory.units() if stored.name is not None}
    written = write_keys(target, generations, names)
    return ExportedKeys(written.text, usable, written.left_out)


def _for_beacons(stores: Stores, address: Address) -> KeyGeneration | None:
    """The keys in use; where a bind key is not among them, as after a login with a typed token, those that have one."""
    keys = in_use(stores, address)
    return (
        keys
        if keys is None or keys.keys.bind_key is not None
        else stores.vault.access(address).current_bind_key or keys
    )
