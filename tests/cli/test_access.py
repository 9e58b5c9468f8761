"""Who can log in: a bind key opens no door, wherever it came from, and every command asks the same question."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from units import Units

from mitherm.cli.app import run
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret
from mitherm.store.paths import Paths
from mitherm.store.vault import Vault
from mitherm.virtual.board.mi_records import KEYS, MI_STORE, MiRecordStore
from mitherm.virtual.board.nor_flash import NorFlash
from rig import UNIT, wall

TOKEN, BIND_KEY = "00112233445566778899aabb", "00112233445566778899aabbccddeeff"
SIGNED = "stock-2.1.1_0159"


@pytest.fixture
def make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Units]:
    """Makes a folder of virtual units; pvvx, stock 1.x and stock 2.x are in the library."""

    def units(*specs: str) -> Units:
        for kind in ("pvvx-5.8", "stock-1.0.0_0130", SIGNED):
            assert run(["firmware", "synth", kind, "--add"]) == 0
        capsys.readouterr()
        return Units(tmp_path / "units", capsys, *specs)

    return units


@pytest.fixture
def type_key(monkeypatch: pytest.MonkeyPatch) -> Callable[[Units, str, str], None]:
    """`keys import --address UNIT OPTION`, the key typed."""

    def act(units: Units, option: str, key: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))
        units.say("keys import", "--address", units.addresses[0], option)

    return act


def vault() -> Vault:
    """The user's vault."""
    return Vault(Paths.from_environment().vault)


def secret(digits: str) -> Secret:
    """A key."""
    return Secret.from_hex(digits)


# --- rule H7: onto stock 2.x only with a token ------------------------------------------------------------------------


def test_h7_wants_a_token(make: Callable[..., Units], type_key: Callable[[Units, str, str], None]) -> None:
    """Defect D1: a bind key alone let a one-way update pass."""
    units = make("atc1441")
    unit, before = units.addresses[0], units.flash(0)
    assert units.say("flash", unit, SIGNED, "--yes", code=4)["rule"] == "H7"
    type_key(units, "--bind-key", BIND_KEY)
    assert units.say("flash", unit, SIGNED, "--yes", code=4)["rule"] == "H7"
    assert units.flash(0) == before
    type_key(units, "--token", TOKEN)
    assert units.say("flash", unit, SIGNED, "--yes")["outcome"] == "verified"


BLE_MONITOR = (
    "sensor:\n  - platform: ble_monitor\n    devices:\n      - mac: A4:C1:38:00:00:01\n        encryption_key: {}\n"
)
ESPHOME = "sensor:\n  - platform: xiaomi_lywsd03mmc\n    mac_address: A4:C1:38:00:00:01\n    bindkey: {}\n"


@pytest.mark.parametrize("form", [BLE_MONITOR, ESPHOME], ids=["ble_monitor", "esphome"])
@pytest.mark.parametrize("words", [("flash", SIGNED), ("bring", "--to", SIGNED)], ids=["flash", "bring"])
def test_h7_is_not_opened_by_another_programs_bind_key(
    make: Callable[..., Units], tmp_path: Path, form: str, words: tuple[str, ...]
) -> None:
    """Nor by the file it came in, nor for `bring`, nor on pvvx that shows no records."""
    units = make("pvvx-5.8")
    (tmp_path / "keys.yaml").write_text(form.format(BIND_KEY))
    units.say("keys import", str(tmp_path / "keys.yaml"))
    command, *rest = words
    assert units.say(command, units.addresses[0], *rest, "--yes", code=4)["rule"] == "H7"


def test_h7_takes_a_token_of_an_older_generation(make: Callable[..., Units]) -> None:
    """Newer keys without a token do not hide it."""
    units = make("atc1441")
    vault().add(UNIT, MiKeys(token=secret(TOKEN)), "typed", wall())
    vault().add(UNIT, MiKeys(bind_key=secret(BIND_KEY)), "typed", wall())
    assert units.say("flash", units.addresses[0], SIGNED, "--yes")["outcome"] == "verified"


@pytest.mark.parametrize("token", ["00" * 12, "ff" * 12], ids=["zeros", "blank flash"])
def test_h7_takes_no_placeholder(
    make: Callable[..., Units], type_key: Callable[[Units, str, str], None], token: str
) -> None:
    """Bytes that stand for "no token" are none."""
    units = make("atc1441")
    type_key(units, "--token", token)
    assert units.say("flash", units.addresses[0], SIGNED, "--yes", code=4)["rule"] == "H7"


def test_h7_takes_no_token_that_was_given_up(make: Callable[..., Units]) -> None:
    """After `keys erase` the unit holds none of the vault's keys."""
    units = make("pvvx-5.8,bound=mi-home")
    unit = units.addresses[0]
    units.say("keys erase", unit, "--yes")
    assert vault().access(UNIT).tokens and not vault().access(UNIT).can_log_in
    assert units.say("flash", unit, SIGNED, "--yes", code=4)["rule"] == "H7"


def test_h7_takes_the_keys_that_pvvx_shows(make: Callable[..., Units]) -> None:
    """They are saved first, and the unit goes on holding them."""
    units = make("pvvx-5.8,bound=mi-home")
    assert units.say("bring", units.addresses[0], "--to", SIGNED, "--yes")["outcome"] == "verified"
    assert vault().access(UNIT).can_log_in
    units.say("login", units.addresses[0])


# --- rule H9 and the rest ---------------------------------------------------------------------------------------------


def test_a_bound_unit_with_a_bind_key_is_not_logged_in_to(
    make: Callable[..., Units], type_key: Callable[[Units, str, str], None]
) -> None:
    """`activate` refuses by H9, as it does with an empty vault, and its waiver works."""
    units = make("stock-1.0.0_0130,bound=mi-home")
    unit = units.addresses[0]
    type_key(units, "--bind-key", BIND_KEY)
    assert units.say("activate", unit, code=4)["rule"] == "H9"
    assert units.say("login", unit, code=5)["kind"] == "KeysMissing"
    assert units.say("bring", unit, "--to", "pvvx", "--yes", code=5)["kind"] == "KeysMissing"
    assert units.say("activate", unit, "--replace-keys")["outcome"] == "activated"
    assert units.say("activate", unit)["outcome"] == "nothing-to-do"


def test_a_rehearsal_knows_a_unit_whose_token_alone_is_known(
    make: Callable[..., Units], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin is bound as the unit is, so it is logged in to, not activated."""
    units = make("stock-1.0.0_0130,bound=mi-home")
    unit = units.addresses[0]
    record = MiRecordStore(NorFlash(bytearray(units.flash(0))), MI_STORE).find(KEYS)
    assert record is not None
    monkeypatch.setattr("sys.stdin", io.StringIO(record[:12].hex() + "\n"))
    units.say("login", unit, "--token")
    _, told = units.text("bring", unit, "--to", "pvvx", "--dry-run")
    assert "twin: logged in" in told and "activated" not in told


# --- what comes next: one answer --------------------------------------------------------------------------------------

STOCK, CLOUD = "stock-1.0.0_0130", SIGNED
UNBOUND, BOUND = "", ",bound=mi-home"
FETCH, LOGIN, ACTIVATE = "mitherm keys fetch", "mitherm login A4:C1:38:00:00:01", "mitherm activate A4:C1:38:00:00:01"
FLASH = "mitherm flash A4:C1:38:00:00:01 IMAGE"


@dataclass(frozen=True)
class Situation:
    """A unit, what the vault has of it, and what comes next."""

    spec: str
    vault: str
    word: str
    command: str
    activate: tuple[int, str | None]
    """Exit code and rule of `activate`."""


SITUATIONS = {
    "D2: bound 1.x, bind key": Situation(STOCK + BOUND, "bind key", "keys-needed", FETCH, (4, "H9")),
    "bound 1.x, nothing": Situation(STOCK + BOUND, "", "keys-needed", FETCH, (4, "H9")),
    "bound 1.x, token": Situation(STOCK + BOUND, "token", "login", LOGIN, (0, None)),
    "bound 1.x, token of other keys": Situation(STOCK + BOUND, "wrong", "login", FETCH, (4, "H9")),
    "unbound 1.x, nothing": Situation(STOCK + UNBOUND, "", "activate", ACTIVATE, (0, None)),
    "unbound 1.x, bind key": Situation(STOCK + UNBOUND, "bind key", "activate", ACTIVATE, (0, None)),
    "unbound 1.x, token": Situation(STOCK + UNBOUND, "wrong", "activate", ACTIVATE, (0, None)),
    "bound 2.x, bind key": Situation(CLOUD + BOUND, "bind key", "keys-needed", FETCH, (5, None)),
    "bound 2.x, token": Situation(CLOUD + BOUND, "token", "login", LOGIN, (5, None)),
    "unbound 2.x": Situation(CLOUD + UNBOUND, "", "keys-needed", FETCH, (5, None)),
    "pvvx": Situation("pvvx-5.8", "", "flash", FLASH, (2, None)),
    "atc1441, bind key": Situation("atc1441", "bind key", "flash", FLASH, (2, None)),
}


def fill(units: Units, what: str) -> None:
    """Put it into the vault."""
    keys = {"bind key": MiKeys(bind_key=secret(BIND_KEY)), "wrong": MiKeys(token=secret(TOKEN))}.get(what)
    if what == "token":
        record = MiRecordStore(NorFlash(bytearray(units.flash(0))), MI_STORE).find(KEYS)
        assert record is not None
        keys = MiKeys.from_record(record, None)
    if keys is not None:
        vault().add(UNIT, keys, "typed", wall())


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_four_commands_give_one_next_step(make: Callable[..., Units], situation: Situation) -> None:
    """`info`, `scan`, `doctor` and `activate` agree (defect D2), and what they say to type works.

    Where the vault's token is another unit's, `info` and `scan` cannot know; those who tried it say what leads on.
    """
    units = make(situation.spec)
    unit = units.addresses[0]
    fill(units, situation.vault)
    assert units.say("info", unit)["unit"]["next"] == situation.word  # type: ignore[index]
    (seen,) = units.say("scan")["units"]  # type: ignore[misc]
    assert seen["next"] == situation.word
    out, said = units.text("doctor", unit)
    assert situation.command in out + said
    code, rule = situation.activate
    told = units.say("activate", unit, code=code)
    if code:
        assert told["rule"] == rule
        assert situation.command in str(told["hint"])
    elif situation.word == "activate":
        assert told["outcome"] == "activated"


def test_closing_words_are_commands(make: Callable[..., Units], type_key: Callable[[Units, str, str], None]) -> None:
    """From a unit out of the box to readings, by typing what was said last."""
    units = make(STOCK)
    unit = units.addresses[0]

    def next_after(*words: str) -> str:
        _, said = units.text(*words)
        return said.strip().splitlines()[-1]

    assert next_after("scan") == f"Next: mitherm info {unit}"
    assert next_after("info", unit) == f"Next: mitherm activate {unit}"
    assert next_after("activate", unit) == f"Next: mitherm bring {unit} --to pvvx"
    assert next_after("login", unit) == f"Next: mitherm bring {unit} --to pvvx"
    assert next_after("bring", unit, "--to", "pvvx", "--yes") == "Next: mitherm monitor"
    assert next_after("info", unit) == f"Next: mitherm flash {unit} IMAGE"
    assert next_after("keys", "erase", unit, "--yes") == f"Next: mitherm bring {unit} --to mi-home-ready"
    words = next_after("bring", unit, "--to", "mi-home-ready", "--yes")
    assert words == "Next: add it in the Mi Home app, then mitherm keys fetch"


def test_a_login_without_a_token_says_what_is_possible(make: Callable[..., Units]) -> None:
    """As far as the unit is known: nothing that would fail is named."""
    units = make(STOCK + BOUND)
    unit = units.addresses[0]
    assert f"mitherm info {unit}" in str(units.say("login", unit, code=5)["hint"])
    units.say("info", unit)
    hint = str(units.say("login", unit, code=5)["hint"])
    assert FETCH in hint and f"{ACTIVATE} --replace-keys" in hint
    units.say("activate", unit, "--replace-keys")
    units.say("login", unit)
