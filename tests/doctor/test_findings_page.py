"""The reference page is the table."""

from __future__ import annotations

from pathlib import Path

from mitherm.ops.doctor.page import findings_page

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "findings.md"


def test_the_page_is_up_to_date() -> None:
    """`python -m mitherm.ops.doctor.page > docs/reference/findings.md` makes it."""
    assert PAGE.read_text(encoding="utf-8") == findings_page()


def test_the_page_has_every_id() -> None:
    """F1 to F20 and 18 rows."""
    for name in [*(f"F{number}" for number in range(1, 21)), *(f"mi-home-29/{row}" for row in range(1, 19))]:
        assert f"\n| {name} " in findings_page()
