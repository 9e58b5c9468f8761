"""Secrets that are typed: hidden, never an argument, wrong lengths named."""

from __future__ import annotations

import click

from mitherm.errors import KeysMismatch
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret


def type_token(question: str) -> Secret | None:
    """A token from the terminal; None for an empty answer. Raises KeysMismatch for what cannot be one."""
    text = click.prompt(question, hide_input=True, err=True, default="", show_default=False)
    return parse_token(text) if text.strip() else None


def parse_token(text: str) -> Secret:
    """From hex digits. Raises KeysMismatch, naming what was mixed up."""
    try:
        return MiKeys(token=Secret.from_hex(text)).token or Secret(b"")
    except ValueError as problem:
        raise KeysMismatch(str(problem)) from None
