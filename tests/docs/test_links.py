"""Pages and code agree: links lead somewhere, the orientation is complete, messages are those of the code."""

import re
from pathlib import Path

import pytest

from mitherm.cli.app import COMMANDS

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


def test_every_command_is_in_the_readme() -> None:
    """README names every command."""
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"`{name}[ `]", text)] == []


def test_troubleshooting_is_keyed_by_what_mitherm_says() -> None:
    """Every heading of the page stands, word for word, in the code."""
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(headings) > 10
    assert [heading for heading in headings if heading not in code] == []
