"""The layers of the package (pyproject.toml, [tool.importlinter]) hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parent.parent

configure()


def test_every_import_respects_the_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No module imports what its layer forbids."""
    monkeypatch.chdir(ROOT)
    kept = lint_imports(cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


SOURCE = ROOT / "src" / "mitherm"
DOCUMENTS = SOURCE / "cli" / "documents"


def nodes(folder: Path) -> Iterator[tuple[str, ast.AST]]:
    """Everything in the modules of a folder, with the place where it stands."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}", node


def test_operations_return_values_and_no_documents() -> None:
    """No public function of ops gives a dict of anything: what JSON looks like is decided elsewhere."""
    wrong = [
        place
        for place, node in nodes(SOURCE / "ops")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and node.returns is not None
        and any(
            kind in ast.unparse(node.returns) for kind in ("dict[str, object]", "dict[str, Any]", "Mapping[str, Any]")
        )
    ]
    assert not wrong


def is_document(node: ast.AST) -> bool:
    """A dict with a key that documents of the contract have and nothing else has: `changed` or `redacted`, of no mere words."""
    return isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Constant)
        and key.value in ("changed", "redacted")
        and not isinstance(value, ast.Tuple)
        and not (isinstance(value, ast.Constant) and isinstance(value.value, str))
        for key, value in zip(node.keys, node.values, strict=True)
    )


def test_one_folder_writes_the_documents_of_the_contract() -> None:
    """Neither operations nor commands put together what --json prints, and no value knows how it looks in JSON."""
    outside = [(place, node) for place, node in nodes(SOURCE) if not place.startswith("cli/documents/")]
    assert not [place for place, node in outside if is_document(node)]
    assert not [place for place, node in outside if isinstance(node, ast.FunctionDef) and node.name == "to_json"]
    assert any(is_document(node) for _, node in nodes(DOCUMENTS))
