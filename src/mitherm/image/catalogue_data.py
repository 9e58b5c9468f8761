"""The data files of this package, read when they are first needed. The only place of `image` that opens anything."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

_GIVEN: dict[str, Any] = {}


def load(name: str) -> Any:
    """The document in force: the one given to `replace`, else the shipped one."""
    return _GIVEN[name] if name in _GIVEN else shipped(name)


def replace(name: str, document: Any) -> None:
    """From now on `load` gives this document; None: the shipped one again."""
    if document is None:
        _GIVEN.pop(name, None)
    else:
        _GIVEN[name] = document


@cache
def shipped(name: str) -> Any:
    """The JSON document `data/NAME.json`."""
    return json.loads(files("mitherm.image").joinpath("data", f"{name}.json").read_text(encoding="utf-8"))
