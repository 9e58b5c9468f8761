"""Every module is there for somebody: it can be reached from a command or from `import mitherm`."""

from pathlib import Path

import grimp

import mitherm
from mitherm.cli.app import COMMANDS

PACKAGE = Path(mitherm.__file__).parent
DOORS = [
    "mitherm",
    "mitherm.__main__",
    *(f"mitherm.cli.{module}" for module, _ in COMMANDS.values()),  # loaded when they are typed
    "mitherm.cli.schemas",  # for programs that check documents (docs/reference/json.md)
]
"""What is run or imported by name."""


def test_every_module_is_reached() -> None:
    """A module that nobody reaches is dead, however well it is tested."""
    graph = grimp.build_graph("mitherm", cache_dir=None)
    reached = set(DOORS).union(*(graph.find_upstream_modules(door) for door in DOORS))
    assert sorted(module for module in graph.modules - reached if not _is_folder(module)) == []


def _is_folder(module: str) -> bool:
    return (PACKAGE / Path(*module.split(".")[1:]) / "__init__.py").exists()
