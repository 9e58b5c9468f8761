"""What `doctor` found as documents."""

from __future__ import annotations

from pathlib import Path

from mitherm.cli.documents import Document
from mitherm.ops.doctor.examine import Examination
from mitherm.ops.doctor.finding import Finding


def examination(examination: Examination, bundle: Path | None) -> Document:
    """`doctor`; `bundle` is where a report was written."""
    return {
        "findings": [finding(each) for each in examination.findings],
        "units": [str(address) for address in examination.units],
        "bundle": str(bundle) if bundle is not None else None,
        "changed": False,
    }


def finding(finding: Finding) -> Document:
    """A cause that applies, and the unit it is about."""
    return {
        "id": finding.id,
        "title": finding.title,
        "evidence": list(finding.evidence),
        "remedy": finding.remedy,
        "command": finding.command,
        "unit": str(finding.unit) if finding.unit is not None else None,
        "also": list(finding.also),
    }
