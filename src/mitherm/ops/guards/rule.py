"""What a rule is, and how rules are enforced: unknown is not OK, and every refusal names its one waiver."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.errors import GuardRefused
from mitherm.image.catalogue import Catalogue, KnownDefect
from mitherm.image.inspection import Inspection
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.address import Address
from mitherm.ops.files.images import SelectedImage

Action: TypeAlias = Literal["flash", "activate", "erase", "configure", "pin", "wire"]


class Ruling(StrEnum):
    """What a rule says."""

    OK = "ok"
    REFUSE = "refuse"
    CANNOT_VERIFY = "cannot-verify"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling with the sentence for people and the facts behind it. `final`: not even the rule's waiver lifts it."""

    ruling: Ruling
    message: str = ""
    evidence: tuple[str, ...] = ()
    final: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What is about to be done to which unit, and what is known besides what the unit shows."""

    action: Action
    address: Address
    """The address the user named."""
    unit: Observation
    """What answers there."""
    image: SelectedImage | None = None
    extended: bool = False
    """Whether the image goes to a cleared area above the banks (command 73)."""
    passing: bool = False
    """Whether another image follows in the same plan."""
    goal: str = ""
    """Where the whole plan leads, for `bring`."""
    records_saved: bool = False
    can_log_in: bool = False
    """Whether there is a token for this unit; a bind key opens nothing."""
    refused_before: bool = False
    """Whether an image like this came to nothing on this unit: the old firmware was back."""
    known_board: str | None = None
    """Board revision that the unit told at an earlier time."""
    known_version: str | None = None
    """Stock version it ran when it was last seen."""
    synthetic_allowed: bool = False
    pin_recorded: bool = False
    """Whether the PIN to be set lies in the user's records."""
    dumped: bool = False
    """Whether a dump of the whole flash lies on disk."""
    hides: tuple[str, ...] = ()
    """Settings to be written after which this computer may not find the unit again."""
    hardware: tuple[str, ...] = ()
    """Settings to be written that say which hardware the unit has."""
    display: tuple[str, ...] = ()
    """Settings to be written that work differently from board to board."""
    catalogue: Catalogue = field(default_factory=shipped_catalogue)
    """Where the bad combinations stand."""

    @property
    def inspection(self) -> Inspection | None:
        """What is known about the image."""
        return self.image.inspection if self.image else None

    @property
    def abilities(self) -> Abilities:
        """What the unit allows and demands."""
        return Abilities.of(self.unit)

    @property
    def board(self) -> str | None:
        """The board the unit shows, else the one it once told."""
        return self.abilities.board or self.known_board

    def known_bad(self, rule: str) -> tuple[KnownDefect, ...]:
        """Rows of the table of bad combinations that name this image on this unit, for one rule."""
        if self.inspection is None:
            return ()
        return tuple(
            row for row in known_bad(self.catalogue, self.inspection.identity, self._facts) if row.rule == rule
        )

    @property
    def _facts(self) -> UnitFacts:
        unit = self.unit
        return UnitFacts(unit.identity.model, self.board, unit.product_id, unit.family, unit.version)


@dataclass(frozen=True, slots=True)
class Rule:
    """One hazard of product-needs.md 6 and what is checked against it.

    `waiver` is the command-line switch that lifts it, None where nothing does. `purpose` says in the documentation what
    the rule demands.
    """

    id: str
    title: str
    purpose: str
    actions: frozenset[Action]
    waiver: str | None
    check: Callable[[Case], Verdict]
    error: type[GuardRefused] = GuardRefused

    def judge(self, case: Case) -> Verdict:
        """The verdict; a rule that is not about the action says so."""
        if case.action not in self.actions:
            return ok(f"not concerned: nothing of the kind happens in the action `{case.action}`")
        return self.check(case)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule and what it said."""

    rule: Rule
    verdict: Verdict
    waived: bool = False
    """Whether the user lifted the rule by name; matters only where the verdict is not OK."""

    @property
    def stands(self) -> bool:
        """Whether it stops the work."""
        return self.verdict.ruling is not Ruling.OK and (self.verdict.final or not self.waived)


def ok(*evidence: str) -> Verdict:
    """Checked and fine."""
    return Verdict(Ruling.OK, "", evidence)


def refuse(message: str, *evidence: str, final: bool = False) -> Verdict:
    """Checked and dangerous."""
    return Verdict(Ruling.REFUSE, message, evidence, final)


def cannot_verify(message: str, *evidence: str) -> Verdict:
    """A fact is missing: blocks like a refusal."""
    return Verdict(Ruling.CANNOT_VERIFY, message, evidence)


def judge(rules: Iterable[Rule], case: Case, waivers: frozenset[str] = frozenset()) -> list[Judgement]:
    """Every rule with its verdict."""
    return [Judgement(rule, rule.judge(case), rule.id in waivers and rule.waiver is not None) for rule in rules]


def enforce(rules: Iterable[Rule], case: Case, waivers: frozenset[str]) -> list[Judgement]:
    """Judge all; raise the error of the first rule that is neither fine nor waived. Returns all judgements."""
    judgements = judge(rules, case, waivers)
    standing = next((judgement for judgement in judgements if judgement.stands), None)
    if standing is not None:
        raise _error(standing, judgements)
    return judgements


def _error(standing: Judgement, judgements: list[Judgement]) -> GuardRefused:
    rule, verdict = standing.rule, standing.verdict
    prefix = "cannot verify: " if verdict.ruling is Ruling.CANNOT_VERIFY else ""
    waiver = None if verdict.final else rule.waiver
    return rule.error(
        prefix + verdict.message,
        rule=rule.id,
        waiver=waiver,
        hint=None if waiver else "no switch lifts this rule",
        result=tuple(judgements),
    )
