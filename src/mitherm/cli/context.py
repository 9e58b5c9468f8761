"""One command: the settings in force, its output, and what the composition root makes of the settings."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mitherm.cli.documents import success
from mitherm.errors import AnswerNeeded, MithermError

if TYPE_CHECKING:
    from mitherm.cli.terminal import Terminal
    from mitherm.image.catalogue import Catalogue
    from mitherm.ops.bench import Bench
    from mitherm.ops.files.library import ImageSource
    from mitherm.radio.open import RadioName

_R = TypeVar("_R")

DEFAULT_TIMEOUT_S: Final = 30.0


@dataclass(slots=True)
class Settings:
    """The global options in force."""

    as_json: bool = False
    verbosity: int = 0
    quiet: bool = False
    yes: bool = False
    dry_run: bool = False
    radio: str | None = None
    timeout_s: float | None = None
    catalogue: Catalogue | None = None
    """The one in force instead of the shipped one."""

    def take(self, name: str, value: Any) -> None:
        """An option was given."""
        match name:
            case "verbose":
                self.verbosity = max(self.verbosity, int(value))
            case "timeout":
                self.timeout_s = float(value)
            case _:
                setattr(self, name, value)

    def timeout(self, default: float = DEFAULT_TIMEOUT_S) -> float:
        """How long to look for a unit."""
        return default if self.timeout_s is None else self.timeout_s


class App:
    """What a command gets: `app.finish(result, render)` ends it, errors are raised."""

    def __init__(self, arguments: list[str]) -> None:
        self.settings = Settings(as_json="--json" in arguments)
        self.command = ""
        """As typed, without the program: `flash`, `keys show`; set when the command is parsed."""
        self._terminal: Terminal | None = None

    @property
    def terminal(self) -> Terminal:
        """The person's view, made when first needed."""
        if self._terminal is None:
            from mitherm.cli.terminal import Terminal

            self._terminal = Terminal(
                quiet=self.settings.quiet or self.settings.as_json, verbosity=self.settings.verbosity
            )
        return self._terminal

    # --- endings ------------------------------------------------------------------------------------------------------

    def finish(self, result: Mapping[str, Any], render: Callable[[Mapping[str, Any]], None]) -> int:
        """Success: the one document, or the text."""
        if self.settings.as_json:
            self._document(success(self.command, result))
        else:
            self.terminal.close_progress()
            render(result)
        return 0

    def fail(self, error: MithermError) -> int:
        """Failure: the document with the error, or a sentence on what happened, the unit's state and what to do next."""
        if self.settings.as_json:
            from mitherm.cli.documents.failures import failure

            self._document(failure(self.command, error))
        else:
            self.terminal.error(error)
        return error.exit_code

    def interrupted(self) -> int:
        """Ctrl-C: say what that means for the unit."""
        message = MithermError(
            "interrupted",
            hint="A broken transfer is harmless: the unit goes on with its old firmware. Repeat the command to continue.",
            device="unknown",
        )
        self.fail(message)
        return 130

    def _document(self, document: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    # --- questions ----------------------------------------------------------------------------------------------------

    def ask(self, question: str) -> bool:
        """Yes or no from --yes or a person; raises AnswerNeeded where neither is there."""
        if self.settings.yes:
            return True
        if not sys.stdin.isatty():
            raise AnswerNeeded(f"would have asked: {question}", hint="answer in advance with --yes")
        from mitherm.wiring.interrupts import interruptible

        with interruptible():
            return self.terminal.confirm(question)

    # --- what operations need -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open_bench(self, waivers: Collection[str] = ()) -> AsyncIterator[Bench]:
        """A bench on the radio in force, for as long as the context is open."""
        from mitherm.cli.questions import type_token
        from mitherm.wiring.bench import open_bench

        async with open_bench(
            str(self.radio),
            tell=self.terminal.tell,
            ask=self.ask,
            ask_token=type_token if sys.stdin.isatty() else None,
            timeout_s=self.settings.timeout(),
            waivers=waivers,
            catalogue=self.settings.catalogue,
            dry_run=self.settings.dry_run,
        ) as bench:
            yield bench

    @property
    def images(self) -> ImageSource:
        """The library of this user, with the catalogue in force."""
        from mitherm.wiring.bench import open_images

        return open_images(catalogue=self.settings.catalogue)

    # --- running ------------------------------------------------------------------------------------------------------

    @property
    def radio(self) -> RadioName:
        """The radio in force. Raises UsageProblem."""
        from mitherm.radio.open import RadioName

        return RadioName.parse(self.settings.radio or "system")

    def run(self, work: Callable[[], Coroutine[Any, Any, _R]], *, real_time: bool = False) -> _R:
        """Run `work` in the loop its radio wants: simulated time for virtual units, real time for everything else.

        `real_time` is for work with virtual units that talks to the network or to a person.
        """
        from mitherm.cli.logs import set_up
        from mitherm.wiring.loops import run_program

        radio = str(self.radio)
        set_up(self.settings.verbosity)
        return run_program(work(), radio, real_time=real_time)
