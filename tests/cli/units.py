"""A folder of virtual units for tests of commands: commands typed with --json, and a look at the units themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from helpers import assert_document
from mitherm.cli.app import run
from mitherm.model.address import Address
from mitherm.virtual.faults import Fault
from mitherm.virtual.unit import Unit
from mitherm.virtual.world import World

T = TypeVar("T")


class Units:
    """Virtual units, one for each spec, at A4:C1:38:00:00:01 and on."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *specs: str) -> None:
        self.folder = folder
        self._capsys = capsys
        self.addresses = [f"A4:C1:38:00:00:{number:02X}" for number in range(1, len(specs) + 1)]
        words = [f"{spec},address={address}" for spec, address in zip(specs, self.addresses, strict=True)]
        assert run(["virtual", "create", str(folder), *(word for spec in words for word in ("--unit", spec))]) == 0
        capsys.readouterr()

    def say(self, command: str, *arguments: str, code: int = 0) -> dict[str, object]:
        """The result of a command, or its error."""
        assert run([*command.split(), *arguments, "--radio", f"virtual:{self.folder}", "--json"]) == code
        document = assert_document(self._capsys.readouterr().out, command)
        assert document["ok"] is (code == 0)
        found: dict[str, object] = document["result"] if code == 0 else document["error"]
        return found

    def text(self, *words: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command for people."""
        assert run([*words, "--radio", f"virtual:{self.folder}"]) == code
        captured = self._capsys.readouterr()
        return captured.out, captured.err

    def unit(self, number: int, act: Callable[[Unit], T]) -> T:
        """Look at or change a unit itself."""
        world = World.open(self.folder)
        try:
            return act(world.find(Address.parse(self.addresses[number])))
        finally:
            world.close(0.0)

    def fault(self, number: int, *faults: Fault) -> None:
        """Plant faults."""
        self.unit(number, lambda unit: unit.faults.faults.extend(faults))

    def flash(self, number: int) -> bytes:
        """The flash as it lies on disk."""
        return (self.folder / self.addresses[number].replace(":", "").lower() / "flash.bin").read_bytes()
