"""Keys as people see them: hidden unless revealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitherm.cli.context import App


def render_keys(app: App, result: Mapping[str, Any]) -> None:
    """A table; secrets only where revealed."""
    rows = []
    for key in result["keys"]:
        hidden = "hidden" if key.get("redacted") else ""
        state = "superseded" if key["superseded"] else "confirmed" if key["confirmed"] else "not yet confirmed"
        rows.append(
            (
                key["address"],
                key["token"] or hidden,
                key["bind_key"] or hidden,
                key["did"],
                key["origin"],
                key["created"],
                state,
            )
        )
    app.terminal.table(("address", "token", "bind key", "DID", "origin", "created", "state"), rows)
