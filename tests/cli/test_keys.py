"""`mitherm keys`: the vault and the Mi records of virtual units, and that nothing of it leaks."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_document
from mitherm.cli.app import run
from mitherm.model.keys import MiKeys, did_record
from mitherm.primitives.secret import Secret
from mitherm.virtual.board.mi_records import DELETED, DID, KEYS, MI_STORE, MiRecordStore
from mitherm.virtual.board.nor_flash import NorFlash

STOCK, PVVX, BLANK, ATC = (f"A4:C1:38:00:00:0{number}" for number in range(1, 5))
OLD = MiKeys(Secret(bytes(range(0x10, 0x1C))), Secret(bytes(range(0x20, 0x30))))
NEW = MiKeys(Secret(bytes(range(0x40, 0x4C))), Secret(bytes(range(0x50, 0x60))), "blt.3.1newnewnew01")

Say = Callable[..., dict[str, Any]]


class Units:
    """A folder of virtual units, and a look into their flash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.radio = ("--radio", f"virtual:{folder}")

    def _path(self, address: str) -> Path:
        return self.folder / address.replace(":", "").lower() / "flash.bin"

    def plant(self, address: str, *pairs: MiKeys) -> None:
        """Write key records one after the other, as activations do: the last one is in use."""
        flash = NorFlash(bytearray(self._path(address).read_bytes()))
        for keys in pairs:
            MiRecordStore(flash, MI_STORE).write(KEYS, keys.record)
            if keys.did is not None:
                MiRecordStore(flash, MI_STORE).write(DID, did_record(keys.did))
        self._path(address).write_bytes(flash.data)

    def records(self, address: str) -> MiRecordStore:
        """The record store as it lies in flash."""
        return MiRecordStore(NorFlash(bytearray(self._path(address).read_bytes())), MI_STORE)


@pytest.fixture
def units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Units:
    """A bound stock unit, a bound pvvx unit, a pvvx unit without records, and atc1441."""
    specs = (
        f"stock-1.0.0_0130,address={STOCK},bound=mi-home",
        f"pvvx-5.8,address={PVVX},bound=mi-home",
        f"pvvx-5.8,address={BLANK}",
        f"atc1441,address={ATC}",
    )
    folder = tmp_path / "units"
    assert run(["virtual", "create", str(folder), *(word for spec in specs for word in ("--unit", spec))]) == 0
    capsys.readouterr()
    return Units(folder)


@pytest.fixture
def keys(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs `keys ...` with --json, checks the exit code, gives the document."""

    def say(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert run(["keys", *arguments, "--json"]) == code
        document = assert_document(capsys.readouterr().out, f"keys {arguments[0]}")
        assert document["ok"] is (code == 0)
        return document

    return say


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What the next command reads from stdin, which is no terminal."""

    def pipe(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    pipe("")
    return pipe


def shown(one: Secret | None) -> str:
    assert one is not None
    return one.reveal().hex()


def key_file(path: Path, *entries: tuple[str, str, str]) -> str:
    """A document of ours: address, token, bind key."""
    rows = [{"address": address, "token": token, "bind_key": bind_key} for address, token, bind_key in entries]
    path.write_text(json.dumps({"schema": 1, "keys": rows}))
    return str(path)


@pytest.fixture
def new_file(tmp_path: Path) -> str:
    """NEW as keys of the pvvx unit."""
    return key_file(tmp_path / "new.json", (PVVX, shown(NEW.token), shown(NEW.bind_key)))


# --- show, list -------------------------------------------------------------------------------------------------------


def test_nothing_known_is_exit_5(keys: Say) -> None:
    """The vault has nothing of the unit."""
    assert keys("show", PVVX, code=5)["error"]["kind"] == "KeysMissing"
    assert keys("list")["result"]["keys"] == []


def test_keys_are_redacted_unless_revealed(keys: Say, new_file: str) -> None:
    """null and `redacted` by default; the hex digits with --reveal."""
    keys("import", new_file)
    for command in (["list"], ["show", PVVX]):
        row = keys(*command)["result"]["keys"][0]
        assert (row["address"], row["token"], row["bind_key"], row["redacted"]) == (PVVX, None, None, True)
        row = keys(*command, "--reveal")["result"]["keys"][0]
        assert (row["token"], row["bind_key"]) == (shown(NEW.token), shown(NEW.bind_key))
        assert "redacted" not in row


def test_unit_may_be_a_name_without_any_radio(keys: Say, new_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An inventory name is enough for commands on the vault."""
    keys("import", new_file)
    assert run(["inventory", "name", PVVX, "Cellar"]) == 0
    capsys.readouterr()
    assert keys("show", "cellar")["result"]["keys"][0]["address"] == PVVX


# --- import -----------------------------------------------------------------------------------------------------------


def test_import_twice_changes_nothing(keys: Say, new_file: str) -> None:
    """The second time the keys are known."""
    assert keys("import", new_file)["result"]["changed"]
    again = keys("import", new_file)["result"]
    assert (again["changed"], again["keys"][0]["new"]) == (False, False)
    assert len(keys("show", PVVX)["result"]["keys"]) == 1


def test_import_takes_what_mi_home_prints(
    keys: Say, units: Units, stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The account's document through a pipe opens the unit."""
    assert run(["virtual", "mi-home", str(units.folder), "keys", STOCK, "--reveal", "--json"]) == 0
    stdin(capsys.readouterr().out)
    assert keys("import", "-")["result"]["keys"][0]["address"] == STOCK
    assert run(["login", STOCK, *units.radio]) == 0


def test_redacted_document_is_named(
    keys: Say, units: Units, stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --reveal there is nothing to import, and the message says why."""
    run(["virtual", "mi-home", str(units.folder), "keys", STOCK, "--json"])
    stdin(capsys.readouterr().out)
    assert "--reveal" in keys("import", "-", code=5)["error"]["message"]


def test_swapped_token_and_bind_key_are_named(keys: Say, tmp_path: Path) -> None:
    """A bind key in the token's place is exit 5 with the mix-up, and nothing is stored."""
    path = key_file(tmp_path / "swapped.json", (PVVX, shown(NEW.bind_key), shown(NEW.token)))
    document = keys("import", path, code=5)
    assert "is the length of a bind key" in document["error"]["message"]
    assert "is the length of a token" in document["error"]["message"]
    assert len(document["result"]["problems"]) == 2
    keys("show", PVVX, code=5)


def test_some_units_of_a_file_may_fail(keys: Say, tmp_path: Path) -> None:
    """Good entries are stored, bad ones named: exit 7."""
    good, bad = (PVVX, shown(NEW.token), shown(NEW.bind_key)), (STOCK, "00" * 11, "00" * 15)
    document = keys("import", key_file(tmp_path / "mixed.json", good, bad), code=7)
    assert STOCK in document["error"]["message"]
    assert [row["address"] for row in document["result"]["keys"]] == [PVVX]
    assert len(keys("show", PVVX)["result"]["keys"]) == 1


def test_an_address_in_the_text_of_a_problem_is_not_whose_it_is(keys: Say, tmp_path: Path) -> None:
    """A file that is named after the unit that went well: the bad entry is another unit's all the same, exit 7."""
    good, bad = (PVVX, shown(NEW.token), shown(NEW.bind_key)), (STOCK, "00" * 11, "00" * 15)
    document = keys("import", key_file(tmp_path / f"{PVVX} and others.json", good, bad), code=7)
    assert all(PVVX in text and STOCK in text for text in document["result"]["problems"])


def test_an_incomplete_unit_is_exit_5(keys: Say, tmp_path: Path) -> None:
    """Half of a pair was stored, the other half left out: the unit's keys are not complete."""
    document = keys("import", key_file(tmp_path / "half.json", (PVVX, shown(NEW.token), "00" * 15)), code=5)
    assert [row["address"] for row in document["result"]["keys"]] == [PVVX]


def test_bad_file_among_good_ones_stops_all(keys: Say, new_file: str, tmp_path: Path) -> None:
    """All files are understood before the first key is stored."""
    (tmp_path / "letter.txt").write_text("Dear vault,")
    keys("import", new_file, str(tmp_path / "letter.txt"), code=2)
    keys("import", new_file, str(tmp_path / "missing.json"), code=3)
    keys("show", PVVX, code=5)


def test_typed_keys_come_through_stdin(keys: Say, stdin: Callable[[str], None]) -> None:
    """One line each, token first."""
    stdin(f"{shown(NEW.token)}\n{shown(NEW.bind_key)}\n")
    row = keys("import", "--address", PVVX, "--token", "--bind-key", "--reveal")["result"]["keys"][0]
    assert (row["token"], row["bind_key"], row["origin"]) == (shown(NEW.token), shown(NEW.bind_key), "typed")


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [("", 2, "no token"), ("zz\n", 5, "hex"), ("00" * 16 + "\n", 5, "bind key")],
)
def test_typed_keys_are_checked(keys: Say, stdin: Callable[[str], None], text: str, code: int, word: str) -> None:
    """Nothing typed, no hex, wrong length."""
    stdin(text)
    assert word in keys("import", "--address", PVVX, "--token", code=code)["error"]["message"]


@pytest.mark.parametrize("arguments", [[], ["--token"], ["file.json", "--token", "--address", PVVX]])
def test_import_needs_files_or_typing(keys: Say, stdin: Callable[[str], None], arguments: list[str]) -> None:
    """Neither, keys of nobody, and both are usage errors."""
    keys("import", *arguments, code=2)


# --- export -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["ha", "ble_monitor", "esphome", "theengs", "json"])
def test_exports_are_private_and_come_back(keys: Say, new_file: str, tmp_path: Path, target: str) -> None:
    """The file is 0600, the document does not show it, and importing it again finds everything known."""
    keys("import", new_file)
    path = tmp_path / "out"
    result = keys("export", "--for", target, "-o", str(path))["result"]
    assert (result["text"], result["units"]) == (None, [PVVX])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shown(NEW.bind_key) in path.read_text()
    assert not keys("import", str(path))["result"]["changed"]


def test_export_wants_a_place_or_consent(keys: Say, new_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys are not printed unless asked for."""
    keys("import", new_file)
    keys("export", "--for", "ha", code=2)
    assert run(["keys", "export", "--for", "ha", "--reveal"]) == 0
    assert shown(NEW.bind_key) in capsys.readouterr().out


def test_nothing_to_export(keys: Say, tmp_path: Path) -> None:
    """An empty vault is exit 5 and leaves no file."""
    keys("export", "--for", "ha", "-o", str(tmp_path / "out"), code=5)
    assert not (tmp_path / "out").exists()


# --- backup, restore, swap, erase -------------------------------------------------------------------------------------


def test_backup_saves_all_generations(keys: Say, units: Units) -> None:
    """Present and superseded pairs are in the vault; a second backup finds them there."""
    units.plant(PVVX, OLD, NEW)
    result = keys("backup", PVVX, *units.radio)["result"]
    assert (result["changed"], result["deleted_records"]) == (True, 3)
    rows = keys("show", PVVX, "--reveal")["result"]["keys"]
    assert {shown(OLD.token), shown(NEW.token)} < {row["token"] for row in rows}
    assert not keys("backup", PVVX, *units.radio)["result"]["changed"]


def test_raw_backup_copies_the_sectors(keys: Say, units: Units) -> None:
    """--raw keeps both homes of the record store."""
    assert keys("backup", PVVX, "--raw", *units.radio)["result"]["sectors"] == ["0x78000", "0x79000"]


@pytest.mark.parametrize("address", [STOCK, ATC])
@pytest.mark.parametrize("command", ["backup", "swap", "erase"])
def test_other_firmware_is_explained(keys: Say, units: Units, address: str, command: str) -> None:
    """Stock gives nothing away, atc1441 has erased it: exit 2 with what to do."""
    error = keys(command, address, "--yes", *units.radio, code=2)["error"]
    assert error["kind"] == "NotSupported"
    assert error["hint"]


def test_swap_brings_back_the_previous_pair(keys: Say, units: Units) -> None:
    """The older pair is in use, the newer one is in the vault, and swapping again undoes it."""
    units.plant(PVVX, OLD, NEW)
    result = keys("swap", PVVX, "--yes", *units.radio)["result"]
    assert (result["changed"], result["outcome"]) == (True, "verified")
    assert units.records(PVVX).find(KEYS) == OLD.record
    held = keys("show", PVVX, "--reveal")["result"]["keys"]
    assert held[0]["token"] == shown(OLD.token)
    assert shown(NEW.token) in {row["token"] for row in held}
    keys("swap", PVVX, "--yes", *units.radio)
    assert units.records(PVVX).find(KEYS) == NEW.record


def test_swap_leaves_the_superseded_record_alone(keys: Say, units: Units) -> None:
    """Command 16 would overwrite it (custom-firmware.md 10); a write of the pair does not."""
    units.plant(PVVX, OLD, NEW)
    keys("swap", PVVX, "--yes", *units.radio)
    assert OLD.record in [record.data for record in units.records(PVVX).records() if record.id == DELETED]


def test_swap_without_a_previous_pair(keys: Say, units: Units) -> None:
    """Nothing to go back to: exit 5, nothing written."""
    before = units.records(PVVX).find(KEYS)
    keys("swap", PVVX, "--yes", *units.radio, code=5)
    assert units.records(PVVX).find(KEYS) == before


def test_restore_writes_pair_and_did(keys: Say, units: Units, tmp_path: Path) -> None:
    """A chosen generation and its DID are on the unit; what was there before is in the vault."""
    before = units.records(PVVX).find(KEYS)
    assert before is not None
    path = tmp_path / "saved.json"
    row = {"address": PVVX, "token": shown(NEW.token), "bind_key": shown(NEW.bind_key), "did": NEW.did}
    path.write_text(json.dumps({"schema": 1, "keys": [row]}))
    keys("import", str(path))
    result = keys("restore", PVVX, "--generation", NEW.fingerprint, "--yes", *units.radio)["result"]
    assert result["changed"]
    assert units.records(PVVX).find(KEYS) == NEW.record
    assert units.records(PVVX).find(DID) == did_record(NEW.did or "")
    assert before[:12].hex() in {row["token"] for row in keys("show", PVVX, "--reveal")["result"]["keys"]}
    assert not keys("restore", PVVX, "--yes", *units.radio)["result"]["changed"]


def test_restore_needs_records_on_the_unit(keys: Say, units: Units, tmp_path: Path) -> None:
    """An empty store can be filled by the wire only: exit 2 says so."""
    keys("import", key_file(tmp_path / "k", (BLANK, shown(NEW.token), shown(NEW.bind_key))))
    error = keys("restore", BLANK, "--yes", *units.radio, code=2)["error"]
    assert "wire" in error["hint"]


def test_restore_of_an_unknown_generation(keys: Say, units: Units, new_file: str) -> None:
    """Exit 5 and where the ids are listed."""
    keys("import", new_file)
    assert "keys show" in keys("restore", PVVX, "--generation", "ffff", *units.radio, code=5)["error"]["hint"]


@pytest.mark.parametrize("command", ["swap", "erase"])
def test_nothing_is_written_without_an_answer(
    keys: Say, units: Units, stdin: Callable[[str], None], command: str
) -> None:
    """No terminal and no --yes: exit 2 with the question, and the unit is as before."""
    units.plant(PVVX, OLD, NEW)
    assert "would have asked" in keys(command, PVVX, *units.radio, code=2)["error"]["message"]
    assert units.records(PVVX).find(KEYS) == NEW.record


@pytest.mark.parametrize("command", ["swap", "erase"])
def test_dry_run_writes_nothing(keys: Say, units: Units, command: str) -> None:
    """The outcome says so and the unit is as before."""
    units.plant(PVVX, OLD, NEW)
    result = keys(command, PVVX, "--dry-run", "--yes", *units.radio)["result"]
    assert (result["outcome"], result["changed"]) == ("dry-run", False)
    assert units.records(PVVX).find(KEYS) == NEW.record


def test_erase_saves_first(keys: Say, units: Units) -> None:
    """The sector is blank, the pair is in the vault, and erasing again is nothing to do."""
    units.plant(PVVX, NEW)
    assert keys("erase", PVVX, "--yes", *units.radio)["result"]["changed"]
    assert list(units.records(PVVX).records()) == []
    assert shown(NEW.token) in {row["token"] for row in keys("show", PVVX, "--reveal")["result"]["keys"]}
    assert not keys("erase", PVVX, "--yes", *units.radio)["result"]["changed"]


@pytest.mark.parametrize("command", ["erase", "swap"])
def test_nothing_is_lost_when_the_vault_fails(keys: Say, units: Units, home: Path, command: str) -> None:
    """What cannot be saved is not touched."""
    units.plant(PVVX, OLD, NEW)
    home.mkdir(exist_ok=True)
    (home / "vault").write_text("in the way")
    assert keys(command, PVVX, "--yes", *units.radio, code=1)["error"]["device"] == "unchanged"
    assert units.records(PVVX).find(KEYS) == NEW.record


def test_unsaved_keys_are_erased_only_by_name(keys: Say, units: Units, home: Path) -> None:
    """The waiver of H10 lets an erase go on without a vault."""
    units.plant(PVVX, NEW)
    home.mkdir(exist_ok=True)
    (home / "vault").write_text("in the way")
    keys("erase", PVVX, "--yes", "--allow-unsaved-keys", *units.radio)
    assert list(units.records(PVVX).records()) == []


def test_operations_are_in_the_journal(keys: Say, units: Units, capsys: pytest.CaptureFixture[str]) -> None:
    """Each operation on a unit has its entry."""
    units.plant(PVVX, OLD, NEW)
    for command in ("backup", "swap", "erase"):
        keys(command, PVVX, "--yes", *units.radio)
    assert run(["journal", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["result"]["entries"]
    assert [entry["operation"] for entry in entries] == ["keys backup", "keys swap", "keys erase"]


# --- test -------------------------------------------------------------------------------------------------------------


def test_right_keys_of_a_stock_unit(
    keys: Say, units: Units, stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The token by a login, the bind key by a beacon; wrong ones beside them are told apart."""
    run(["virtual", "mi-home", str(units.folder), "keys", STOCK, "--reveal", "--json"])
    stdin(capsys.readouterr().out)
    keys("import", "-")
    stdin(f"{shown(NEW.token)}\n{shown(NEW.bind_key)}\n")
    keys("import", "--address", STOCK, "--token", "--bind-key")
    result = keys("test", STOCK, *units.radio)["result"]
    answers = {row["fingerprint"]: (row["token_test"], row["bind_key_test"]) for row in result["keys"]}
    assert answers.pop(NEW.fingerprint) == ("wrong", "wrong")
    assert list(answers.values()) == [("right", "right")]
    assert result["keys"][0]["confirmed"] or result["keys"][1]["confirmed"]


def test_wrong_keys_are_exit_5(keys: Say, units: Units, stdin: Callable[[str], None]) -> None:
    """All wrong: exit 5, with the answers in the result."""
    stdin(f"{shown(NEW.token)}\n{shown(NEW.bind_key)}\n")
    keys("import", "--address", STOCK, "--token", "--bind-key")
    document = keys("test", STOCK, *units.radio, code=5)
    assert document["result"]["keys"][0]["token_test"] == "wrong"


def test_pvvx_shows_which_pair_it_holds(keys: Say, units: Units) -> None:
    """The pair in use is right, the superseded one is wrong."""
    units.plant(PVVX, OLD, NEW)
    keys("backup", PVVX, *units.radio)
    rows = keys("test", PVVX, "--duration", "5", *units.radio)["result"]["keys"]
    answers = {row["fingerprint"]: row["token_test"] for row in rows}
    assert (answers[NEW.fingerprint], answers[OLD.fingerprint]) == ("right", "wrong")


def test_nothing_to_test_with(keys: Say, units: Units, stdin: Callable[[str], None]) -> None:
    """A bind key alone and plain beacons: exit 1, not a verdict."""
    stdin(f"{shown(NEW.bind_key)}\n")
    keys("import", "--address", ATC, "--bind-key")
    assert keys("test", ATC, "--duration", "5", *units.radio, code=1)["error"]["kind"] == "LinkTimeout"


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_command_leaks_a_key(
    units: Units, home: Path, tmp_path: Path, stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Planted keys appear in no output, at no verbosity, and in no file but vault and export."""
    units.plant(PVVX, OLD, NEW)
    file = key_file(tmp_path / "planted.json", (PVVX, shown(NEW.token), shown(NEW.bind_key)))
    swapped = key_file(tmp_path / "swapped.json", (STOCK, shown(NEW.bind_key), shown(NEW.token)))
    on_air = [*units.radio, "--yes"]
    commands = [
        ["keys", "import", file, swapped],
        ["keys", "import", "--address", STOCK, "--token"],
        ["keys", "list"],
        ["keys", "show", PVVX],
        ["keys", "backup", PVVX, *on_air],
        ["keys", "test", PVVX, "--duration", "2", *on_air],
        ["keys", "test", STOCK, "--duration", "2", *on_air],
        ["keys", "swap", PVVX, *on_air],
        ["keys", "restore", PVVX, "--generation", NEW.fingerprint, *on_air],
        ["keys", "export", "--for", "ha"],
        ["keys", "export", "--for", "json", "-o", str(tmp_path / "export.json")],
        ["info", PVVX, *on_air],
        ["scan", "--duration", "5", *on_air],
        ["login", STOCK, *on_air],
        ["keys", "erase", PVVX, *on_air],
        ["journal"],
        ["inventory", "list"],
    ]
    traced = False
    planted = [shown(one) for keys in (OLD, NEW) for one in (keys.token, keys.bind_key)]
    for words in commands:
        for flags in ([], ["-vv"], ["--json", "-vv"]):
            stdin(f"{shown(NEW.token)}\n")
            run([*words, *flags])
            said = "".join(capsys.readouterr())
            _assert_clean(said, planted, " ".join([*words, *flags]))
            traced |= "mitherm.packets" in said
    assert traced, "-vv showed no packets, so nothing was proved about them"
    for path in home.rglob("*"):
        if path.is_file() and "vault" not in path.parts:
            _assert_clean(path.read_text(), planted, str(path))


def _assert_clean(text: str, secrets: list[str], where: str) -> None:
    """Not even five bytes in a row of a key, since packets carry keys in parts."""
    plain = text.lower().replace(" ", "").replace(":", "").replace("\\x", "")
    parts = [one[start : start + 10] for one in secrets for start in range(0, len(one) - 9, 2)]
    assert not [part for part in parts if part in plain], f"{where} leaks"
