"""A lock between processes: it dies with its holder, and the file that carries it means nothing. The only user of filelock."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from mitherm.errors import Busy

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PRIVATE: Final = 0o600


class FileLock:
    """Held from `take` to `release`, or for a `with` block. Not reentrant: a second one in the same process waits too."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    @classmethod
    def take(cls, path: Path, wait_s: float, *, what: Path) -> Self:
        """Wait up to `wait_s` real seconds; raises Busy, which names `what`, and OSError where no file can be."""
        import filelock

        if not path.parent.is_dir():  # filelock would make it, open to everybody
            raise FileNotFoundError(f"there is no folder {path.parent}")
        lock = filelock.FileLock(path, timeout=wait_s, mode=_PRIVATE, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise Busy(
                f"another process uses {what}", hint="wait until it ends, or give more time with --timeout"
            ) from None
        return cls(lock)

    def release(self) -> None:
        """Let the next one in."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
