"""Links between the files of the repository lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
PAGES = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Every relative link of the page names a file that exists."""
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_folder_of_the_package_is_in_the_orientation() -> None:
    """ORIENTATION.md names every part of the package."""
    text = (ROOT / "ORIENTATION.md").read_text()
    folders = [path.name for path in (ROOT / "src" / "mitherm").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert [name for name in folders if f"{name}/" not in text] == []
