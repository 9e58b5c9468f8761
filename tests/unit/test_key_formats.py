"""Keys from and for other programs: recognised by content, checked, and never quoted in a complaint."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import BadFile, MithermError, SchemaTooNew
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.model.record import KeyGeneration
from mitherm.primitives.secret import Secret
from mitherm.store.key_export import TARGETS, export_keys
from mitherm.store.key_formats import read_keys

A = "A4:C1:38:01:02:03"
B = "A4:C1:38:0A:0B:0C"
TOKEN_A, TOKEN_B = "0102030405060708090a0b0c", "a1a2a3a4a5a6a7a8a9aaabac"
KEY_A, KEY_B = "00112233445566778899aabbccddeeff", "12345678901234567890123456789012"
DID_A, DID_B = "blt.3.1abcdefghijkl", "blt.3.1mnopqrstuvwx"
FULL = {(A, TOKEN_A, KEY_A, DID_A), (B, TOKEN_B, KEY_B, DID_B)}
BIND_KEYS = {(A, None, KEY_A, None), (B, None, KEY_B, None)}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def hex_of(secret: Secret | None) -> str | None:
    return secret.reveal().hex() if secret else None


def plain(result) -> set[tuple]:
    return {(str(one.address), hex_of(one.keys.token), hex_of(one.keys.bind_key), one.keys.did) for one in result.keys}


def load(text: str, address: str | None = None):
    return read_keys(text.encode(), Address.parse(address) if address else None)


# --- the formats ------------------------------------------------------------------------------------------------------

EXTRACTOR_JSON = json.dumps(
    [
        {
            "server": "de",
            "homes": [
                {
                    "home_id": 12,
                    "home_owner": 34,
                    "devices": [
                        {
                            "did": DID_A,
                            "token": TOKEN_A,
                            "name": "Bath",
                            "mac": A,
                            "model": "miaomiaoce.sensor_ht.t2",
                            "BLE_DATA": {"beaconkey": KEY_A, "keyid": "0"},
                        },
                        {"did": "123456789", "token": "ff" * 16, "name": "Lamp", "mac": "50:EC:50:00:00:01"},
                        {"did": DID_B, "token": TOKEN_B, "mac": B, "BLE_DATA": {"beaconkey": KEY_B}},
                    ],
                }
            ],
        },
        {"server": "us", "homes": []},
    ]
)

EXTRACTOR_TEXT = f"""
Devices found for server "de" @ home "12":
   ---------
   NAME:     Bath: upstairs
   ID:       {DID_A}
   BLE KEY:  {KEY_A}
   MAC:      {A}
   TOKEN:    {TOKEN_A}
   MODEL:    miaomiaoce.sensor_ht.t2
   ---------
   NAME:     Lamp
   ID:       123456789
   MAC:      50:EC:50:00:00:01
   IP:       192.168.1.7
   TOKEN:    {"ff" * 16}
   ---------
   NAME:     Hall
   ID:       {DID_B}
   BLE KEY:  {KEY_B}
   MAC:      {B}
   TOKEN:    {TOKEN_B}
   ---------
"""

BLE_MONITOR = f"""
ble_monitor:
  discovery: true
  devices:
    - mac: '{A}'
      name: 'Bath'
      encryption_key: '{KEY_A}'
      temperature_unit: C
    - mac: {B.replace(":", "").lower()}
      encryption_key: {KEY_B}  # digits alone, not quoted
    - mac: 'A4:C1:38:FF:FF:FF'
      name: 'no key needed'
"""

ESPHOME = f"""
substitutions:
  bath_mac: "{A}"
esphome:
  name: proxy
api:
  encryption:
    key: !secret api_key
wifi:
  ssid: !secret wifi_ssid
binary_sensor:
  - platform: gpio
    filters: !lambda |-
      return x;
sensor:
  - platform: xiaomi_lywsd03mmc
    mac_address: ${{bath_mac}}
    bindkey: "{KEY_A}"
    temperature:
      id: bath_temperature
      name: "Bath"
  - platform: bthome_mithermometer
    mac_address: {B}
    bindkey: {KEY_B}
  - platform: atc_mithermometer
    mac_address: "A4:C1:38:FF:FF:FF"
  - !include other.yaml
"""

HA_ENTRIES = json.dumps(
    {
        "version": 1,
        "key": "core.config_entries",
        "data": {
            "entries": [
                {"domain": "xiaomi_ble", "unique_id": A, "title": "Bath", "data": {"bindkey": KEY_A}},
                {"domain": "bthome", "unique_id": B, "data": {"bindkey": KEY_B}},
                {"domain": "nest", "unique_id": "11:22:33:44:55:66", "data": {"token": "secret-of-another"}},
            ]
        },
    }
)

FLASHER = f"""
Device known id: {DID_A}
Mi Token: {TOKEN_A}
Mi Bind Key: {KEY_A}
"""

FLASHER_LOG = f"""
12:01:02: Device MAC: {A}
12:01:02: Device known id: {DID_A}, Mi Token: {TOKEN_A}
12:01:02: Read Mi Bind Key: {KEY_A}
12:05:07: Device MAC: {B}
12:05:07: Device known id: {DID_B}
12:05:07: Mi Token: {TOKEN_B}
12:05:07: Mi Bind Key (hex): {KEY_B}
"""

CLI_DOCUMENT = json.dumps(
    {
        "schema": 1,
        "command": "virtual mi-home keys",
        "ok": True,
        "result": {
            "keys": [
                {
                    "address": A,
                    "token": TOKEN_A,
                    "bind_key": KEY_A,
                    "did": DID_A,
                    "origin": "virtual-mi-home",
                    "created": "2026-01-01T00:00:00Z",
                    "confirmed": None,
                },
                {"address": B, "token": TOKEN_B, "bind_key": KEY_B, "did": DID_B, "origin": "virtual-mi-home"},
            ]
        },
    }
)

CSV = f"name;mac;token;ble_key;did\nBath;{A};{TOKEN_A};{KEY_A};{DID_A}\nHall;{B};{TOKEN_B};{KEY_B};{DID_B}\n"

THEENGS = json.dumps({"host": "localhost", "bindkeys": {A: KEY_A, B: KEY_B}})

FORMATS = {
    "extractor json": (EXTRACTOR_JSON, "extractor", FULL),
    "extractor text": (EXTRACTOR_TEXT, "extractor", FULL),
    "ble_monitor": (BLE_MONITOR, "ble_monitor", BIND_KEYS),
    "esphome": (ESPHOME, "esphome", BIND_KEYS),
    "ha entries": (HA_ENTRIES, "ha", BIND_KEYS),
    "flasher log": (FLASHER_LOG, "flasher", FULL),
    "document": (CLI_DOCUMENT, "mitherm", FULL),
    "csv": (CSV, "csv", FULL),
    "csv tabs": (CSV.replace(";", "\t"), "csv", FULL),
    "theengs": (THEENGS, "theengs", BIND_KEYS),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    """Each format is recognised and gives exactly the thermometers' keys, without complaint."""
    text, kind, expected = FORMATS[name]
    result = load(text)
    assert result.format == kind
    assert result.problems == ()
    assert plain(result) == expected
    assert len(result.keys) == 2


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_windows_encodings(name: str, encoding: str) -> None:
    """A byte order mark and Windows line ends do no harm."""
    text, kind, expected = FORMATS[name]
    result = read_keys(text.replace("\n", "\r\n").encode(encoding))
    assert (result.format, plain(result)) == (kind, expected)


def test_flasher_text_has_no_address() -> None:
    """The page shows the keys of the unit it is connected to; the caller says which that is."""
    assert plain(load(FLASHER, A)) == {(A, TOKEN_A, KEY_A, DID_A)}
    result = load(FLASHER)
    assert result.keys == ()
    assert "address" in result.problems[0].text


def test_names_and_origins_are_kept() -> None:
    """A name comes along; our own documents keep their origin, others give their format."""
    by_address = {str(one.address): one for one in load(BLE_MONITOR).keys}
    assert (by_address[A].name, by_address[A].source, by_address[B].name) == ("Bath", "ble_monitor", None)
    assert {one.source for one in load(CLI_DOCUMENT).keys} == {"virtual-mi-home"}


def test_repeated_keys_count_once() -> None:
    """The same keys twice in a file are one entry; other keys of the same unit are another."""
    text = f"mac,bindkey\n{A},{KEY_A}\n{A},{KEY_A}\n{A},{KEY_B}\n"
    assert plain(load(text)) == {(A, None, KEY_A, None), (A, None, KEY_B, None)}
    assert len(load(text).keys) == 2


def test_registered_again_in_one_log() -> None:
    """Two tokens after one address are two generations of that unit."""
    text = f"MAC: {A}\nMi Token: {TOKEN_A}\nMi Bind Key: {KEY_A}\nMi Token: {TOKEN_B}\nMi Bind Key: {KEY_B}\n"
    assert plain(load(text)) == {(A, TOKEN_A, KEY_A, None), (A, TOKEN_B, KEY_B, None)}


# --- what is wrong is named -------------------------------------------------------------------------------------------


def problem_with(**entry: str | None) -> str:
    result = load(json.dumps({"schema": 1, "keys": [{"address": A, **entry}]}))
    assert result.keys == ()
    return " / ".join(problem.text for problem in result.problems)


def test_swapped_lengths_are_named() -> None:
    """A token in place of the bind key, and the other way round, are called by their names."""
    assert "length of a token" in problem_with(bind_key=TOKEN_A)
    assert "length of a bind key" in problem_with(token=KEY_A)


def test_the_good_half_is_kept() -> None:
    """A wrong token does not take the bind key with it."""
    result = load(f"mac,token,bindkey\n{A},{KEY_A},{KEY_B}\n")
    assert plain(result) == {(A, None, KEY_B, None)}
    assert len(result.problems) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("xyz" * 8, "not hex"),
        (KEY_A[:-1], "31 hex digits"),
        ("!secret bath_key", "elsewhere"),
        ("${bath_key}", "placeholder"),
        (KEY_A[:-2], "not 15"),
    ],
)
def test_unusable_values_are_named(text: str, words: str) -> None:
    """Each reason has its own words, with the unit, without the value."""
    message = problem_with(bind_key=text)
    assert words in message
    assert A in message
    assert "bind key" in message
    if text[0] not in "!$":
        assert text not in message


def test_yaml_secret_is_a_problem() -> None:
    """A bind key behind `!secret` cannot be had from this file."""
    result = load(f"sensor:\n  - platform: xiaomi_lywsd03mmc\n    mac_address: {A}\n    bindkey: !secret bath\n")
    assert result.keys == ()
    assert "!secret" in result.problems[0].text


def test_redacted_document_is_a_problem() -> None:
    """A document made without --reveal says how to make it again."""
    rows = [{"address": A, "token": None, "bind_key": None, "redacted": True}]
    result = load(json.dumps({"schema": 1, "result": {"keys": rows}}))
    assert "--reveal" in result.problems[0].text


def test_a_bad_address_is_a_problem() -> None:
    """Keys of nobody are not guessed at."""
    result = load(f"mac,bindkey\nbathroom,{KEY_A}\n", B)
    assert result.keys == ()
    assert KEY_A not in result.problems[0].text


def test_a_bad_did_is_left_out() -> None:
    """Keys are worth keeping without the DID."""
    result = load(json.dumps({"address": A, "token": TOKEN_A, "did": "blt." + "x" * 40}))
    assert plain(result) == {(A, TOKEN_A, None, None)}
    assert "DID" in result.problems[0].text


def test_newer_document() -> None:
    """Our own documents of a later schema are refused, not guessed."""
    with pytest.raises(SchemaTooNew):
        load(json.dumps({"schema": 2, "keys": [{"address": A, "token": TOKEN_A}]}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        "[",
        '{"keys": [',
        "sensor:\n\t- mac: x\n",
        "mac: [",
        "mac: !!int x",
        "mac: !!python/object:os.system x",
        "[" * 100000,
        "mac: " + "[" * 600,
        json.dumps({"mac": A, "name": "no keys"}),
    ],
)
def test_useless_files(text: str) -> None:
    """Damaged or foreign files are BadFile, whatever is wrong with them."""
    with pytest.raises(BadFile):
        load(text)


def test_binary_and_huge_files() -> None:
    """A firmware image is no file of keys; neither is a disk image."""
    with pytest.raises(BadFile):
        read_keys(bytes(range(128, 256)))
    with pytest.raises(BadFile):
        read_keys(b" " * (5 << 20))


def test_yaml_aliases_do_not_explode() -> None:
    """Nested aliases are looked at once each."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 60))
    text = f"l0: &l0\n  - mac: {A}\n    encryption_key: {KEY_A}\n{levels}"
    assert plain(load(text)) == {(A, None, KEY_A, None)}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([text for text, _, _ in FORMATS.values()]), st.integers(0, 3000), st.characters())
def test_damage_never_shows_keys(text: str, position: int, char: str) -> None:
    """One wrong character anywhere: keys or a clean error, and no message quotes a key."""
    position %= len(text)
    damaged = text[:position] + char + text[position + 1 :]
    try:
        result = read_keys(damaged.encode("utf-8", "surrogatepass"))
        said = repr(result.problems) + repr(result)
    except MithermError as error:
        said = f"{error} {error.hint}"
    assert not any(secret[:10] in said.lower() for secret in (TOKEN_A, TOKEN_B, KEY_A, KEY_B))


# --- and back ---------------------------------------------------------------------------------------------------------


def generation(address: str, token: str | None, bind_key: str | None, did: str | None) -> KeyGeneration:
    keys = MiKeys(Secret.from_hex(token) if token else None, Secret.from_hex(bind_key) if bind_key else None, did)
    return KeyGeneration("id", Address.parse(address), keys, "account", NOW)


@pytest.mark.parametrize("target", TARGETS)
def test_round_trip(target: str) -> None:
    """Everything exported can be imported again: the bind key everywhere, all of it as JSON."""
    generations = [generation(*row) for row in sorted(FULL)]
    exported = export_keys(target, generations, {Address.parse(A): 'Bad "Bath": #1 \\ ü😀\n'})
    result = load(exported.text)
    assert exported.left_out == ()
    assert result.format == ("mitherm" if target == "json" else target)
    assert plain(result) == (FULL if target == "json" else BIND_KEYS)
    assert result.problems == ()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(TARGETS),
    st.lists(
        st.tuples(st.binary(min_size=6, max_size=6), st.binary(min_size=16, max_size=16), st.text(max_size=20)),
        max_size=4,
    ),
)
def test_round_trip_of_anything(target: str, units: list[tuple[bytes, bytes, str]]) -> None:
    """Any address, key and name survive the trip."""
    units = list({octets: (octets, key, name) for octets, key, name in units}.values())
    generations = [generation(Address(octets).compact, None, key.hex(), None) for octets, key, _ in units]
    text = export_keys(target, generations, {Address(octets): name for octets, _, name in units}).text
    expected = {(str(Address(octets)), None, key.hex(), None) for octets, key, _ in units}
    if expected:
        assert plain(read_keys(text.encode("utf-8", "surrogatepass"))) == expected


def test_beacon_keys_stay_beacon_keys() -> None:
    """Our JSON keeps pvvx's own keys apart from Mi credentials."""
    beacon_key = replace(generation(A, None, KEY_A, None), kind="beacon_key")
    kinds = [
        one.kind for one in load(export_keys("json", [beacon_key, generation(B, None, KEY_B, None)], {}).text).keys
    ]
    assert kinds == ["beacon_key", "mi"]


@pytest.mark.parametrize("target", TARGETS)
def test_units_without_bind_key_are_named(target: str) -> None:
    """Only JSON can hold a token alone; the others say who is missing."""
    exported = export_keys(target, [generation(A, TOKEN_A, None, None)], {})
    assert exported.left_out == (() if target == "json" else (Address.parse(A),))
    assert TOKEN_A not in repr(exported)


def test_ble_monitor_file_by_hand() -> None:
    """The text is what ble_monitor's users write."""
    assert export_keys("ble_monitor", [generation(A, TOKEN_A, KEY_A, DID_A)], {}).text == (
        "ble_monitor:\n"
        "  devices:\n"
        f'    - mac: "{A}"\n'
        '      name: "Thermometer 010203"\n'
        f'      encryption_key: "{KEY_A}"\n'
    )


def test_unknown_target() -> None:
    """A target that does not exist is the caller's mistake."""
    with pytest.raises(KeyError):
        export_keys("zigbee", [], {})
