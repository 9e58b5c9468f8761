"""Keys as scripts and people see them: redacted unless revealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitherm.cli.context import App
from mitherm.model.record import KeyGeneration
from mitherm.primitives.secret import Secret


def key_row(generation: KeyGeneration, reveal: bool) -> dict[str, object]:
    """`result.keys[]` of the contract."""
    keys = generation.keys
    row: dict[str, object] = {
        "address": str(generation.address),
        "token": _shown(keys.token, reveal),
        "bind_key": _shown(keys.bind_key, reveal),
        "did": keys.did,
        "origin": generation.origin,
        "created": generation.created.isoformat().replace("+00:00", "Z"),
        "confirmed": generation.confirmed.isoformat().replace("+00:00", "Z") if generation.confirmed else None,
        "kind": generation.kind,
        "fingerprint": keys.fingerprint,
        "superseded": generation.superseded.isoformat().replace("+00:00", "Z") if generation.superseded else None,
    }
    if not reveal:
        row["redacted"] = True
    return row


def _shown(secret: Secret | None, reveal: bool) -> str | None:
    return secret.reveal().hex() if reveal and secret is not None else None


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
