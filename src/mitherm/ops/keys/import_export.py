"""The vault without a unit: what it knows, keys from and for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mitherm.errors import KeyProblem, KeysMissing, SomeFailed, UsageProblem
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.model.operation import Outcome
from mitherm.model.record import KeyGeneration
from mitherm.ops.bench import Stores
from mitherm.store.key_entries import ImportedKeys, ImportProblem
from mitherm.store.key_export import KeyExport, export_keys
from mitherm.store.key_formats import read_keys
from mitherm.store.vault import Vault

TYPED = "typed"
_IMPORT_HINT = "`mitherm keys fetch`, `mitherm keys import FILE`, `mitherm activate UNIT`, or on pvvx firmware `mitherm keys backup UNIT`"


def everything(vault: Vault, address: Address) -> tuple[KeyGeneration, ...]:
    """All keys of a unit, the likeliest first, beacon keys last. Raises KeysMissing when the vault knows nothing of it."""
    access = vault.access(address)
    generations = (*access.generations, *access.beacon_keys)
    if not generations and not vault.backups(address):
        raise KeysMissing(f"the vault has nothing of {address}", hint=_IMPORT_HINT)
    return generations


def in_use(stores: Stores, address: Address) -> KeyGeneration | None:
    """The keys that readers of beacons need: those of Mi, or pvvx' own where that firmware was seen last."""
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
    fitting = [one for one in access.pairs if one.id.startswith(text) or one.keys.fingerprint == text.lower()]
    if not fitting:
        raise KeysMissing(
            f"the vault has no pair {text!r} of {address}", hint=f"`mitherm keys show {address}` lists the ids"
        )
    if len({one.keys.fingerprint for one in fitting}) > 1:
        raise UsageProblem(f"{text!r} is the beginning of {len(fitting)} ids", hint="give more of it")
    return fitting[0]


# --- import -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Imported:
    """What became of key files. `problems`: the entries that were left out."""

    generations: list[KeyGeneration] = field(default_factory=list)
    new: list[KeyGeneration] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)


def import_files(stores: Stores, files: Mapping[str, bytes], address: Address | None, now: datetime) -> Imported:
    """Keys from files of any known format (name -> content) into the vault. All files are understood before the first
    key is stored. Raises BadFile; entries that were left out are for `check_complete`.
    """
    done = Imported()
    found: list[ImportedKeys] = []
    for name, data in files.items():
        part = read_keys(data, address)
        done.formats.append(part.format)
        done.problems += (replace(problem, text=f"{name}: {problem.text}") for problem in part.problems)
        found += part.keys
    for one in found:
        _store(stores, done, one.address, one.keys, one.source, now)
    return done


def import_typed(stores: Stores, address: Address, keys: MiKeys, now: datetime) -> Imported:
    """Keys that a person typed."""
    done = Imported(formats=[TYPED])
    _store(stores, done, address, keys, TYPED, now)
    return done


def _store(stores: Stores, done: Imported, address: Address, keys: MiKeys, origin: str, now: datetime) -> None:
    vault = stores.vault
    known = vault.find(address, keys)
    if known is not None and known.superseded is None:
        done.generations.append(known)
        return
    with stores.journal.operation("keys import", address, lambda: now) as entry:
        generation = vault.add(address, keys, origin, now)
        entry.outcome(Outcome.IMPORTED)
    done.generations.append(generation)
    done.new.append(generation)


def check_complete(done: Imported, result: dict[str, object]) -> None:
    """Raises KeyProblem when keys had to be left out; SomeFailed when that does not concern the units that were imported."""
    if not done.problems:
        return
    imported = {generation.address for generation in done.generations}
    summary = "; ".join(problem.text for problem in done.problems)
    hint = "a token has 24 hex digits, a bind key 32; correct the entries and import again, the others are in the vault"
    if imported and not any(problem.address in imported for problem in done.problems):
        raise SomeFailed(f"keys were left out: {summary}", hint=hint, result=result)
    raise KeyProblem(f"keys were left out: {summary}", hint=hint, result=result)


# --- export -----------------------------------------------------------------------------------------------------------


def export(stores: Stores, target: str, address: Address | None) -> tuple[KeyExport, list[KeyGeneration]]:
    """The keys in use of one unit or all, as `target` wants them. Raises KeysMissing when there are none."""
    units: Sequence[Address] = stores.vault.units() if address is None else (address,)
    generations = [one for unit in units if (one := in_use(stores, unit)) is not None]
    usable = [one for one in generations if target == "json" or one.keys.bind_key is not None]
    if not usable:
        whose = f" of {address}" if address is not None else ""
        raise KeysMissing(f"the vault has no keys{whose} to export", hint=_IMPORT_HINT)
    names = {unit.address: unit.name for unit in stores.inventory.units() if unit.name is not None}
    return export_keys(target, generations, names), usable
