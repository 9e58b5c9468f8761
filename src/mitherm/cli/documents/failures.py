"""Errors as documents."""

from __future__ import annotations

from typing import cast

from mitherm.cli.documents import SCHEMA, Document
from mitherm.errors import MiHomeRefused, MithermError, NotVerified
from mitherm.model.operation import Outcome


def failure(command: str, error: MithermError) -> Document:
    """The one document of a command that failed."""
    return {"schema": SCHEMA, "command": command, "ok": False, "error": _error(error), "result": _result(error)}


def _error(error: MithermError) -> Document:
    document: Document = {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "device": error.device,
        "rule": error.rule,
        "waiver": error.waiver,
    }
    code = error.mi_home_code if isinstance(error, MiHomeRefused) else None
    return document if code is None else {**document, "mi_home_code": code}


def _result(error: MithermError) -> Document | None:
    """What there is to report all the same."""
    match error:
        case MiHomeRefused():
            return {"mi_home_code": error.mi_home_code}
        case NotVerified(transfer=transfer) if transfer is not None:
            return {"outcome": Outcome.TRANSFERRED, "found": transfer}
        case _ if error.result is None or isinstance(error.result, dict):
            return cast("Document | None", error.result)
        case _:
            return _of_operation(error.result)


def _of_operation(result: object) -> Document:
    """Operations are loaded here, as usage errors know none."""
    from mitherm.cli.documents import keys, updates
    from mitherm.ops.guards import Judgement
    from mitherm.ops.keys.account import KeyFetch
    from mitherm.ops.keys.import_export import KeyImport
    from mitherm.ops.keys.proof import KeyTest

    match result:
        case KeyImport():
            return keys.key_import(result)
        case KeyTest():
            return keys.key_test(result)
        case KeyFetch():
            return keys.account_keys(result)
        case tuple() if all(isinstance(each, Judgement) for each in result):
            return updates.judgements(result)
    raise TypeError(f"no document for {type(result).__name__}")
