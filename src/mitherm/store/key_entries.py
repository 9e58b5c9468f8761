"""Keys as other programs write them: their names for things, found at any depth, checked and named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mitherm.model.address import Address
from mitherm.model.keys import TOKEN_LENGTH, MiKeys, did_record
from mitherm.model.record import KeyKind
from mitherm.primitives.secret import Secret

Field: TypeAlias = Literal["address", "token", "bind_key", "did", "name", "origin", "kind", "redacted"]
RawEntry: TypeAlias = dict[Field, str]
"""What a file says about one unit, unchecked."""

_NAMES: Final[dict[Field, str]] = {
    "address": "mac macaddress address btmac btaddress devicemac deviceaddress hwmac uniqueid",
    "token": "token mitoken devicetoken",
    "bind_key": "bindkey mibindkey beaconkey blekey encryptionkey",
    "did": "did id deviceid deviceknownid knownid",
    "name": "name devicename",
    "origin": "origin",
    "kind": "kind",
    "redacted": "redacted",
}
_FIELDS: Final = {name: field for field, names in _NAMES.items() for name in names.split()}
_OTHER_INTEGRATIONS: Final = ("xiaomi_ble", "bthome")
"""Home Assistant's list of entries holds tokens of everything; only these two know thermometers."""


@dataclass(frozen=True, slots=True)
class ImportedKeys:
    """Checked keys of one unit and where they came from."""

    address: Address
    keys: MiKeys
    source: str
    name: str | None = None
    kind: KeyKind = "mi"


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """Something that was left out: whose it is (None: not told) and a sentence for people without key material."""

    address: Address | None
    text: str


def field_of(label: str, value: str) -> Field | None:
    """What a label of some program means, if it has to do with keys."""
    normal = re.sub(r"\(.*?\)|[^a-z0-9]", "", label.lower())
    if normal == "id" and not value.startswith("blt."):
        return None
    if normal == "uniqueid" and _parsed(value) is None:
        return None
    return _FIELDS.get(normal)


def entries_of(tree: object, substitutions: Mapping[str, str] | None = None) -> list[RawEntry]:
    """Every unit in nested lists and mappings; keys in nested mappings belong to the nearest address above them."""
    walk = _Walk(substitutions or {})
    walk.visit(tree, None)
    return walk.found


class _Walk:
    def __init__(self, substitutions: Mapping[str, str]) -> None:
        self.found: list[RawEntry] = []
        self._substitutions = substitutions
        self._seen: set[int] = set()  # a YAML alias may name the same node many times

    def visit(self, node: object, entry: RawEntry | None) -> None:
        if not isinstance(node, list | dict) or id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, list):
            for item in node:
                self.visit(item, entry)
        elif node.get("domain", "bthome") in _OTHER_INTEGRATIONS:
            self._visit_mapping({str(key): value for key, value in node.items()}, entry)

    def _visit_mapping(self, node: dict[str, object], entry: RawEntry | None) -> None:
        own = self._own(node)
        if "address" in own or (entry is None and own.keys() & {"token", "bind_key"}):
            entry = {}
            self.found.append(entry)
        if entry is not None:
            entry.update((field, value) for field, value in own.items() if field not in entry)
        for key, value in node.items():
            if _parsed(key) is not None:
                self._visit_keyed(key, value)
            else:
                self.visit(value, entry)

    def _visit_keyed(self, address: str, value: object) -> None:
        entry: RawEntry = {"address": address}
        self.found.append(entry)
        if isinstance(value, str):
            entry["bind_key"] = value
        else:
            self.visit(value, entry)

    def _own(self, node: dict[str, object]) -> RawEntry:
        own: RawEntry = {}
        for key, value in node.items():
            text = "true" if value is True else value
            if isinstance(text, str) and text.strip():
                text = self._resolved(text.strip())
                if field := field_of(key, text):
                    own.setdefault(field, text)
        return own

    def _resolved(self, text: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: self._substitutions.get(match[1], match[0]), text)


class Checker:
    """Turns raw entries into keys and collects what is wrong with them, never quoting a key."""

    def __init__(self, source: str, default: Address | None) -> None:
        self.keys: list[ImportedKeys] = []
        self.problems: list[ImportProblem] = []
        self._source = source
        self._default = default

    def check(self, entries: Iterable[RawEntry]) -> None:
        """Check each entry; those without keys, and Wi-Fi devices of the account, are none of our business."""
        for entry in entries:
            if entry.keys() & {"token", "bind_key"} and not _is_wifi(entry):
                self._check(entry)
            elif entry.get("redacted") == "true":
                whose = entry.get("address")
                self._leave_out(_parsed(whose), f"the keys of {whose or 'a unit'} are redacted; repeat with --reveal")
        self.keys = list(dict.fromkeys(self.keys))

    def _check(self, entry: RawEntry) -> None:
        if (address := self._address(entry)) is None:
            return
        token, bind_key = self._secret(entry, "token", address), self._secret(entry, "bind_key", address)
        if token is None and bind_key is None:
            return
        keys = MiKeys(token, bind_key, self._did(entry, address))
        source, kind = entry.get("origin", self._source), entry.get("kind")
        self.keys.append(
            ImportedKeys(address, keys, source, entry.get("name"), "beacon_key" if kind == "beacon_key" else "mi")
        )

    def _address(self, entry: RawEntry) -> Address | None:
        text = entry.get("address")
        if text is None:
            if self._default is None:
                self._leave_out(None, "there are keys without an address; say which unit they belong to")
            return self._default
        if (address := _parsed(text)) is None:
            self._leave_out(None, "there are keys with an address that is none")
        return address

    def _secret(self, entry: RawEntry, field: Literal["token", "bind_key"], address: Address) -> Secret | None:
        if (text := entry.get(field)) is None:
            return None
        try:
            secret = Secret(_hex_bytes(text))
            MiKeys(token=secret) if field == "token" else MiKeys(bind_key=secret)
        except ValueError as problem:
            self._leave_out(address, f"{field.replace('_', ' ')} of {address}: {problem}")
            return None
        return secret

    def _did(self, entry: RawEntry, address: Address) -> str | None:
        if (text := entry.get("did")) is None:
            return None
        try:
            did_record(text)
        except ValueError:
            self._leave_out(address, f"DID of {address}: a DID has 1 to 20 ASCII characters; left out")
            return None
        return text

    def _leave_out(self, address: Address | None, text: str) -> None:
        self.problems.append(ImportProblem(address, text))


def _parsed(text: str | None) -> Address | None:
    try:
        return Address.parse(text or "")
    except ValueError:
        return None


def _is_wifi(entry: RawEntry) -> bool:
    did, token = entry.get("did", "blt."), entry.get("token", "")
    return not did.startswith("blt.") and "bind_key" not in entry and len(token) != 2 * TOKEN_LENGTH


def _hex_bytes(text: str) -> bytes:
    if text.startswith("!"):
        raise ValueError("it stands elsewhere (!secret or the like); put the value itself into the file")
    if "$" in text:
        raise ValueError("it is a placeholder; put the value itself into the file")
    digits = re.sub(r"^0x|[\s:-]", "", text)
    if not re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise ValueError("not hex digits")
    if len(digits) % 2:
        raise ValueError(f"{len(digits)} hex digits is an odd number: one is missing or too many")
    return bytes.fromhex(digits)
