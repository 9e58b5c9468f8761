"""The public names of the package: all there, typed, and free until they are used."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import mitherm
from mitherm.cli.app import root

SOURCE = Path(mitherm.__file__).read_text()


@pytest.mark.parametrize("name", mitherm.__all__)
def test_every_public_name_exists(name: str) -> None:
    """What `__all__` promises can be imported."""
    assert getattr(mitherm, name) is not None


def test_public_names_are_sorted_and_listed() -> None:
    """`__all__`, `dir()` and the table of homes name the same things, in order."""
    assert mitherm.__all__ == sorted(mitherm.__all__)
    assert dir(mitherm) == mitherm.__all__
    assert set(mitherm._HOMES) == set(mitherm.__all__) - {"__version__"}


def test_type_checkers_see_what_runs() -> None:
    """The imports for type checkers and the table of homes agree."""
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mitherm.")
        for alias in node.names
    }
    homes = {}
    for name, home in mitherm._HOMES.items():
        module, _, attribute = home.partition(":")
        homes[name] = f"mitherm.{module}:{attribute or name}"
    assert seen == homes


def test_unknown_name_is_an_attribute_error() -> None:
    """A wrong name fails as in any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        mitherm.no_such_name  # noqa: B018


def test_import_is_free() -> None:
    """`import mitherm` loads no dependency, no event loop and nothing else of the package."""
    code = "import sys; import mitherm; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "bleak", "bumble", "click", "cryptography", "rich", "yaml"}
    assert not heavy & set(loaded)
    assert [name for name in loaded if name.startswith("mitherm")] == ["mitherm"]


def test_help_reads_no_catalogue() -> None:
    """What only some commands need, `--help` does not load."""
    code = "import sys; from mitherm.cli.app import run; run(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mitherm.image.shipped", "asyncio", "bleak", "cryptography"} & set(loaded)


def test_help_and_scan_load_nothing_heavy(tmp_path: Path) -> None:
    """Neither `--help` nor a scan of virtual units loads a library for cryptography, radio, tables or YAML."""
    units = str(tmp_path / "units")
    code = "import sys; from mitherm.cli.app import run; print(run(sys.argv[1:])); print(*sys.modules)"
    environment = {**os.environ, "MITHERM_HOME": str(tmp_path / "home")}

    def lines(*words: str) -> list[str]:
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout.splitlines()

    lines("virtual", "create", units)
    heavy = {"bleak", "bumble", "cattrs", "cryptography", "paho", "rich", "serial", "yaml"}
    for words in (["--help"], ["--radio", f"virtual:{units}", "scan", "--duration", "0"]):
        *_, code_line, modules = lines(*words)
        assert code_line.split()[-1] == "0"
        assert not heavy & set(modules.split())


ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text()


def commands(group: click.Group, context: click.Context) -> Iterator[str]:
    """Every command that does something: `scan`, `keys show`."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {rest}" for rest in commands(command, context))
        else:
            yield name


def test_every_command_has_a_name_in_python() -> None:
    """The page has a row for each command, and what it names is public."""
    rows = dict(re.findall(r"^\| `([a-z -]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert sorted(rows) == sorted(commands(root(), click.Context(root())))
    for names in rows.values():
        for name in re.findall(r"`([^`]+)`", names):
            value, first, *rest = mitherm, *name.split(".")
            assert first in mitherm.__all__
            for part in (first, *rest):
                value = getattr(value, part)
            assert callable(value)


def test_a_program_of_a_user_is_typed(tmp_path: Path) -> None:
    """`mypy --strict` has nothing to say about the programs of the page, which need nothing but `import mitherm`."""
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    files = []
    for number, program in enumerate(programs):
        files.append(tmp_path / f"program_{number}.py")
        files[-1].write_text(program)
        assert not re.search(r"mitherm\.[a-z_.]+ import|import mitherm\.", program)
    package = Path(mitherm.__file__).parents[1]
    found = {} if "site-packages" in package.parts else {"MYPYPATH": str(package)}
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'user'}"]
    words = [sys.executable, "-m", "mypy", *options, *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **found}, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
