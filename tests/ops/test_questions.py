"""What a person at a terminal is asked on the way from 2.1.1_0159: the token, and whether to begin."""

import fcntl
import os
import pty
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import made_images
import pytest

from e2e.person import MITHERM, person_of
from rig import UNIT, Rig, wall

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class Terminal:
    """A process on a terminal of its own, seen from the other end."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.text = ""
        self._end = end

    def until(self, wanted: str) -> None:
        """Read up to a text."""
        while wanted not in self.text:
            more = self._more()
            assert more, f"{wanted!r} never came:\n{self.text}"

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self._end, f"{text}\n".encode())

    def ends(self) -> int:
        """Read to the end; the exit code."""
        while self._more():
            pass
        return self.process.wait(timeout=100)

    def _more(self) -> str:
        try:
            more = os.read(self._end, 4096).decode(errors="replace")
        except OSError:
            return ""
        self.text += more
        return more


@contextmanager
def asked(rig: Rig) -> Iterator[Terminal]:
    """`bring UNIT --to pvvx` on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MITHERM, "bring", str(UNIT), "--to", "pvvx"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=person_of(rig).environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def owner_of_a_0159(folder: Path) -> Rig:
    """A bound unit whose keys are not in the vault, and a library."""
    rig = Rig(folder, "stock-2.1.1_0159,bound=mi-home")
    rig.stores.library.add(made_images.small("pvvx-5.8"), name="pvvx-5.8", kind="pvvx-5.8", now=wall())
    return rig


def test_two_questions(tmp_path: Path) -> None:
    """The token and a yes are enough; the token is never shown, and stays in the vault."""
    rig = owner_of_a_0159(tmp_path)
    token = rig.keys[UNIT].token
    with asked(rig) as terminal:
        terminal.until("24 hex digits")
        terminal.answer(token.reveal().hex())
        terminal.until("do this now?")
        terminal.answer("y")
        assert terminal.ends() == 0, terminal.text
    assert "runs pvvx 5.8" in terminal.text
    assert token.reveal().hex() not in terminal.text
    assert terminal.text.count("24 hex digits") == terminal.text.count("do this now?") == 1
    current = rig.stores.vault.current(UNIT)
    assert current is not None
    assert current.keys.token == token


def test_a_bind_key_is_not_a_token(tmp_path: Path) -> None:
    """32 digits instead of 24: the mix-up is named, and nothing of it is in the vault."""
    rig = owner_of_a_0159(tmp_path)
    with asked(rig) as terminal:
        terminal.until("24 hex digits")
        terminal.answer(rig.keys[UNIT].bind_key.reveal().hex())
        assert terminal.ends() == 5, terminal.text
    assert "bind key" in terminal.text
    assert not rig.stores.vault.generations(UNIT)
