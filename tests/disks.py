"""Disks that misbehave, made of the calls of the operating system."""

import os
import stat
from pathlib import Path

import pytest


def lies(monkeypatch: pytest.MonkeyPatch, below: Path, after: int = 0) -> None:
    """The disk reports success and holds something else: every file below a folder, but for the first `after` ones."""
    sync, honest = os.fsync, after

    def lie(fd: int) -> None:
        nonlocal honest
        sync(fd)
        if stat.S_ISREG(os.fstat(fd).st_mode) and below in _path(fd).parents:
            if honest == 0:
                _spoil(fd)
            honest = max(0, honest - 1)

    monkeypatch.setattr(os, "fsync", lie)


def folder_syncs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, bytes]]]:
    """Grows with every folder that is made durable, and the names and contents that lay in it then."""
    syncs: list[tuple[Path, dict[str, bytes]]] = []
    sync = os.fsync

    def note(fd: int) -> None:
        sync(fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            syncs.append((_path(fd), {path.name: path.read_bytes() for path in _path(fd).iterdir() if path.is_file()}))

    monkeypatch.setattr(os, "fsync", note)
    return syncs


def _path(fd: int) -> Path:
    return Path(f"/proc/self/fd/{fd}").readlink()


def _spoil(fd: int) -> None:
    """Change the first byte, as a worn card does."""
    other = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)  # a descriptor of our own: the writer's may be for appending only
    try:
        os.pwrite(other, bytes((os.pread(other, 1, 0)[0] ^ 1,)), 0)
    finally:
        os.close(other)
