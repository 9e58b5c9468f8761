"""JSON Schemas (draft 2020-12) of every document that --json prints, as shipped in the folder `schemas`."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

JsonSchema = dict[str, Any]


def schema_names() -> list[str]:
    """All files: one per command (`keys show`), one per kind of line (`scan --watch`), `envelope` and `common`."""
    names = (entry.name for entry in files("mitherm").joinpath("schemas").iterdir())
    return sorted(name.removesuffix(".json").replace("_", " ") for name in names if name.endswith(".json"))


def schema(name: str) -> JsonSchema:
    """One schema by command; its references are names of other files. Raises FileNotFoundError."""
    file = files("mitherm").joinpath("schemas", f"{name.replace(' ', '_')}.json")
    document: JsonSchema = json.loads(file.read_text(encoding="utf-8"))
    return document
