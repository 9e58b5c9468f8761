"""A finding, and the small object that can come to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mitherm.model.address import Address
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.next_step import next_command

NEXT: Final = "{next}"
"""Stands for the command of the unit's next step."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a cause applies; `remedy` and `command` stand in for those of the cause where the evidence knows better."""

    reasons: tuple[str, ...]
    remedy: str | None = None
    command: str | None = None


Judge: TypeAlias = Callable[[Evidence], Proof | None]


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of the specification: an id, what it means, how to cure it, and the rule that recognises it."""

    id: str
    title: str
    remedy: str
    command: str | None
    """`{unit}` stands for the address, NEXT for the next step; None where no command cures."""
    judge: Judge
    symptoms: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    """Other ids under which the same cause is known; the better ranked one is reported."""
    about: Literal["unit", "host"] = "unit"
    blinding: bool = False
    """While it lasts, nothing seen through the connection can be trusted: no other cause is looked for."""


def cause(
    name: str,
    *,
    title: str,
    remedy: str,
    command: str | None = None,
    symptoms: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    about: Literal["unit", "host"] = "unit",
    blinding: bool = False,
) -> Callable[[Judge], Cause]:
    """Make a rule the cause `name`. Rules rank by their order in the file: see `table.CAUSES`."""

    def registered(judge: Judge) -> Cause:
        return Cause(name, title, remedy, command, judge, symptoms, also, about, blinding)

    return registered


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that applies, with its evidence, the remedy, and the command that cures it where there is one."""

    id: str
    title: str
    evidence: tuple[str, ...]
    remedy: str
    command: str | None
    unit: Address | None = None
    also: tuple[str, ...] = field(default=())
    fits: bool = False
    """It explains a symptom that the user told."""


def finding(cause: Cause, proof: Proof, evidence: Evidence) -> Finding:
    """Put together what the cause says in general and the proof in particular."""
    command = proof.command or cause.command
    unit = str(evidence.unit or "UNIT")
    command = command and command.replace(NEXT, next_command(evidence.next_step, unit)).replace("{unit}", unit)
    remedy, fits = proof.remedy or cause.remedy, evidence.says(*cause.symptoms)
    return Finding(cause.id, cause.title, proof.reasons, remedy, command, evidence.unit, cause.also, fits)


def because(*reasons: str | None, remedy: str | None = None, command: str | None = None) -> Proof:
    """A proof from the reasons that hold."""
    return Proof(tuple(reason for reason in reasons if reason), remedy, command)
