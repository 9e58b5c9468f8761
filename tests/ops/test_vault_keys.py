"""Operations on the vault: choosing, importing, exporting, testing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.errors import BadFile, KeyProblem, KeysMissing, SomeFailed, UsageProblem
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.ops.bench import Stores
from mitherm.ops.keys.import_export import (
    KeyImport,
    check_complete,
    choose,
    everything,
    export_keys,
    import_keys,
    in_use,
)
from mitherm.ops.keys.proof import check_keys
from mitherm.primitives.secret import Secret
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.key_entries import ImportProblem
from mitherm.store.library import Library
from mitherm.store.vault import Vault
from monitor.fleet import WRONG_KEY, mixed_fleet

UNIT, OTHER = Address.parse("A4:C1:38:00:00:01"), Address.parse("A4:C1:38:00:00:02")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pair(number: int) -> MiKeys:
    return MiKeys(Secret(bytes([number] * 12)), Secret(bytes([number + 1] * 16)))


def document(address: Address, keys: MiKeys) -> bytes:
    row = {
        "address": str(address),
        "token": keys.token.reveal().hex() if keys.token else None,
        "bind_key": keys.bind_key.reveal().hex() if keys.bind_key else None,
    }
    return json.dumps({"schema": 1, "keys": [row]}).encode()


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(
        Vault(tmp_path / "vault"),
        Journal(tmp_path / "journal.jsonl"),
        Inventory(tmp_path / "inventory.json"),
        Library(tmp_path / "images"),
    )


def test_beacon_keys_stand_behind_mi_keys(stores: Stores) -> None:
    """Everything known, the kind that logs in first."""
    stores.vault.add(UNIT, MiKeys(bind_key=Secret(bytes(16))), "pvvx", NOW, kind="beacon_key")
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    assert [one.kind for one in everything(stores.vault, UNIT)] == ["mi", "beacon_key"]


def test_the_key_in_use_depends_on_the_firmware(stores: Stores) -> None:
    """pvvx encrypts with a key of its own; every other firmware with the one of Mi."""
    stores.vault.add(UNIT, MiKeys(bind_key=Secret(bytes(16))), "pvvx", NOW, kind="beacon_key")
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.inventory.note(UNIT, now=NOW, family=Family.STOCK)
    assert (found := in_use(stores, UNIT)) is not None and found.kind == "mi"
    stores.inventory.note(UNIT, now=NOW, family=Family.PVVX)
    assert (found := in_use(stores, UNIT)) is not None and found.kind == "beacon_key"


def test_choice_by_fingerprint_and_id(stores: Stores) -> None:
    """Without a word the one confirmed last; else what was named, superseded ones included."""
    old = stores.vault.add(UNIT, pair(1), "activation", NOW)
    new = stores.vault.add(UNIT, pair(3), "activation", NOW + HOUR)
    assert choose(stores.vault, UNIT, None).id == new.id
    stores.vault.confirm(old, NOW + 2 * HOUR)
    assert choose(stores.vault, UNIT, None).id == old.id
    stores.vault.supersede(old, NOW + 3 * HOUR)
    assert choose(stores.vault, UNIT, pair(1).fingerprint).id == old.id
    assert choose(stores.vault, UNIT, new.id).id == new.id


def test_ambiguous_choice_is_refused(stores: Stores) -> None:
    """The beginning of two ids of different pairs names neither."""
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.vault.add(UNIT, pair(3), "activation", NOW + HOUR)
    with pytest.raises(UsageProblem):
        choose(stores.vault, UNIT, "2026")


def test_half_a_pair_cannot_be_written_to_a_unit(stores: Stores) -> None:
    """A bind key alone is no pair to restore."""
    stores.vault.add(UNIT, MiKeys(bind_key=Secret(bytes(16))), "import", NOW)
    with pytest.raises(KeysMissing):
        choose(stores.vault, UNIT, None)


def test_superseded_keys_become_current_again_by_import(stores: Stores) -> None:
    """Who imports keys says that they are in use: a superseded generation does not swallow them."""
    old = stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.vault.supersede(old, NOW + HOUR)
    done = import_keys(stores, {"k": document(UNIT, pair(1))}, now=NOW + 2 * HOUR)
    assert len(done.new) == 1
    assert (found := stores.vault.current(UNIT)) is not None and found.keys == pair(1)


def test_older_generation_is_not_duplicated(stores: Stores) -> None:
    """Importing keys that the vault holds further down adds nothing."""
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.vault.add(UNIT, pair(3), "activation", NOW + HOUR)
    assert import_keys(stores, {"k": document(UNIT, pair(1))}, now=NOW + 2 * HOUR).new == ()
    assert len(stores.vault.generations(UNIT)) == 2


def test_a_bad_file_stores_nothing(stores: Stores) -> None:
    """Understanding comes before storing."""
    with pytest.raises(BadFile):
        import_keys(stores, {"good": document(UNIT, pair(1)), "bad": b"Dear vault,"}, now=NOW)
    assert stores.vault.units() == ()


def test_each_imported_unit_is_in_the_journal(stores: Stores) -> None:
    """One entry per unit whose keys are new."""
    files = {"a": document(UNIT, pair(1)), "b": document(OTHER, pair(3))}
    import_keys(stores, files, now=NOW)
    assert [run.address for run in stores.journal.runs(operation="keys import")] == [UNIT, OTHER]


def test_problems_decide_the_exit_code(stores: Stores) -> None:
    """5 when the keys of an imported unit are incomplete or nothing was imported, 7 when other units failed."""
    good = stores.vault.add(UNIT, pair(1), "import", NOW)
    own, others = ImportProblem(UNIT, "wrong"), ImportProblem(OTHER, f"wrong, unlike that of {UNIT}")
    check_complete(KeyImport((good,)))
    with pytest.raises(KeyProblem):
        check_complete(KeyImport(problems=(others,)))
    with pytest.raises(KeyProblem):
        check_complete(KeyImport((good,), problems=(own,)))
    with pytest.raises(SomeFailed):
        check_complete(KeyImport((good,), problems=(others,)))


def test_export_uses_names_and_leaves_out_units_without_bind_key(stores: Stores) -> None:
    """One generation for each unit; a token alone is of no use to readers of beacons."""
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.vault.add(OTHER, MiKeys(token=Secret(bytes(12))), "typed", NOW)
    stores.inventory.set_name(UNIT, "Cellar")
    made = export_keys(stores, "ha")
    assert "Cellar" in made.text
    assert made.left_out == (OTHER,)
    assert [one.address for one in made.generations] == [UNIT]
    assert len(export_keys(stores, "json").generations) == 2


def test_export_of_one_unit(stores: Stores) -> None:
    """Others stay at home."""
    stores.vault.add(UNIT, pair(1), "activation", NOW)
    stores.vault.add(OTHER, pair(3), "activation", NOW)
    assert str(OTHER) not in export_keys(stores, "esphome", UNIT).text


def test_a_token_typed_later_leaves_the_bind_key_in_the_export(stores: Stores) -> None:
    """The newest keys have none; readers of beacons get the one that is known."""
    bind_key = pair(1).bind_key
    stores.vault.add(UNIT, MiKeys(bind_key=bind_key), "import", NOW)
    stores.vault.confirm(stores.vault.add(UNIT, MiKeys(token=pair(1).token), "typed", NOW), NOW)
    exported = export_keys(stores, "ha", UNIT)
    assert [keys.keys.bind_key for keys in exported.generations] == [bind_key]
    assert exported.left_out == ()


def test_own_documents_keep_the_kind_of_keys(stores: Stores, tmp_path: Path) -> None:
    """pvvx' own bind key comes back as such: no login is tried with it, and it hides no Mi keys."""
    stores.vault.add(UNIT, MiKeys(bind_key=pair(2).bind_key), "pvvx", NOW, kind="beacon_key")
    text = export_keys(stores, "json", UNIT).text
    other = Stores(Vault(tmp_path / "other"), stores.journal, stores.inventory, stores.library)
    import_keys(other, {"keys.json": text.encode()}, now=NOW)
    assert other.vault.access(UNIT).current is None
    assert other.vault.access(UNIT).beacon_keys[0].keys.bind_key == pair(2).bind_key


def test_one_beacon_refutes_no_key(tmp_path: Path) -> None:
    """It may be older than the key (F10): only the second different one that does not fit makes the key wrong."""
    rig = mixed_fleet(tmp_path)

    def bind_key(duration_s: float) -> str | None:
        (row,) = rig.run(lambda bench: check_keys(bench, WRONG_KEY, duration_s)).rows
        return row.bind_key

    assert bind_key(4.0) == "not-tested"
    assert bind_key(30.0) == "wrong"
