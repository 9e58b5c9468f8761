"""From what the user wrote after --radio to a radio."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from mitherm.errors import RadioUnavailable, UsageProblem
from mitherm.radio.gatt import Radio

Kind: TypeAlias = Literal["system", "virtual", "air", "hci", "esphome"]

FORMS: Final = "system, system:hci1, virtual:DIR, air:DIR, hci:MONIKER or esphome:HOST[:PORT]"
_NEEDS_ARGUMENT: Final = ("virtual", "air", "hci", "esphome")
_ADAPTER: Final = re.compile(r"hci\d+")


@dataclass(frozen=True, slots=True)
class RadioName:
    """A parsed RADIO (cli-contract.md): `argument` is an adapter, a folder, a moniker or HOST[:PORT], or empty."""

    kind: Kind
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> RadioName:
        """Raises UsageProblem."""
        kind, _, argument = text.strip().partition(":")
        if kind != "system" and kind not in _NEEDS_ARGUMENT:
            raise UsageProblem(f"unknown radio {text!r}", hint=f"a radio is {FORMS}")
        if kind in _NEEDS_ARGUMENT and not argument:
            raise UsageProblem(f"{kind}: needs something after the colon", hint=f"a radio is {FORMS}")
        if kind == "system" and argument and not _ADAPTER.fullmatch(argument):
            raise UsageProblem(f"{argument!r} is no adapter", hint="adapters are called hci0, hci1, ...")
        return cls(cast(Kind, kind), argument)

    @property
    def simulated(self) -> bool:
        """Whether its units live in this process."""
        return self.kind in ("virtual", "air")

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind


@asynccontextmanager
async def open_radio(name: RadioName) -> AsyncIterator[Radio]:
    """A radio of the operating system. The others are put together by the program that has them.

    Raises RadioUnavailable; a missing adapter shows up at the first use.
    """
    if name.kind == "esphome":
        raise RadioUnavailable(
            f"Bluetooth proxies such as {name.argument} cannot be used yet",
            hint="Use an adapter of this computer: `--radio system`.",
        )
    if name.kind != "system":
        raise ValueError(f"{name} is not opened here")
    from mitherm.radio.bleak_radio import BleakRadio

    async with BleakRadio(name=str(name), adapter=name.argument or None) as radio:
        yield radio
