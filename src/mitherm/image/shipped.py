"""The catalogue that comes with this package. The only module of `image` that opens anything."""

from __future__ import annotations

import json
import pkgutil
from functools import cache
from typing import Any

from mitherm.image.catalogue import Catalogue


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue of this version of mitherm; read when it is first asked for (some milliseconds)."""
    return Catalogue.from_table(shipped_table())


def shipped_table() -> dict[str, Any]:
    """The same as the document that a catalogue file has (ops/files/catalogue_file.py), but without a seal."""
    table: dict[str, Any] = _read("catalogue")
    return table | {"known_bad": _read("known_bad")}


def _read(name: str) -> Any:
    # Not importlib.resources: its first use costs 30 ms, more than all the rest of a short command.
    data = pkgutil.get_data("mitherm.image", f"data/{name}.json")
    if data is None:
        raise FileNotFoundError(f"data/{name}.json is missing in this installation of mitherm")
    return json.loads(data)
