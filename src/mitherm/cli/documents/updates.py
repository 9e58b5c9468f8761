"""Updates as documents: plans, what became of them and the guards that judged."""

from __future__ import annotations

from collections.abc import Iterable

from mitherm.cli.documents import Document
from mitherm.cli.documents.virtual import unit_state
from mitherm.device.observation import Observation
from mitherm.ops.bench import Rehearsal
from mitherm.ops.guards import Judgement, Ruling
from mitherm.ops.updating.execute import UpdateResult


def update(result: UpdateResult) -> Document:
    """`flash` and `bring`."""
    document: Document = {
        "plan": [{"step": stage.record.label, "reason": stage.reason} for stage in result.plan.stages],
        "notes": list(result.plan.notes),
        "outcome": result.outcome,
        "before": _unit(result.before),
        "after": _unit(result.after),
        "seconds": result.seconds,
        "changed": result.changed,
        **judgements(result.rules),
    }
    if result.rehearsal is not None:
        document["rehearsal"] = _rehearsal(result.rehearsal)
    return document


def _unit(observation: Observation) -> Document:
    """`before` and `after`."""
    identity = observation.identity
    return {
        "address": str(observation.address),
        "firmware": {"family": observation.family.shown, "version": observation.version},
        "model": identity.model,
        "hardware": identity.hardware,
        "bound": observation.registered,
        "did": observation.did,
        "battery_mv": observation.battery_mv,
    }


def _rehearsal(rehearsal: Rehearsal) -> Document:
    return {
        "outcome": rehearsal.outcome,
        "seconds": rehearsal.seconds,
        "writes": rehearsal.writes,
        "reads": rehearsal.reads,
        "notifications": rehearsal.notifications,
        "final": unit_state(rehearsal.final),
    }


def judgements(judgements: Iterable[Judgement]) -> Document:
    """Every guard with its verdict; also what a refusal leaves behind."""
    return {"rules": [_judgement(each) for each in judgements]}


def _judgement(judgement: Judgement) -> Document:
    return {
        "rule": judgement.rule.id,
        "title": judgement.rule.title,
        "ruling": str(judgement.verdict.ruling),
        "message": judgement.verdict.message,
        "evidence": list(judgement.verdict.evidence),
        "waived": judgement.waived and judgement.verdict.ruling is not Ruling.OK,
    }
