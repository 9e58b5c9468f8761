"""Durable files: what was written is on the disk, whole, or an error says that it is not.

All functions raise DiskProblem; the unit is "unchanged" in it, since files are written before units.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from mitherm.errors import DiskProblem
from mitherm.store.lock import FileLock

LOCK_S: Final = 10.0
"""A change of a small file takes milliseconds."""

_CAUSES: Final = {
    errno.ENOSPC: ("the disk is full", "Free some space and try again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and try again."),
    errno.EFBIG: ("the file may not grow that large", "Raise the file size limit (ulimit -f) and try again."),
    errno.EROFS: ("the file system is read-only", "Set MITHERM_HOME to a folder that can be written."),
    errno.EACCES: ("no permission", "Check who owns the folder, or set MITHERM_HOME to one of yours."),
    errno.EPERM: ("not permitted", "Check who owns the folder, or set MITHERM_HOME to one of yours."),
}


def write_durably(path: Path, data: bytes) -> None:
    """Make `path` hold exactly `data`, replacing what was there in one step; mode 0600."""
    with _explained("write", path):
        _write(path, data, Path.replace)


def create_durably(path: Path, data: bytes) -> bool:
    """Like `write_durably`, but never touches an existing file: then it returns False."""
    with _explained("write", path):
        try:
            _write(path, data, _rename_to_new)
        except FileExistsError:
            return False
    return True


def append_line(path: Path, line: str) -> None:
    """Append one line and read it back; a torn last line left by a crash is closed off first. Mode 0600."""
    if "\n" in line:
        raise ValueError("one line at a time")
    with _explained("append to", path):
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _append(fd, line.encode() + b"\n")
        finally:
            os.close(fd)
        if is_new:
            _sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make sure the folder exists; what had to be made is closed to others (0700)."""
    with _explained("create", path):
        if not path.is_dir():
            path.mkdir(0o700, parents=True, exist_ok=True)
            _sync_folder(path.parent)


def private_folder(path: Path) -> None:
    """Make sure that a folder of our own exists and is closed to others, even if it was open (0700)."""
    make_folder(path)
    with _explained("close to others", path):
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and os.name != "nt":
            path.chmod(0o700)


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Nobody else, in this process or another, is inside for the same `path`. Raises Busy after a while."""
    with _explained("lock", path):
        lock = FileLock.take(path.with_name(f".{path.name}.lock"), LOCK_S, what=path)
    with lock:
        yield


def probe(folder: Path, size: int) -> None:
    """Prove that `size` bytes could be made durable in the folder now; leaves nothing behind."""
    path = folder / f".probe-{os.getpid()}"
    try:
        write_durably(path, b"\xa5" * size)
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write(path: Path, data: bytes, rename: Callable[[Path, Path], object]) -> None:
    fd, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            _sync(file.fileno())
        if temporary.read_bytes() != data:
            raise OSError(errno.EIO, "it reads back differently from what was written")
        rename(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _rename_to_new(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        temporary.rename(path)


def _append(fd: int, data: bytes) -> None:
    if (size := os.fstat(fd).st_size) > 0:
        os.lseek(fd, size - 1, os.SEEK_SET)
        if os.read(fd, 1) != b"\n":
            data = b"\n" + data
    written = 0
    while written < len(data):
        written += os.write(fd, data[written:])
    _sync(fd)
    os.lseek(fd, -len(data), os.SEEK_CUR)
    if os.read(fd, len(data)) != data:
        raise OSError(errno.EIO, "the line reads back differently from what was written")


def _sync(fd: int) -> None:
    os.fsync(fd)
    if sys.platform == "darwin":  # there fsync leaves the data in the drive's cache
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _explained(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause, hint = _CAUSES.get(error.errno or 0, (error.strerror or type(error).__name__, None))
        raise DiskProblem(f"cannot {verb} {path}: {cause}", hint=hint, device="unchanged") from error
