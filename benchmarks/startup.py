"""What the command line costs to start, beside a bare click program: `python benchmarks/startup.py [--json]`.

User and system CPU seconds of whole processes, run in pairs: the machine may be busy with other work. Byte code is written
once before anything is timed. Exit 1: a program failed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BARE = "import click\n@click.command()\ndef main() -> None: 'Nothing.'\nmain(['--help'])"
CLICK = [sys.executable, "-c", BARE]
MITHERM = [sys.executable, "-m", "mitherm"]
GOALS = {"--help": 1.5, "scan --duration 0": 3.0}
"""Times the bare program. Shown, not enforced: what a process costs differs from machine to machine."""
PAIRS = 9


def run(command: list[str], environment: dict[str, str]) -> float:
    """CPU seconds of one process, user and system. Raises SystemExit where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        raise SystemExit(f"wrong: {' '.join(command[1:])} ended with exit code {result.returncode}\n{result.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def pair(case: str, command: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    """A row for the bare program and one for ours; `ratio` is the median of the pairs' ratios."""
    for program in (CLICK, command):
        run(program, environment)
    times = [(run(CLICK, environment), run(command, environment)) for _ in range(PAIRS)]
    bare, ours = (round(statistics.median(column), 4) for column in zip(*times, strict=True))
    ratio = round(statistics.median(mitherm / click for click, mitherm in times), 2)
    return [
        {"name": "click", "case": case, "seconds": bare, "ratio": 1.0},
        {"name": "mitherm", "case": case, "seconds": ours, "ratio": ratio, "goal": GOALS[case]},
    ]


def rows() -> list[dict[str, Any]]:
    """Both cases, in an empty home and with an empty folder of virtual units."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MITHERM_HOME": str(Path(folder) / "home")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        units = str(Path(folder) / "units")
        run([*MITHERM, "virtual", "create", units], environment)
        scan = [*MITHERM, "--radio", f"virtual:{units}", "scan", "--duration", "0"]
        return [*pair("--help", [*MITHERM, "--help"], environment), *pair("scan --duration 0", scan, environment)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    as_json = parser.parse_args().json
    table = rows()
    if as_json:
        print(json.dumps({"rows": table}, indent=1))
        return 0
    print(f"CPU seconds, medians of {PAIRS} pairs of processes on this machine")
    for row in table:
        goal = f"  goal {row['goal']:.1f}" if "goal" in row else ""
        print(f"{row['case']:20}{row['name']:10}{row['seconds']:8.3f} s{row['ratio']:7.2f} x click{goal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
