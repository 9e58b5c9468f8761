"""Errors as documents."""

from __future__ import annotations

from typing import cast

from mitherm.cli.documents import Document
from mitherm.errors import MithermError


def failure(error: MithermError) -> Document:
    """`error` and `result` of the envelope."""
    return {"error": _error(error), "result": _result(error.result)}


def _error(error: MithermError) -> Document:
    document: Document = {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "device": error.device,
        "rule": error.rule,
        "waiver": error.waiver,
    }
    code = getattr(error, "mi_home_code", None)
    return document if code is None else {**document, "mi_home_code": code}


def _result(value: object) -> Document | None:
    """What there is to report all the same. Usage errors have none, and know no operation: those load when needed."""
    if value is None or isinstance(value, dict):
        return cast("Document | None", value)
    from mitherm.cli.documents.updates import judgements
    from mitherm.ops.guards import Judgement

    match value:
        case tuple() if all(isinstance(each, Judgement) for each in value):
            return judgements(value)
    raise TypeError(f"no document for {type(value).__name__}")
