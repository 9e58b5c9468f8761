"""One switch for every rule that can be waived, made from the table of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mitherm.ops.guards import RULES

_PREFIX = "waive_"


def waiver_options(*actions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the waiver switches of all rules that concern one of `actions`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for rule in reversed(RULES):
            if rule.waiver and rule.actions & set(actions):
                option = click.option(
                    rule.waiver,
                    f"{_PREFIX}{rule.id.lower()}",
                    is_flag=True,
                    help=f"Waive rule {rule.id}: {rule.title[0].lower()}{rule.title[1:]}.",
                )
                function = option(function)
        return function

    return decorate


def waived(options: dict[str, Any]) -> frozenset[str]:
    """Ids of the rules that were waived, out of a command's keyword arguments."""
    return frozenset(
        name.removeprefix(_PREFIX).upper() for name, value in options.items() if name.startswith(_PREFIX) and value
    )
