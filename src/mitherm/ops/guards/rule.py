"""What a rule is, and how rules are enforced: unknown is not OK, and every refusal names its one waiver."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mitherm.device.observation import Observation
from mitherm.errors import GuardRefused
from mitherm.model.address import Address
from mitherm.ops.images import Chosen


class Ruling(StrEnum):
    """What a rule says."""

    OK = "ok"
    REFUSE = "refuse"
    CANNOT_VERIFY = "cannot-verify"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling with the sentence for people and the facts behind it."""

    ruling: Ruling
    message: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """What is about to be done to which unit."""

    action: Literal["flash", "activate", "erase"]
    chosen: Address
    """The address the user named."""
    seen: Observation
    image: Chosen | None = None
    records_saved: bool = False
    has_keys: bool = False
    """Whether the vault can log in to this unit."""
    synthetic_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One hazard of product-needs.md 6 and what is checked against it.

    `waiver` is the command-line switch that lifts it, None where nothing does.
    """

    id: str
    title: str
    actions: frozenset[str]
    waiver: str | None
    check: Callable[[Case], Verdict]
    error: type[GuardRefused] = GuardRefused


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule and what it said."""

    rule: Rule
    verdict: Verdict

    def to_json(self, waived: bool) -> dict[str, object]:
        """For results and the journal."""
        return {
            "rule": self.rule.id,
            "title": self.rule.title,
            "ruling": str(self.verdict.ruling),
            "message": self.verdict.message,
            "evidence": list(self.verdict.evidence),
            "waived": waived,
        }


OK = Verdict(Ruling.OK)


def ok(*evidence: str) -> Verdict:
    """Checked and fine."""
    return Verdict(Ruling.OK, "", evidence)


def refuse(message: str, *evidence: str) -> Verdict:
    """Checked and dangerous."""
    return Verdict(Ruling.REFUSE, message, evidence)


def cannot_verify(message: str, *evidence: str) -> Verdict:
    """A fact is missing: blocks like a refusal."""
    return Verdict(Ruling.CANNOT_VERIFY, message, evidence)


def judge(rules: Iterable[Rule], case: Case) -> list[Judgement]:
    """Every rule that concerns the action, with its verdict."""
    return [Judgement(rule, rule.check(case)) for rule in rules if case.action in rule.actions]


def enforce(rules: Iterable[Rule], case: Case, waivers: frozenset[str]) -> list[Judgement]:
    """Judge all; raise the error of the first rule that is neither fine nor waived. Returns all judgements."""
    judgements = judge(rules, case)
    standing = [
        judgement
        for judgement in judgements
        if judgement.verdict.ruling is not Ruling.OK and judgement.rule.id not in waivers
    ]
    if standing:
        first = standing[0]
        prefix = "cannot verify: " if first.verdict.ruling is Ruling.CANNOT_VERIFY else ""
        raise first.rule.error(
            prefix + first.verdict.message,
            rule=first.rule.id,
            waiver=first.rule.waiver,
            hint=None if first.rule.waiver else "nothing lifts this rule: it would destroy the unit",
            result={"rules": [each.to_json(each.rule.id in waivers) for each in judgements]},
        )
    return judgements
