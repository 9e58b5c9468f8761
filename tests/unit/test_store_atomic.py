"""Durable writes: whole or not at all, private, and clear when the disk says no."""

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disks import folder_syncs, lies
from mitherm.errors import DiskProblem
from mitherm.store.atomic import append_line, create_durably, private_folder, probe, write_durably


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The real kernel limit: longer writes fail with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failing(code: int):
    """An operating system call that fails with this errno."""

    def call(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture
def lying_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written comes back changed."""
    lies(monkeypatch, tmp_path)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, bytes]]]:
    """Every folder that was made durable, with the names and contents that it made durable."""
    return folder_syncs(monkeypatch)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_replaces_whole_and_private(tmp_path: Path) -> None:
    """The new content is there, 0600, and no temporary file is left."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_umask_does_not_open_files(tmp_path: Path) -> None:
    """Files and folders stay private under a careless umask."""
    before = os.umask(0)
    try:
        private_folder(tmp_path / "a")
        append_line(tmp_path / "a" / "lines", "x")
        write_durably(tmp_path / "a" / "file", b"x")
    finally:
        os.umask(before)
    assert [mode(tmp_path / "a" / name) for name in (".", "lines", "file")] == [0o700, 0o600, 0o600]


def test_private_folder_closes_an_open_one(tmp_path: Path) -> None:
    """A folder that others could read is closed."""
    (tmp_path / "a").mkdir(mode=0o755)
    private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_create_never_overwrites(tmp_path: Path) -> None:
    """An existing file is left alone and False returned."""
    path = tmp_path / "file"
    assert create_durably(path, b"first")
    assert not create_durably(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_create_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links it still creates, and still never overwrites."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    path = tmp_path / "file"
    assert create_durably(path, b"first")
    assert not create_durably(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    """When the kernel refuses, the old content stays and the error says so."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with file_size_limit(64), pytest.raises(DiskProblem, match="may not grow") as caught:
        write_durably(path, b"x" * 5000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert caught.value.device == "unchanged"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
)
def test_causes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """Full, read-only and forbidden are told apart, each with a hint."""
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(DiskProblem, match=words) as caught:
        write_durably(tmp_path / "file", b"x")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_append_to_a_full_disk(tmp_path: Path) -> None:
    """/dev/full is a real full disk."""
    path = tmp_path / "lines"
    path.symlink_to("/dev/full")
    with pytest.raises(DiskProblem, match="the disk is full"):
        append_line(path, "x")


def test_append_closes_a_torn_line(tmp_path: Path) -> None:
    """After a crash in the middle of a line the next line stands alone."""
    path = tmp_path / "lines"
    append_line(path, "one")
    with path.open("ab") as file:
        file.write(b"tor")
    append_line(path, "two")
    assert path.read_bytes() == b"one\ntor\ntwo\n"


def test_append_takes_one_line(tmp_path: Path) -> None:
    """A newline inside would forge a second entry."""
    with pytest.raises(ValueError, match="one line"):
        append_line(tmp_path / "lines", "a\nb")


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A file in the way is a disk problem, not a traceback."""
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(DiskProblem):
        private_folder(tmp_path / "a" / "b")
    with pytest.raises(DiskProblem):
        private_folder(tmp_path / "a")


def test_probe_leaves_nothing(tmp_path: Path) -> None:
    """The probe file is gone, whether it worked or not."""
    probe(tmp_path, 1000)
    with file_size_limit(64), pytest.raises(DiskProblem):
        probe(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("lying_disk")
@pytest.mark.parametrize("write", [write_durably, create_durably])
def test_what_was_written_is_read_back(tmp_path: Path, write: Callable[[Path, bytes], object]) -> None:
    """A disk that stores something else is found out before the file gets its name."""
    path = tmp_path / "file"
    with pytest.raises(DiskProblem, match="reads back differently") as caught:
        write(path, b"the only copy of a key")
    assert caught.value.device == "unchanged"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("lying_disk")
def test_the_old_file_outlives_a_lying_disk(tmp_path: Path) -> None:
    """What was there before is still there, whole."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(DiskProblem):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.usefixtures("lying_disk")
def test_an_appended_line_is_read_back(tmp_path: Path) -> None:
    """A line that was stored as another one is an error."""
    with pytest.raises(DiskProblem, match="reads back differently"):
        append_line(tmp_path / "lines", "x")


@pytest.mark.parametrize("write", [write_durably, create_durably])
def test_the_name_is_durable_too(
    tmp_path: Path, syncs: list[tuple[Path, dict[str, bytes]]], write: Callable[[Path, bytes], object]
) -> None:
    """The folder is synced once the file has its name: without that a power cut takes the name away again."""
    write(tmp_path / "file", b"x")
    assert syncs == [(tmp_path, {"file": b"x"})]


def test_the_name_of_a_replaced_file_is_durable(tmp_path: Path, syncs: list[tuple[Path, dict[str, bytes]]]) -> None:
    """After the sync the name leads to the new content."""
    (tmp_path / "file").write_bytes(b"old")
    write_durably(tmp_path / "file", b"new")
    assert syncs[-1] == (tmp_path, {"file": b"new"})


def test_the_name_of_a_log_is_durable(tmp_path: Path, syncs: list[tuple[Path, dict[str, bytes]]]) -> None:
    """The first line makes the name; later ones have nothing to add to the folder."""
    append_line(tmp_path / "lines", "a")
    assert [folder for folder, _ in syncs] == [tmp_path]
    append_line(tmp_path / "lines", "b")
    assert len(syncs) == 1


def test_a_new_folder_is_durable(tmp_path: Path, syncs: list[tuple[Path, dict[str, bytes]]]) -> None:
    """The folder above is synced when a folder appears in it."""
    private_folder(tmp_path / "vault")
    assert [folder for folder, _ in syncs] == [tmp_path]
