"""All causes in their rank, and the diagnosis: pure, the same evidence gives the same findings."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from mitherm.ops.doctor import rules_activation, rules_data, rules_link, rules_mi_home, rules_update
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import Cause, Finding, finding
from mitherm.ops.doctor.rules_mi_home import ROW


def _causes(rules: ModuleType) -> tuple[Cause, ...]:
    """In the order in which they stand in the file."""
    return tuple(value for value in vars(rules).values() if isinstance(value, Cause))


CAUSES: Final = tuple(
    cause
    for rules in (rules_link, rules_update, rules_mi_home, rules_activation, rules_data)
    for cause in _causes(rules)
)
"""What hides everything else comes first: the radio, the way to the unit, an update that failed, keys, data."""


def diagnose(evidence: Evidence) -> list[Finding]:
    """What applies, the likeliest first: what explains a told symptom, then by rank.

    Of the Mi Home rows only the first that matches is named, and a cause only once although it has several ids.
    """
    about = "host" if evidence.unit is None else "unit"
    findings: list[Finding] = []
    causes = [cause for cause in CAUSES if cause.about == about]
    for cause in sorted(causes, key=lambda cause: (not cause.blinding, not evidence.says(*cause.symptoms))):
        if any(cause.id in kept.also or (_is_row(cause.id) and _is_row(kept.id)) for kept in findings):
            continue
        proof = cause.judge(evidence)
        if proof is not None:
            findings.append(finding(cause, proof, evidence))
            if cause.blinding:
                break
    return findings


def _is_row(name: str) -> bool:
    return name.startswith(ROW)
