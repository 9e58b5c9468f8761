"""Files, folders and classes that pages for developers name exist, and the orientation draws every room."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mitherm"
PAGES = [
    *(
        ROOT / name
        for name in ("ORIENTATION.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "benchmarks/README.md")
    ),
    ROOT / "docs" / "index.md",
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
]
PATH = re.compile(r"`([\w./*-]+(?:\.py|/[\w*-]*|/))`")
CLASS = re.compile(r"`([A-Z][a-z]\w+)(?:\.(\w+))?`")
FOREIGN = {"flash.py", "TelinkFlasher", "TelinkMiFlasher"}
"""Other people's programs."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths(page: Path) -> None:
    """A path counts from the package, from the checkout or from the page."""
    names = set(PATH.findall(page.read_text())) - FOREIGN
    places = (PACKAGE, ROOT, page.parent)
    assert sorted(name for name in names if not any(any(place.glob(name)) for place in places)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_classes(page: Path) -> None:
    """A class is one of ours, and has the attribute that the page names."""
    ours = classes()
    named = [match for match in CLASS.findall(page.read_text()) if match[0] not in FOREIGN]
    assert [match for match in named if match[0] not in ours or (match[1] and match[1] not in ours[match[0]])] == []


@cache
def classes() -> dict[str, set[str]]:
    """Class -> its methods and fields."""
    trees = (ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py"))
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {node.name: set(members(node)) for node in nodes}


def members(node: ast.ClassDef) -> Iterator[str]:
    """Names that the body of a class defines."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            yield item.name
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id


def test_every_room_is_drawn() -> None:
    """The tree of ORIENTATION.md holds every folder of the package that has modules, each below its parent."""
    folders = {path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("__init__.py")} - {Path()}
    assert sorted(str(folder) for folder in folders if folder not in drawn() and folder != Path("cli/documents")) == []


def drawn() -> set[Path]:
    """Folders of the tree; two blanks of indentation are one level."""
    tree = (ROOT / "ORIENTATION.md").read_text().split("src/mitherm/\n")[1].split("tests/\n")[0]
    parent, folders = Path(), set()
    for line in tree.splitlines():
        names = re.match(r" *((?:\w+/ )*)", line)
        depth = (len(line) - len(line.lstrip())) // 2
        for name in names[1].split() if names else ():
            folder = Path(name) if depth == 1 else parent / name
            parent = folder if depth == 1 else parent
            folders.add(folder)
    return folders
