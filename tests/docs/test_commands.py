"""Every command shown in README and docs runs, ends as the page says, and prints what the page shows.

A page is one session in a folder of its own. In ```console blocks a line `$ mitherm ...` is run (`# exits N` behind it:
the exit code, else 0), `$ export NAME=VALUE` sets a variable, and every other line must be among what the command before
it printed; `...` stands for anything. A ```toml block that begins with `# NAME.toml` becomes that file. ```python blocks
are run. Blocks of any other kind are not: they need hardware, an account, or a human.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mitherm.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(console|toml|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if "_build" not in page.parts and BLOCK.search(page.read_text())
)


@dataclass(slots=True)
class Shown:
    """A command of a page, with the lines shown below it."""

    typed: str
    lines: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code that the page promises."""
        promise = re.search(r"#\s*exits (\d+)\s*$", self.typed)
        return int(promise[1]) if promise else 0


def commands(block: str) -> list[Shown]:
    """The commands of a console block; a command goes on after a backslash."""
    found: list[Shown] = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Shown(line[2:].strip()))
        elif line.strip():
            found[-1].lines.append(line)
    return found


class Session:
    """One page, typed line by line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def type(self, shown: Shown) -> None:
        """Run one command and compare."""
        words = shlex.split(shown.typed, comments=True)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self._monkeypatch.setenv(name, value)
            return
        assert words[0] == "mitherm", f"cannot run {shown.typed!r}"
        words, target = (words[:-2], words[-1]) if words[-2] == ">" else (words, None)
        self._capsys.readouterr()
        code = run(words[1:])
        out, err = self._capsys.readouterr()
        assert code == shown.code, f"{shown.typed}\n{out}{err}"
        if target is not None:
            Path(target).write_text(out)
        printed = {squeezed(line) for line in (out + err).splitlines()}
        missing = [line for line in shown.lines if not any(pattern(line).fullmatch(one) for one in printed)]
        assert not missing, f"{shown.typed} did not print {missing} but\n{out}{err}"


def squeezed(line: str) -> str:
    """A line without the widths of columns."""
    return " ".join(line.split())


def pattern(line: str) -> re.Pattern[str]:
    """What a line of a page matches."""
    return re.compile(".*".join(re.escape(part.strip()) for part in squeezed(line).split("...")))


def test_pages_are_found() -> None:
    """README and docs show commands at all."""
    assert ROOT / "README.md" in PAGES
    assert len(PAGES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The page tells the truth."""
    monkeypatch.chdir(tmp_path)
    session = Session(monkeypatch, capsys)
    for kind, block in BLOCK.findall(page.read_text()):
        if kind == "console":
            for shown in commands(block):
                session.type(shown)
        elif kind == "python":
            exec(compile(block, str(page), "exec"), {"__name__": "__main__"})
        elif name := re.match(r"# (\S+\.toml)\n", block):
            Path(name[1]).write_text(block)


def test_wrong_pages_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that ends otherwise, and a line that was not printed, are noticed."""
    session = Session(monkeypatch, capsys)
    session.type(Shown("mitherm --version", ["mitherm ..."]))
    with pytest.raises(AssertionError):
        session.type(Shown("mitherm --version", ["mithril ..."]))
    with pytest.raises(AssertionError):
        session.type(Shown("mitherm --version   # exits 3"))
