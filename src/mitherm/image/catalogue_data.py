"""The data files of this package, read when they are first needed. The only place of `image` that opens anything."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> Any:
    """The JSON document `data/NAME.json`."""
    return json.loads(files("mitherm.image").joinpath("data", f"{name}.json").read_text(encoding="utf-8"))
