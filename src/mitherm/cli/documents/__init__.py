"""The only writer of contract JSON (cli-contract.md): from the values that operations return to the documents of --json.

One module per area, one function per shape. Nothing outside this folder knows a name of the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

SCHEMA: Final = 1

Document: TypeAlias = dict[str, object]
"""A JSON object of the contract, or a part of one."""


def success(command: str, result: Mapping[str, object]) -> Document:
    """The one document of a command that did what it should."""
    return {"schema": SCHEMA, "command": command, "ok": True, "result": result}
