"""Locks between processes: one holder, a wait with a limit, nothing left to clean up."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitherm.errors import Busy
from mitherm.store.lock import FileLock

HOLD = """
import sys, time
from pathlib import Path
from mitherm.store.lock import FileLock
path = Path(sys.argv[1])
with FileLock.take(path, 5, what=path):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_told_what_is_busy(tmp_path: Path) -> None:
    """Also in the same process; the words name the thing that people know, not the lock file."""
    path = tmp_path / ".lock"
    with FileLock.take(path, 1, what=tmp_path):
        with pytest.raises(Busy) as problem:
            FileLock.take(path, 0.05, what=tmp_path)
        assert problem.value.message == f"another process uses {tmp_path}"
        assert "--timeout" in (problem.value.hint or "")
    FileLock.take(path, 0, what=tmp_path).release()


def test_the_file_is_private(tmp_path: Path) -> None:
    """Nobody else may hold up the vault by locking its file."""
    with FileLock.take(tmp_path / ".lock", 1, what=tmp_path):
        assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == 0o600


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    """A mistyped folder is an error, not a new folder."""
    with pytest.raises(OSError, match="missing"):
        FileLock.take(tmp_path / "missing" / ".lock", 0.05, what=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_it_dies_with_its_holder(tmp_path: Path) -> None:
    """kill -9 of the holder lets the next one in."""
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy):
            FileLock.take(path, 0.05, what=path)
        holder.kill()
        begun = time.monotonic()
        FileLock.take(path, 5, what=path).release()
        assert time.monotonic() - begun < 5
