"""What tests of several areas share."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from mitherm.cli.schemas import schema, schema_names


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator of one shipped schema, its references resolved among the shipped files only."""
    resources = [(f"{one.replace(' ', '_')}.json", Resource.from_contents(schema(one))) for one in schema_names()]
    return Draft202012Validator(schema(name), registry=Registry().with_resources(resources))


def assert_document(text: str, command: str) -> dict[str, Any]:
    """`text` is exactly one document of `command` (`flash`, `keys show`), as its schema says; returns it."""
    document = json.loads(text)
    assert_fits(document, command)
    return document


def assert_fits(document: Any, name: str) -> None:
    """`document` fits the schema `name`."""
    problems = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]
    assert not problems, f"{name}: {problems}\n{document}"
