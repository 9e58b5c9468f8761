"""Write docs/reference/findings.md from the tables of doctor: `python tools/findings_page.py`."""

from __future__ import annotations

import re
from pathlib import Path

from mitherm.ops.doctor.finding import NEXT, Cause
from mitherm.ops.doctor.symptoms import SYMPTOMS
from mitherm.ops.doctor.table import CAUSES

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reference" / "findings.md"
_HEAD = """# Findings of `mitherm doctor`

Made from the tables of the program; do not edit. A finding is named only when evidence speaks for it. Those marked
*told* look like a healthy unit until somebody reports the symptom with `--symptom`.
"""


def page() -> str:
    """The page: every cause, and every symptom that is understood."""
    rows = "\n".join(_row(cause) for cause in sorted(CAUSES, key=_order))
    told = "\n".join(f"| {symptom.name} | `{symptom.example}` |" for symptom in SYMPTOMS)
    return (
        f"{_HEAD}\n## Causes\n\n| id | cause | remedy | command | symptoms |\n|---|---|---|---|---|\n{rows}\n\n"
        f"## Symptoms\n\n| symptom | for example |\n|---|---|\n{told}\n"
    )


def _row(cause: Cause) -> str:
    command = f"`{cause.command.replace('{unit}', 'UNIT')}`" if cause.command else ""
    command = "what `mitherm info UNIT` names as next" if cause.command == NEXT else command
    also = f" (also {', '.join(cause.also)})" if cause.also else ""
    return f"| {cause.id}{also} | {cause.title} | {cause.remedy} | {command} | {', '.join(cause.symptoms)} |"


def _order(cause: Cause) -> tuple[bool, int]:
    numbers = [int(number) for number in re.findall(r"\d+", cause.id)]
    return len(numbers) > 1, numbers[-1]


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
