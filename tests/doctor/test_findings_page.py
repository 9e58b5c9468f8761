"""The reference page is the table."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_up_to_date() -> None:
    """docs/reference/findings.md is what tools/findings_page.py writes."""
    assert (ROOT / "docs" / "reference" / "findings.md").read_text(encoding="utf-8") == findings_page()


def test_the_page_has_every_id() -> None:
    """F1 to F20 and 18 rows."""
    page = findings_page()
    for name in [*(f"F{number}" for number in range(1, 21)), *(f"mi-home-29/{row}" for row in range(1, 19))]:
        assert f"\n| {name} " in page


def findings_page() -> str:
    """What the tables say now."""
    page: str = run_path(str(ROOT / "tools" / "findings_page.py"))["page"]()
    return page
