"""Reading keys from the files of other programs; the format is recognised by its content.

Known: Xiaomi-cloud-tokens-extractor (JSON and printed text), ble_monitor, Home Assistant and ESPHome YAML, Home
Assistant's list of entries, TelinkMiFlasher's text, Theengs, CSV with a header line, and every document of ours that
holds `keys`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mitherm.errors import BadFile, SchemaTooNew
from mitherm.model.address import Address
from mitherm.store.documents import SCHEMA
from mitherm.store.key_entries import Checker, Field, ImportedKeys, ImportProblem, RawEntry, entries_of, field_of

_LIMIT: Final = 4 << 20
_KNOWN: Final = "Known: extractor JSON or text, ble_monitor, HA or ESPHome YAML, TelinkMiFlasher text, CSV, our JSON."

_SIGNS: Final[tuple[tuple[str, str, str], ...]] = (  # syntax, sign, format; the first that fits
    ("json", r'"bindkeys"', "theengs"),
    ("json", r'"(homes|BLE_DATA|beaconkey)"', "extractor"),
    ("json", r'"core\.config_entries"', "ha"),
    ("json", r'"schema"', "mitherm"),
    ("yaml", r"encryption_key", "ble_monitor"),
    ("yaml", r"platform\s*:", "esphome"),
    ("yaml", r"bindkey", "ha"),
    ("text", r"(?i)known id|mi (token|bind key)", "flasher"),
    ("text", r"BLE KEY", "extractor"),
)
_YAML_KEY: Final = re.compile(r"(?m)^\s*(- *)*(mac|mac_address|address|bindkey|bind_key|encryption_key|token) *:")
_LABELLED: Final = re.compile(r"([A-Za-z][A-Za-z _]*(?:\([^)]*\))?)\s*[:=]\s*(\S+)")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a file gave."""

    format: str
    keys: tuple[ImportedKeys, ...]
    problems: tuple[ImportProblem, ...]
    """What was left out."""


def read_keys(data: bytes, address: Address | None = None) -> KeyFile:
    """Find keys in a file of any known format; `address` is whose they are where the file does not say.

    Raises BadFile if it is damaged or holds nothing of the kind, SchemaTooNew for a newer mitherm's document.
    """
    text = _text(data)
    syntax = _syntax(text)
    name = next((kind for form, sign, kind in _SIGNS if form == syntax and re.search(sign, text)), syntax)
    checker = Checker(name, address)
    checker.check(_entries(syntax, text))
    if not checker.keys and not checker.problems:
        raise BadFile("there are no keys in this file", hint=_KNOWN)
    return KeyFile(name, tuple(checker.keys), tuple(checker.problems))


def _text(data: bytes) -> str:
    if len(data) > _LIMIT:
        raise BadFile(f"{len(data)} bytes are too many for a file of keys")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise BadFile("this is no text", hint=_KNOWN) from None
    return text


def _syntax(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    if _delimiter(text):
        return "csv"
    return "yaml" if _YAML_KEY.search(text) else "text"


def _entries(syntax: str, text: str) -> list[RawEntry]:
    match syntax:
        case "json":
            return _json_entries(text)
        case "csv":
            return entries_of(list(csv.DictReader(text.strip().splitlines(), delimiter=_delimiter(text) or ",")))
        case "yaml":
            return _yaml_entries(text)
    return _text_entries(text)


def _json_entries(text: str) -> list[RawEntry]:
    try:
        tree = json.loads(text, parse_int=str, parse_float=str)
        entries = entries_of(tree)
    except json.JSONDecodeError as problem:
        raise BadFile(f"this is no valid JSON: line {problem.lineno}, column {problem.colno}") from None
    except (ValueError, RecursionError):
        raise BadFile("this is no valid JSON") from None
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if isinstance(schema, str) and schema.isdecimal() and int(schema) > SCHEMA:
        raise SchemaTooNew(f"the file has schema {schema}; this mitherm knows {SCHEMA}", hint="Update mitherm.")
    return entries


def _yaml_entries(text: str) -> list[RawEntry]:
    from mitherm.store.yaml_text import read_yaml

    errors = []
    for document in read_yaml(text):
        errors += entries_of(document, _substitutions(document))
    return errors


def _substitutions(document: object) -> Mapping[str, str]:
    table = document.get("substitutions") if isinstance(document, dict) else None
    return {str(key): str(value) for key, value in table.items()} if isinstance(table, dict) else {}


def _delimiter(text: str) -> str | None:
    """The delimiter of a CSV header that names an address and a key, else None."""
    header = text.lstrip().partition("\n")[0]
    for delimiter in ",;\t|":
        fields = {field_of(cell, "") for cell in header.split(delimiter)}
        if "address" in fields and fields & {"token", "bind_key"}:
            return delimiter
    return None


def _text_entries(text: str) -> list[RawEntry]:
    """Labelled values in lines: a ruled line ends a unit, and so does a label that comes again with another value."""
    entries: list[RawEntry] = [{}]
    inherited: str | None = None
    for line in text.splitlines():
        if re.search(r"-{5,}|={5,}", line):
            entries.append({})
            inherited = None
        for field, value in _labelled(line):
            if entries[-1].get(field, value) != value:
                inherited = entries[-1].get("address")
                entries.append({})
            if field == "address":
                inherited = None
            elif inherited is not None:
                entries[-1].setdefault("address", inherited)
            entries[-1][field] = value
    return entries


def _labelled(line: str) -> Iterator[tuple[Field, str]]:
    for label, raw in _LABELLED.findall(line):
        value = raw.strip("\"',;()")
        words = label.split()
        tails = (" ".join(words[start:]) for start in range(len(words)))
        meanings = ("did" if tail.lower() == "id" else field_of(tail, value) for tail in tails)
        field = next((meaning for meaning in meanings if meaning), None)
        if field in ("address", "token", "bind_key", "did"):
            yield field, value
