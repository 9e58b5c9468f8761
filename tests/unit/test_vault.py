"""The vault: nothing is lost, nothing is overwritten, nothing leaks."""

import errno
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitherm.errors import DiskProblem, SchemaTooNew, VaultProblem
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import UnitBackup
from mitherm.primitives.secret import Secret
from mitherm.store.vault import Vault

UNIT = Address.parse("A4:C1:38:01:02:03")
OTHER = Address.parse("A4:C1:38:0A:0B:0C")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
HOUR = timedelta(hours=1)


def mi_keys(number: int, did: str | None = "blt.3.1abcdefghijkl") -> MiKeys:
    return MiKeys(Secret(bytes([number] * 12)), Secret(bytes([number + 1] * 16)), did)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def unit_folder(tmp_path: Path) -> Path:
    return tmp_path / "vault" / UNIT.compact


# --- generations ------------------------------------------------------------------------------------------------------


def test_keys_come_back(vault: Vault, tmp_path: Path) -> None:
    """What was added is there for a new process, with origin, time and note."""
    added = vault.add(UNIT, mi_keys(1), "activation", NOW, note="kitchen")
    again = Vault(tmp_path / "vault").generations(UNIT)
    assert again == (added,)
    assert (again[0].keys, again[0].origin, again[0].created, again[0].note) == (
        mi_keys(1),
        "activation",
        NOW,
        "kitchen",
    )
    assert vault.units() == (UNIT,)
    assert vault.problems() == ()


def test_an_empty_vault_has_nothing(vault: Vault) -> None:
    """Reading before anything was written is no error and creates nothing."""
    assert (vault.units(), vault.generations(UNIT), vault.current(UNIT), vault.problems()) == ((), (), None, ())
    assert (vault.backups(UNIT), vault.access(UNIT).bind_keys) == ((), ())


def test_same_keys_twice_make_one_generation(vault: Vault) -> None:
    """Adding what the newest generation holds changes nothing."""
    first = vault.add(UNIT, mi_keys(1), "activation", NOW)
    assert vault.add(UNIT, mi_keys(1), "account", NOW + HOUR) == first
    assert vault.add(UNIT, MiKeys(bind_key=mi_keys(1).bind_key), "import", NOW + HOUR) == first
    assert len(vault.generations(UNIT)) == 1


def test_a_learned_did_is_a_new_generation(vault: Vault) -> None:
    """More knowledge about the same keys is added beside, not written over."""
    vault.add(UNIT, mi_keys(1, None), "import", NOW)
    vault.add(UNIT, mi_keys(1), "account", NOW)
    assert [one.keys.did for one in vault.generations(UNIT)] == [None, "blt.3.1abcdefghijkl"]


def test_all_generations_stay(vault: Vault, tmp_path: Path) -> None:
    """New keys never touch the files of old ones."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    before = {path: path.read_bytes() for path in unit_folder(tmp_path).iterdir()}
    vault.confirm(vault.add(UNIT, mi_keys(2), "activation", NOW + HOUR), NOW + HOUR)
    vault.supersede(vault.generations(UNIT)[0], NOW + HOUR)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert [one.keys for one in vault.generations(UNIT)] == [mi_keys(1), mi_keys(2)]


def test_a_clock_set_back_does_not_reorder(vault: Vault) -> None:
    """The keys added last are the newest, whatever the clock says."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    vault.add(UNIT, mi_keys(2), "activation", NOW - 1000 * HOUR)
    assert vault.current(UNIT).keys == mi_keys(2)


def test_current_is_the_newest_without_proof(vault: Vault) -> None:
    """Unconfirmed generations rank by age."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    newest = vault.add(UNIT, mi_keys(2), "account", NOW + HOUR)
    assert vault.current(UNIT) == newest


def test_proof_beats_age(vault: Vault) -> None:
    """A confirmed generation is current although a newer one exists; the last proof counts."""
    old = vault.add(UNIT, mi_keys(1), "account", NOW)
    new = vault.add(UNIT, mi_keys(2), "activation", NOW + HOUR)
    vault.confirm(old, NOW + 2 * HOUR)
    assert vault.current(UNIT).keys == mi_keys(1)
    vault.confirm(new, NOW + 3 * HOUR)
    assert vault.current(UNIT).keys == mi_keys(2)
    vault.confirm(old, NOW + 4 * HOUR)
    assert vault.current(UNIT).keys == mi_keys(1)
    assert vault.current(UNIT).confirmed == NOW + 4 * HOUR


def test_superseded_keys_are_kept_but_not_current(vault: Vault) -> None:
    """After an erase nothing is current; the keys are still listed, and a new proof brings them back."""
    one = vault.confirm(vault.add(UNIT, mi_keys(1), "account", NOW), NOW)
    vault.supersede(one, NOW + HOUR)
    assert vault.current(UNIT) is None
    assert vault.access(UNIT).generations[0].keys == mi_keys(1)
    assert vault.access(UNIT).generations[0].superseded == NOW + HOUR
    vault.confirm(one, NOW + 2 * HOUR)
    assert vault.current(UNIT).keys == mi_keys(1)


def test_superseded_keys_can_be_added_again(vault: Vault) -> None:
    """Keys that were written back to the unit become a generation of their own."""
    vault.supersede(vault.add(UNIT, mi_keys(1), "account", NOW), NOW)
    again = vault.add(UNIT, mi_keys(1), "restore", NOW + HOUR)
    assert vault.current(UNIT) == again


def test_ranking_tries_the_likeliest_first(vault: Vault) -> None:
    """Confirmed, then newest, then superseded."""
    numbers = (1, 3, 5, 7)
    one, three, _, _ = (vault.add(UNIT, mi_keys(n), "account", NOW + n * HOUR) for n in numbers)
    vault.confirm(one, NOW)
    vault.supersede(three, NOW)
    assert [one.keys for one in vault.access(UNIT).generations] == [mi_keys(n) for n in (1, 7, 5, 3)]


def test_superseded_keys_come_last_however_new(vault: Vault) -> None:
    """An old pair that nobody disproved is tried before a newer one that the unit gave up."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    vault.supersede(vault.add(UNIT, mi_keys(2), "activation", NOW + HOUR), NOW + HOUR)
    assert [one.keys for one in vault.access(UNIT).generations] == [mi_keys(1), mi_keys(2)]


def test_a_mark_gives_back_what_is_kept(vault: Vault) -> None:
    """`confirm` and `supersede` return the generation as the vault now shows it."""
    added = vault.add(UNIT, mi_keys(1), "account", NOW)
    gone = vault.supersede(added, NOW + HOUR)
    assert vault.generations(UNIT) == (gone,)
    assert gone.superseded == NOW + HOUR
    back = vault.confirm(gone, NOW + 2 * HOUR)
    assert vault.generations(UNIT) == (back,)
    assert (back.confirmed, back.superseded) == (NOW + 2 * HOUR, None)


def test_beacon_keys_stand_beside(vault: Vault) -> None:
    """A pvvx beacon key is a generation of its own kind: no credentials, but a bind key to decode with."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    beacon_key = MiKeys(bind_key=Secret(b"\x09" * 16))
    stored = vault.add(UNIT, beacon_key, "pvvx", NOW + HOUR, kind="beacon_key")
    assert vault.current(UNIT).keys == mi_keys(1)
    assert vault.current(UNIT, "beacon_key") == stored
    assert vault.access(UNIT).bind_keys == (mi_keys(1).bind_key, beacon_key.bind_key)


def test_bind_keys_have_no_duplicates(vault: Vault) -> None:
    """Each key is tried once, the confirmed one first."""
    old = vault.add(UNIT, mi_keys(1), "account", NOW)
    vault.add(UNIT, mi_keys(5), "account", NOW)
    vault.add(UNIT, MiKeys(bind_key=mi_keys(1).bind_key), "pvvx", NOW, kind="beacon_key")
    vault.confirm(old, NOW)
    assert vault.access(UNIT).bind_keys == (mi_keys(1).bind_key, mi_keys(5).bind_key)


def test_find_sees_every_generation(vault: Vault) -> None:
    """An import can tell that it brings nothing new, even about old keys."""
    old = vault.add(UNIT, mi_keys(1), "account", NOW)
    vault.add(UNIT, mi_keys(2), "account", NOW)
    assert vault.find(UNIT, MiKeys(token=mi_keys(1).token)) == old
    assert vault.find(UNIT, mi_keys(9)) is None
    assert vault.find(OTHER, mi_keys(1)) is None


def test_units_do_not_mix(vault: Vault) -> None:
    """Keys of one unit are not offered for another."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    vault.add(OTHER, mi_keys(2), "account", NOW)
    assert vault.current(OTHER).keys == mi_keys(2)
    assert vault.units() == (UNIT, OTHER)


def test_nothing_is_no_generation(vault: Vault) -> None:
    """A generation needs at least one key."""
    with pytest.raises(ValueError, match="neither"):
        vault.add(UNIT, MiKeys(did="blt.3.1x"), "account", NOW)


def test_moments_need_a_time_zone(vault: Vault) -> None:
    """A naive datetime would be ambiguous for ever."""
    with pytest.raises(ValueError, match="time zone"):
        vault.add(UNIT, mi_keys(1), "account", NOW.replace(tzinfo=None))


def test_foreign_generations_cannot_be_marked(vault: Vault, tmp_path: Path) -> None:
    """A mark refers to a file of this vault."""
    elsewhere = Vault(tmp_path / "other").add(UNIT, mi_keys(1), "account", NOW)
    with pytest.raises(VaultProblem, match=elsewhere.id):
        vault.confirm(elsewhere, NOW)


# --- files ------------------------------------------------------------------------------------------------------------


def test_everything_is_private(vault: Vault, tmp_path: Path) -> None:
    """Folders 0700, files 0600."""
    vault.confirm(vault.add(UNIT, mi_keys(1), "account", NOW), NOW)
    vault.backup(UnitBackup(UNIT), NOW)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "vault").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700


def test_the_file_can_be_read_by_hand(vault: Vault, tmp_path: Path) -> None:
    """Plain JSON with the hex keys, named by time and fingerprint."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    (path,) = unit_folder(tmp_path).iterdir()
    assert path.name == f"20260102T030405.678900Z-{mi_keys(1).fingerprint}.json"
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "kind": "mi",
        "address": "A4:C1:38:01:02:03",
        "did": "blt.3.1abcdefghijkl",
        "token": "01" * 12,
        "bind_key": "02" * 16,
        "origin": "account",
        "created": "2026-01-02T03:04:05.678900Z",
        "note": "",
    }


DAMAGE = {
    "torn": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "binary": lambda text: "\0\xff" * 20,
    "list": lambda text: "[]",
    "no token field type": lambda text: text.replace('"' + "01" * 12 + '"', "12"),
    "bad hex": lambda text: text.replace("0101", "01zz", 1),
    "short token": lambda text: text.replace("01" * 12, "01" * 11),
    "one bit": lambda text: text.replace("01" * 12, "01" * 11 + "03"),
    "other unit": lambda text: text.replace("A4:C1:38:01", "A4:C1:38:FF"),
    "unknown kind": lambda text: text.replace('"mi"', '"mu"'),
    "bad time": lambda text: text.replace("2026-", "soon-"),
    "naive time": lambda text: text.replace("900Z", "900"),
    "schema text": lambda text: text.replace('"schema": 1', '"schema": "1"'),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_reported_and_hides_nothing(vault: Vault, tmp_path: Path, how: str) -> None:
    """A file that cannot be trusted is named, quotes no key, and all others are still there."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    (path,) = unit_folder(tmp_path).iterdir()
    good = vault.add(UNIT, mi_keys(2), "account", NOW)
    path.write_text(DAMAGE[how](path.read_text()), "utf-8")
    assert vault.generations(UNIT) == (good,)
    (problem,) = vault.problems()
    assert isinstance(problem, VaultProblem)
    assert str(path) in problem.message
    assert "0101" not in problem.message + str(problem.hint)
    assert vault.units() == (UNIT,)


def test_a_newer_schema_is_left_alone(vault: Vault, tmp_path: Path) -> None:
    """A file of a newer mitherm is SchemaTooNew, and stays as it is."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    (path,) = unit_folder(tmp_path).iterdir()
    newer = path.read_text().replace('"schema": 1', '"schema": 2')
    path.write_text(newer)
    good = vault.add(UNIT, mi_keys(2), "account", NOW)
    assert vault.generations(UNIT) == (good,)
    (problem,) = vault.problems()
    assert isinstance(problem, SchemaTooNew)
    assert path.read_text() == newer


def test_damaged_marks_lose_only_themselves(vault: Vault, tmp_path: Path) -> None:
    """A bad line in the marks is reported; marks before and after it hold."""
    one, two = (vault.add(UNIT, mi_keys(n), "account", NOW) for n in (1, 3))
    vault.confirm(two, NOW)
    with (unit_folder(tmp_path) / "marks.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"generation":')
    assert vault.problems() == ()  # torn by a crash: nothing was promised yet
    vault.confirm(one, NOW + HOUR)
    assert vault.current(UNIT).keys == mi_keys(1)
    assert [one.confirmed for one in vault.generations(UNIT)] == [NOW + HOUR, NOW]
    (problem,) = vault.problems()
    assert "line 2" in problem.message


def test_marks_of_a_newer_program_hide_no_others(vault: Vault, tmp_path: Path) -> None:
    """A mark whose schema is not known is reported; those behind it hold."""
    one = vault.add(UNIT, mi_keys(1), "account", NOW)
    (unit_folder(tmp_path) / "marks.jsonl").write_text('{"schema":99,"mark":"lent"}\n{"schema":1,"mark":"lent"}\n')
    vault.confirm(one, NOW + HOUR)
    assert vault.generations(UNIT)[0].confirmed == NOW + HOUR
    newer, damaged = vault.problems()
    assert isinstance(newer, SchemaTooNew)
    assert "damaged" in damaged.message


def test_marks_that_cannot_be_read_are_reported(vault: Vault, tmp_path: Path) -> None:
    """The keys are there all the same."""
    added = vault.add(UNIT, mi_keys(1), "account", NOW)
    (unit_folder(tmp_path) / "marks.jsonl").mkdir()
    assert vault.generations(UNIT) == (added,)
    (problem,) = vault.problems()
    assert "marks.jsonl" in problem.message


def test_foreign_files_are_ignored(vault: Vault, tmp_path: Path) -> None:
    """Left-over temporary files, notes and folders of people do no harm."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    (unit_folder(tmp_path) / ".new-abc").write_bytes(b"{")
    (unit_folder(tmp_path) / "readme.txt").write_bytes(b"mine")
    (tmp_path / "vault" / "notes").mkdir()
    (tmp_path / "vault" / OTHER.compact).mkdir()
    assert (vault.units(), len(vault.generations(UNIT)), vault.problems()) == ((UNIT,), 1, ())


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failed_write_is_no_generation(vault: Vault, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """If the disk refuses, the caller is told and the older keys are untouched."""
    good = vault.add(UNIT, mi_keys(1), "account", NOW)

    def refuse(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(DiskProblem) as caught:
            vault.add(UNIT, mi_keys(2), "activation", NOW + HOUR)
        with pytest.raises(DiskProblem):
            vault.check_writable(UNIT)
    assert caught.value.device == "unchanged"
    assert vault.generations(UNIT) == (good,)
    assert vault.problems() == ()


def test_killed_at_every_step(tmp_path: Path) -> None:
    """Killed at any system call of a write, the vault holds the old keys, and the new ones whole or not at all."""
    outcomes = set()
    for step in range(20):
        folder = tmp_path / str(step)
        Vault(folder).add(UNIT, mi_keys(1), "account", NOW)
        if not _killed_in_add(folder, step):
            break
        generations = Vault(folder).generations(UNIT)
        assert generations[0].keys == mi_keys(1)
        assert [one.keys for one in generations[1:]] in ([], [mi_keys(2)])
        assert Vault(folder).problems() == ()
        outcomes.add(len(generations))
        Vault(folder).add(UNIT, mi_keys(2), "activation", NOW + 2 * HOUR)  # and it can be repeated
        assert Vault(folder).current(UNIT).keys == mi_keys(2)
    assert outcomes == {1, 2}


def _killed_in_add(folder: Path, step: int) -> bool:
    """Add keys in a child process that dies at its `step`-th call to the file system; whether it died."""
    child = os.fork()
    if child == 0:
        left = step

        def dying(call):
            def wrapped(*args, **kwargs):
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                return call(*args, **kwargs)

            return wrapped

        for name in ("fsync", "link", "unlink", "open", "close"):
            setattr(os, name, dying(getattr(os, name)))
        try:
            Vault(folder).add(UNIT, mi_keys(2), "activation", NOW + HOUR)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_check_writable(vault: Vault, tmp_path: Path) -> None:
    """It leaves no trace but the folder, and fails where a write would fail."""
    vault.check_writable(UNIT)
    assert list((tmp_path / "vault").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskProblem):
        Vault(tmp_path / "file").check_writable()
    with pytest.raises(DiskProblem):
        Vault(tmp_path / "file" / "vault").check_writable()


def test_check_writable_looks_into_the_unit(vault: Vault, tmp_path: Path) -> None:
    """A unit's folder that cannot be used is found before the first message."""
    (tmp_path / "vault").mkdir()
    unit_folder(tmp_path).write_bytes(b"in the way")
    with pytest.raises(DiskProblem):
        vault.check_writable(UNIT)
    vault.check_writable(OTHER)


def test_check_writable_looks_into_the_vault_itself(vault: Vault, tmp_path: Path) -> None:
    """A unit whose folder is fine helps nothing if no new folder can be made beside it: the vault is tried too."""
    vault.add(UNIT, mi_keys(1), "account", NOW)
    probed = tmp_path / "vault" / f".probe-{os.getpid()}"
    probed.mkdir()  # what the trial would be called: it fails there and nowhere else
    with pytest.raises(DiskProblem):
        vault.check_writable(UNIT)


# --- secrecy ----------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=16, max_size=16))
def test_no_secret_in_any_text(token: bytes, bind_key: bytes) -> None:
    """repr and str of what the vault hands out show no key, as hex or as bytes."""
    from mitherm.model.record import KeyGeneration, StoredBackup

    keys = MiKeys(Secret(token), Secret(bind_key))
    generation = KeyGeneration("id", UNIT, keys, "account", NOW)
    backup = UnitBackup(
        UNIT, key_record=Secret(keys.record), replies={"18": Secret(bind_key)}, sectors={1: Secret(token)}
    )
    text = repr((generation, backup, StoredBackup("id", backup, NOW))) + str(generation) + f"{backup}"
    for secret in (token, bind_key):
        assert secret.hex() not in text
        assert repr(secret) not in text
