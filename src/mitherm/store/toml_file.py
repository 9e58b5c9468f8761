"""What people wrote into a TOML file, as a frozen dataclass. The only user of cattrs."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mitherm.errors import FileMissing, MithermError, SettingsError
from mitherm.model.address import Address

if TYPE_CHECKING:
    from cattrs import Converter

_T = TypeVar("_T")
_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "Address": "an address",
    "tuple": "a list",
}
"""What people call it."""


def read_toml(path: Path, kind: type[_T]) -> _T:
    """The file as an instance of a dataclass. Raises FileMissing, SettingsError for everything that is unknown, missing
    or of the wrong type; messages name the keys and quote no values, since URLs may contain passwords.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"cannot read {path}: {problem}") from None
    import cattrs

    try:
        return _converter().structure(table, kind)
    except cattrs.BaseValidationError as problem:
        raise SettingsError(f"{path}: {'; '.join(_mistakes(problem))}", hint=_hint(problem)) from None
    except SettingsError as problem:
        raise SettingsError(f"{path}: {problem.message}", hint=problem.hint) from None


def _converter() -> Converter:
    """Nothing is converted silently: cattrs by itself would take the text "5" for a number."""
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(Address, lambda value, _: Address.parse(value))
    return converter


def _strict(value: Any, kind: type[Any]) -> Any:
    if issubclass(kind, Enum):  # a StrEnum is a str, too
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(kind)
    return value


def _mistakes(problem: BaseException) -> Iterator[str]:
    """mqtt: unknown setting layuot; mqtt.queue: a whole number is wanted"""
    import cattrs

    for line in cattrs.transform_error(problem, path="", format_exception=_text):
        text, _, where = line.rpartition(" @ ")
        yield f"{where.lstrip('.')}: {text}" if where else text


def _text(problem: BaseException, kind: type | None) -> str:
    import cattrs

    match problem:
        case cattrs.ForbiddenExtraKeysError():
            return f"unknown setting {', '.join(sorted(problem.extra_fields))}"
        case MithermError():
            return problem.message
        case KeyError():
            return "it is missing"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(member.value for member in kind)} is wanted"
    name = getattr(kind, "__name__", "")
    return f"{_KINDS.get(name, 'a table')} is wanted"


def _hint(problem: BaseException) -> str | None:
    """What an unknown setting may have been meant to be."""
    import cattrs

    for leaf in _leaves(problem):
        if isinstance(leaf, cattrs.ForbiddenExtraKeysError):
            names = [field_.name for field_ in fields(leaf.cl)]
            close = difflib.get_close_matches(min(leaf.extra_fields), names, n=1)
            return f"Did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return None


def _leaves(problem: BaseException) -> Iterator[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        for inner in problem.exceptions:
            yield from _leaves(inner)
    else:
        yield problem
