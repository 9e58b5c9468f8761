"""What the judges have in common: one verdict for every case, whatever goes wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Case = dict[str, Any]
Problem = str | None
Verdicts = Iterator[tuple[str, Problem]]
Judge = Callable[[Case], Verdicts]


class Wrong(Exception):
    """The case does not hold."""


def need(holds: bool, otherwise: str) -> None:
    """Raise Wrong unless it holds."""
    if not holds:
        raise Wrong(otherwise)


def verdict(check: Callable[..., Problem], *arguments: Any) -> Problem:
    """The answer of a check; an exception is an answer too, so that the cases behind it are still judged."""
    try:
        return check(*arguments)
    except Wrong as wrong:
        return str(wrong)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


def each(check: Callable[[Case], Problem]) -> Judge:
    """A judge from a check of one case."""

    def judge(document: Case) -> Verdicts:
        for number, case in enumerate(document["cases"]):
            yield case.get("name", f"case {number}"), verdict(check, case)

    return judge


def first(problems: Iterator[Problem]) -> Problem:
    """The first problem, if any."""
    return next((problem for problem in problems if problem is not None), None)


def differs(expected: object, got: object, what: str) -> Problem:
    """None where both are equal."""
    return None if expected == got else f"{what}: expected {expected!r}, got {got!r}"


def number(value: int | str) -> int:
    """A number as JSON has it, or spelled (0x...)."""
    return value if isinstance(value, int) else int(value, 0)


def unhex(text: str | None) -> bytes | None:
    """Hex or nothing."""
    return None if text is None else bytes.fromhex(text)
