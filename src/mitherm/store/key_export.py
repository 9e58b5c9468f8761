"""Writing keys for other programs; everything written here can be imported again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mitherm.model.address import Address
from mitherm.model.record import KeyGeneration
from mitherm.store import documents
from mitherm.store.moments import iso


@dataclass(frozen=True, slots=True, repr=False)
class KeyExport:
    """A text full of secrets, and the units that have no bind key for it."""

    text: str
    left_out: tuple[Address, ...]


_Row: TypeAlias = tuple[str, str, str]
"""Address, name, bind key in hex."""


def export_keys(target: str, generations: Sequence[KeyGeneration], names: Mapping[Address, str]) -> KeyExport:
    """Keys (one generation for each unit) in the form of a target of `TARGETS`; raises KeyError for another.

    All but `json` take the bind key only.
    """
    if target == "json":
        return KeyExport(_json(generations, names), ())
    write = _WRITERS[target]
    rows = [
        (
            str(generation.address),
            names.get(generation.address, _default_name(generation.address)),
            generation.keys.bind_key.reveal().hex(),
        )
        for generation in generations
        if generation.keys.bind_key is not None
    ]
    return KeyExport(
        write(rows), tuple(generation.address for generation in generations if generation.keys.bind_key is None)
    )


def _ha(rows: Sequence[_Row]) -> str:
    head = "# Home Assistant asks for the bind key of each unit that it finds: Settings > Devices & services.\n"
    return head + "".join(
        f'- mac_address: "{address}"\n  name: {_quoted(name)}\n  bindkey: "{key}"\n' for address, name, key in rows
    )


def _ble_monitor(rows: Sequence[_Row]) -> str:
    return "ble_monitor:\n  devices:\n" + "".join(
        f'    - mac: "{address}"\n      name: {_quoted(name)}\n      encryption_key: "{key}"\n'
        for address, name, key in rows
    )


def _esphome(rows: Sequence[_Row]) -> str:
    return "esp32_ble_tracker:\n\nsensor:\n" + "".join(_esphome_sensor(*row) for row in rows)


def _esphome_sensor(address: str, name: str, key: str) -> str:
    values = ("temperature", "Temperature"), ("humidity", "Humidity"), ("battery_level", "Battery")
    lines = [f'  - platform: xiaomi_lywsd03mmc\n    mac_address: "{address}"\n    bindkey: "{key}"\n']
    lines += [f"    {kind}:\n      name: {_quoted(f'{name} {label}')}\n" for kind, label in values]
    return "".join(lines)


def _theengs(rows: Sequence[_Row]) -> str:
    return json.dumps({"bindkeys": {address: key for address, _, key in rows}}, indent=2) + "\n"


_WRITERS: Final[dict[str, Callable[[Sequence[_Row]], str]]] = {
    "ha": _ha,
    "ble_monitor": _ble_monitor,
    "esphome": _esphome,
    "theengs": _theengs,
}
TARGETS: Final = (*_WRITERS, "json")


def _json(generations: Sequence[KeyGeneration], names: Mapping[Address, str]) -> str:
    rows = [
        {
            "address": str(generation.address),
            "kind": generation.kind,
            "name": names.get(generation.address),
            "token": generation.keys.token.reveal().hex() if generation.keys.token else None,
            "bind_key": generation.keys.bind_key.reveal().hex() if generation.keys.bind_key else None,
            "did": generation.keys.did,
            "origin": generation.origin,
            "created": iso(generation.created),
            "confirmed": iso(generation.confirmed) if generation.confirmed else None,
        }
        for generation in generations
    ]
    return documents.encode({"kind": "mitherm-keys", "keys": rows}).decode()


def _quoted(text: str) -> str:
    """A double-quoted YAML scalar; JSON's is one as long as it needs no escapes of its own."""
    return json.dumps("".join(char for char in text if char.isprintable()), ensure_ascii=False)


def _default_name(address: Address) -> str:
    return f"Thermometer {address.compact[-6:].upper()}"
