"""Break lines that safety hangs on and see whether tests notice: `python tools/mutants.py [NAME...]`.

mutmut makes the mutants of the files in [tool.mutmut] of pyproject.toml, in the folder `mutants`, and runs the tests that
reach each. A name may have wildcards: 'mitherm.store.vault.*' is a module, '*__mutmut_*3' every tenth mutant. Prints how
many were noticed, and file, line and change of those that were not. What is decorated mutmut leaves alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTMUT = [sys.executable, "-W", "ignore", "-m", "mutmut"]
SURVIVED, NO_TESTS, TIMEOUTS = 0, 33, (24, 36, 152, 255)


def main(names: list[str]) -> int:
    """Run and report; the exit code is that of mutmut, survivors are no failure."""
    code = subprocess.run([*MUTMUT, "run", "--max-children", "2", *names], cwd=ROOT).returncode
    outcomes = {name: code for meta in (ROOT / "mutants").rglob("*.meta") for name, code in _outcomes(meta).items()}
    print("\n" + ", ".join(f"{count} {word}" for word, count in Counter(map(_word, outcomes.values())).items()))
    for name in sorted(name for name, outcome in outcomes.items() if _word(outcome) in ("survived", "without tests")):
        print(f"\n{_word(outcomes[name])}: {name}\n{_change(name)}")
    return code


def _outcomes(meta: Path) -> dict[str, int | None]:
    """Name -> exit code of its tests; None for those that were not asked for."""
    outcomes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return outcomes


def _word(code: int | None) -> str:
    if code is None:
        return "not run"
    if code == SURVIVED:
        return "survived"
    return "without tests" if code == NO_TESTS else "timed out" if code in TIMEOUTS else "noticed"


def _change(name: str) -> str:
    """file:line and the lines that differ."""
    diff = subprocess.run([*MUTMUT, "show", name], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    path = next(line.split()[1] for line in diff if line.startswith("--- "))
    lines = [line for line in diff if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    return f"{path}:{_line(ROOT / path, diff, lines)}\n" + "\n".join(lines)


def _line(path: Path, diff: list[str], changes: list[str]) -> int:
    """Number of the first changed line: the first of its text behind the head of the function."""
    text = [line.strip() for line in path.read_text().splitlines()]
    head = next((line[1:].strip() for line in diff if line[1:].strip().startswith(("def ", "async def "))), "")
    start = text.index(head) if head in text else 0
    changed = next((line[1:].strip() for line in changes if line.startswith("-")), "")
    return text.index(changed, start) + 1 if changed in text[start:] else start + 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
