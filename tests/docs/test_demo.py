"""The demo ends as told."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
def test_demo() -> None:
    """Both stories, each command a process of its own, on the fast radio; `make demo` runs them over bumble."""
    command = [sys.executable, "tools/demo.py", "virtual:demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Mi Home added the unit." in done.stdout
    assert "(-29)" in done.stderr
