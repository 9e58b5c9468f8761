"""What the last `make test` reached: `python tools/coverage_report.py [--floor]`.

Reads build/coverage.json, which slipcover writes. With --floor it is silent, unless less than the floor of pyproject.toml
was reached: then it shows the table and fails.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 1 under the floor."""
    measured = ROOT / "build" / "coverage.json"
    if not measured.exists():
        print("Nothing was measured yet: run `make test` first.", file=sys.stderr)
        return 1
    report = json.loads(measured.read_text())
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    reached: float = report["summary"]["percent_covered"]
    floor: float = settings["tool"]["mitherm"]["coverage"]["floor_pct"]
    if arguments == ["--floor"] and reached >= floor:
        return 0
    print("\n".join(table(report["files"])))
    print(f"\n{reached:.2f} % of lines and branches; the floor is {floor} %")
    return int(reached < floor)


def table(files: dict[str, Any]) -> list[str]:
    """A line for each file that was not reached in full, the worst last."""
    gaps = {name: file for name, file in files.items() if file["summary"]["percent_covered"] < 100}
    worst_last = sorted(gaps.items(), key=lambda item: -item[1]["summary"]["percent_covered"])
    return [f"{file['summary']['percent_covered']:5.1f} % {name}: {missing(file)}" for name, file in worst_last]


def missing(file: dict[str, Any]) -> str:
    """Lines, and branches from -> to (0: the end of the function) of lines that were reached."""
    lines = file["missing_lines"]
    branches = [f"{start}->{max(end, 0)}" for start, end in file["missing_branches"] if start not in lines]
    return ", ".join([*map(str, lines), *branches])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
