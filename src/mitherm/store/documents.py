"""JSON documents with a schema number: reading them without trusting them, writing them readably."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from mitherm.errors import SchemaTooNew, StoreError

SCHEMA: Final = 1

_T = TypeVar("_T")


class MalformedDocument(ValueError):
    """A document that lacks a field or has one of the wrong kind; says which, never what it held."""


def encode(document: Mapping[str, object]) -> bytes:
    """A document as a file that people can read."""
    return (json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False) + "\n").encode()


def encode_line(document: Mapping[str, object], schema: int = SCHEMA) -> str:
    """A document as one line."""
    return json.dumps({"schema": schema, **document}, ensure_ascii=False, separators=(",", ":"))


def read(path: Path, error: type[StoreError]) -> dict[str, Any]:
    """The document in a file; raises `error` if it is unreadable and SchemaTooNew if a newer mitherm wrote it."""
    try:
        return decode(path.read_bytes(), path)
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from problem
    except MalformedDocument as problem:
        raise error(f"{path} is damaged: {problem}") from None


def read_lines(path: Path, newest: int = SCHEMA) -> Iterator[dict[str, Any] | MalformedDocument | SchemaTooNew]:
    """Every line of a file as document or as what is wrong with it; a torn last line is left out.

    `newest`: the highest schema that the caller understands.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    lines = raw.split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield decode(line, path, newest)
        except SchemaTooNew as problem:
            yield problem
        except MalformedDocument as problem:
            yield MalformedDocument(f"line {number}: {problem}")


def decode(raw: bytes, path: Path, newest: int = SCHEMA) -> dict[str, Any]:
    """Bytes to a document of a schema we know; raises MalformedDocument or SchemaTooNew."""
    try:
        document = json.loads(raw)
    except ValueError:
        raise MalformedDocument("it is no JSON") from None
    if not isinstance(document, dict):
        raise MalformedDocument("it is no JSON object")
    schema = field(document, "schema", int)
    if schema > newest:
        raise SchemaTooNew(
            f"{path} has schema {schema}; this mitherm knows {newest}", hint="Update mitherm; the file was left alone."
        )
    return document


def field(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    """A field that must be there and of this kind; raises MalformedDocument."""
    value = document.get(name)
    if not isinstance(value, kind):
        raise MalformedDocument(f"{name} is missing or no {kind.__name__}")
    return value


def optional(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T | None:
    """Like `field`, but None where it is missing or null."""
    return None if document.get(name) is None else field(document, name, kind)
