"""Replay vector files: `python tests/run_vectors.py FILE...` (cli-contract.md, "Vectors").

The judge is chosen by the longest known area at the beginning of the file name. A judge takes the whole document and
yields (case name, None or what was wrong). Exit: 0 all hold, 1 a case failed or none ran, 2 unreadable file,
3 an area that is not built yet.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "benchmarks")]

Judge = Callable[[dict[str, Any]], Iterator[tuple[str, str | None]]]


def judges() -> dict[str, Judge]:
    """Area -> judge, collected from the AREAS table of every module in tests/judges (helpers begin with `_`)."""
    import judges as package

    found: dict[str, Judge] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            found |= importlib.import_module(f"judges.{module.name}").AREAS
    return found


def judge_for(name: str, known: dict[str, Judge]) -> Judge | None:
    """The judge of the longest area that `name` begins with."""
    fitting = [area for area in known if name.startswith(area)]
    return known[max(fitting, key=len)] if fitting else None


def verdicts(judge: Judge, document: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The judge's verdicts. A case that the judge cannot even play has failed; those behind it are played one by one."""
    told = 0
    try:
        for verdict in judge(document):
            told += 1
            yield verdict
    except Exception as problem:
        first, *rest = document.get("cases", [])[told:] or [{}]
        yield str(first.get("name", "?")), f"{type(problem).__name__}: {problem}"
        if rest:
            yield from verdicts(judge, {**document, "cases": rest})


def main(arguments: list[str]) -> int:
    """Run all files; prints one line per failing case and a total."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    known = judges()
    ran = failed = missing = 0
    for argument in arguments:
        path = Path(argument)
        judge = judge_for(path.name, known)
        if judge is None:
            print(f"{path.name}: no judge for this area yet")
            missing += 1
            continue
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as problem:
            print(f"{path}: {problem}", file=sys.stderr)
            return 2
        for case, wrong in verdicts(judge, document):
            ran += 1
            if wrong is not None:
                failed += 1
                print(f"FAIL {path.name}: {case}: {wrong}")
    print(f"{ran - failed} of {ran} cases hold" + (f", {missing} files without a judge" if missing else ""))
    if failed or (ran == 0 and not missing):
        return 1
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
