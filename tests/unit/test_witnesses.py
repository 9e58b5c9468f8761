"""Every codec that client and virtual unit share has a witness that neither of them made (tests/README.md)."""

import re
from pathlib import Path

import grimp

import mitherm

TESTS = Path(__file__).parent.parent
README = (TESTS / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([\w.]+)` \| (.+?) \|", README, re.MULTILINE)
PACKAGE = Path(mitherm.__file__).parent
LAYERS = ("beacon", "image", "protocol", "primitives")
CLIENT = ("cli", "ops", "device", "radio", "cloud", "publish", "store")
NO_CODEC = "primitives.secret"
"""A secret has no bytes of its own."""


def test_every_shared_codec_has_a_witness() -> None:
    """What the virtual unit and the client both reach stands in the table, or among what is no codec."""
    named = {module for module, _ in ROWS} | set(re.findall(r"`([\w.]+)`", README.partition("Shared but no codec:")[2]))
    assert sorted(shared() - named - {NO_CODEC}) == []
    assert [name for name in named if not (PACKAGE / f"{name.replace('.', '/')}.py").is_file()] == []


def test_witnesses_exist() -> None:
    """Every row names files, and they are there."""
    files = {module: re.findall(r"`([^`]+)`", cell) for module, cell in ROWS}
    assert all(files.values())
    assert [name for names in files.values() for name in names if not (TESTS / name).is_file()] == []


def shared() -> set[str]:
    """Modules of the pure layers that both sides use, without `mitherm.` in front."""
    graph = grimp.build_graph("mitherm", cache_dir=None)

    def used_by(*rooms: str) -> set[str]:
        users = [module for module in graph.modules if _room(module) in rooms]
        doors = set().union(*(graph.find_modules_directly_imported_by(module) for module in users))
        pure = {module for module in doors if _room(module) in LAYERS}
        return pure.union(*(graph.find_upstream_modules(module) for module in pure))

    both = {module.removeprefix("mitherm.") for module in used_by("virtual") & used_by(*CLIENT)}
    return {module for module in both if "." in module and _room(f"mitherm.{module}") in LAYERS}


def _room(module: str) -> str:
    return module.removeprefix("mitherm.").split(".")[0]
