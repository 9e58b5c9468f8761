"""A lock between processes: it dies with its holder, and the file that carries it means nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from mitherm.errors import Busy

_LOOK_S: Final = 0.05


class FileLock:
    """Held from `take` to `release`, or for a `with` block. Not reentrant: a second one in the same process waits too."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @classmethod
    def take(cls, path: Path, wait_s: float, *, what: Path) -> Self:
        """Wait up to `wait_s` real seconds; raises Busy, which names `what`, and OSError where no file can be."""
        file = path.open("a+b")
        deadline = time.monotonic() + wait_s
        try:
            while not _try(file):
                if time.monotonic() >= deadline:
                    raise Busy(
                        f"another process uses {what}", hint="wait until it ends, or give more time with --timeout"
                    )
                time.sleep(_LOOK_S)
        except BaseException:
            file.close()
            raise
        return cls(file)

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try(file: BinaryIO) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
