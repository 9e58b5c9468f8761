"""Every noun that a public class carries is a term of docs/glossary.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mitherm"
WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z][a-z]+\d*")
VERSION = re.compile(r"V\d+$")  # SettingsV2 is about settings
ENTRY = re.compile(r"^(\S.*)\n: ((?:.+\n)+)", re.MULTILINE)
PAGE = (ROOT / "docs" / "glossary.md").read_text()


def public_classes() -> Iterator[str]:
    """Names of all public classes; docs/reference/errors.md lists those of errors.py."""
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "errors.py":
            nodes = ast.walk(ast.parse(path.read_text()))
            yield from (node.name for node in nodes if isinstance(node, ast.ClassDef) and node.name[0] != "_")


def head_noun(name: str) -> str:
    """Last word of a class name, in small letters: `GattCharacteristic` is a characteristic."""
    return WORD.findall(VERSION.sub("", name))[-1].lower()


def terms() -> list[str]:
    """Terms that the page defines, in its order."""
    return [term.strip().lower() for entry, _ in ENTRY.findall(PAGE) for term in entry.split(",")]


def singulars(noun: str) -> set[str]:
    """The noun itself and what it may be the plural of."""
    return {noun, noun.removesuffix("s"), re.sub("ies$", "y", noun)}


def test_nouns() -> None:
    """Whoever meets a class finds its noun in the glossary."""
    known = {form for term in terms() for form in singulars(term)}
    names = set(public_classes())
    assert len(names) > 300
    assert sorted(name for name in names if not singulars(head_noun(name)) & known) == []


def test_each_term_once() -> None:
    """A term has one definition."""
    assert sorted({term for term in terms() if terms().count(term) > 1}) == []


def test_definitions_are_short() -> None:
    """A definition has two lines at most."""
    assert [entry for entry, text in ENTRY.findall(PAGE) if text.count("\n") > 2] == []
