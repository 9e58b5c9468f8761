"""Two stories told by the real command line on virtual units: `make demo`. Exits non-zero if one does not end as told.

Every step is a process of its own, as if typed; it talks through bumble's virtual controllers and the genuine bleak API,
or over another RADIO given as the only argument.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RADIO: Final = "air:demo"
NEW: Final = "A4:C1:38:00:00:0A"
STUCK: Final = "A4:C1:38:00:00:0B"


@dataclass(frozen=True, slots=True)
class Step:
    """A sentence, the command line after `mitherm`, its exit code, and words that its stdout must contain."""

    told: str
    typed: str
    code: int = 0
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Steps under a heading."""

    title: str
    steps: tuple[Step, ...]


STORIES: Final = (
    Story(
        "Before we begin: two virtual units, and images for them",
        (
            Step(
                "One is fresh from the factory. The other was activated by a web flasher years ago.",
                f"virtual create demo --unit stock-1.0.0_0130,address={NEW} "
                f"--unit stock-1.0.0_0130,address={STUCK},bound=flasher",
                shows=(NEW, STUCK),
            ),
            Step("Synthetic images stand in for the real ones.", "firmware synth pvvx-5.8 --add"),
            Step("", "firmware synth stock-1.0.0_0130 --add"),
        ),
    ),
    Story(
        "Story A: a new thermometer leaves the Mi world, and comes back",
        (
            Step("What is in the air?", "scan", shows=(NEW, "stock")),
            Step(
                "Activate it. The new keys are on disk before the unit commits them.",
                f"activate {NEW}",
                shows=("blt.",),
            ),
            Step(
                "Put pvvx on it: plan, guards, login, transfer, verification.",
                f"bring {NEW} --to pvvx --yes",
                shows=("pvvx 5.8",),
            ),
            Step("Its keys stay with you.", f"keys show {NEW}", shows=("activation",)),
            Step("Into the fridge with it ...", f"virtual set demo {NEW} temperature_c=4.5"),
            Step("... and its beacon says so, to anybody who listens.", "scan", shows=("4.5", "bthome2")),
            Step(
                "Back to what Mi Home understands; the keys are saved before they are erased.",
                f"bring {NEW} --to mi-home-ready --yes",
                shows=("stock 1.0.0_0130",),
            ),
            Step("The Mi Home app adds it.", f"virtual mi-home demo add {NEW}", shows=("Mi Home added",)),
        ),
    ),
    Story(
        "Story B: standard verification failed (-29)",
        (
            Step(
                "The app refuses the unit with the code that fills the forums.",
                f"virtual mi-home demo add {STUCK}",
                code=5,
            ),
            Step(
                "mitherm knows why, and cures it.",
                f"bring {STUCK} --to mi-home-ready --yes",
                shows=("stock 1.0.0_0130",),
            ),
            Step("The same app, the same unit:", f"virtual mi-home demo add {STUCK}", shows=("Mi Home added",)),
        ),
    ),
)

ENDING: Final = """\
  A  new -> activated -> keys in the vault -> pvvx -> read over the air -> stock -> in Mi Home
  B  refused with -29 -> cause found, device id erased, keys saved -> in Mi Home

Try next:
  .venv/bin/mitherm virtual create play --unit stock-1.0.0_0130
  .venv/bin/mitherm --radio virtual:play scan
  .venv/bin/mitherm scan                    with a Bluetooth adapter and a real thermometer near
  docs/tutorial/first-unit.md               the same, slowly
"""


class Failed(Exception):
    """A step did not end as told."""


class Teller:
    """Types commands in a folder of its own and watches how they end."""

    def __init__(self, folder: Path, radio: str) -> None:
        self._folder = folder
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MITHERM_")}
        self._environment = kept | {
            "MITHERM_HOME": str(folder / "home"),
            "MITHERM_RADIO": radio,
            "COLUMNS": str(shutil.get_terminal_size((120, 24)).columns),
            **({"FORCE_COLOR": "1"} if self._colour else {}),
        }

    def say(self, text: str, style: str = "0") -> None:
        """A line of our own."""
        print(f"\x1b[{style}m{text}\x1b[0m" if self._colour else text, flush=True)

    def tell(self, step: Step) -> None:
        """Type one command; its stderr goes straight to the terminal, its stdout through our check."""
        if step.told:
            self.say(step.told)
        self.say(f"$ mitherm {step.typed}", "2")
        done = subprocess.run(
            [sys.executable, "-m", "mitherm", *shlex.split(step.typed)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout.rstrip("\n"), end="\n\n" if done.stdout.strip() else "\n", flush=True)
        if done.returncode != step.code:
            raise Failed(f"`mitherm {step.typed}` ended with {done.returncode} instead of {step.code}")
        missing = [word for word in step.shows if word not in done.stdout]
        if missing:
            raise Failed(f"`mitherm {step.typed}` did not show {', '.join(missing)}")


def main(radio: str = RADIO) -> int:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mitherm-demo-") as folder:
        teller = Teller(Path(folder), radio)
        teller.say(f"$ export MITHERM_RADIO={radio}\n", "2")
        try:
            for story in STORIES:
                teller.say(f"{story.title}\n", "1;36")
                for step in story.steps:
                    teller.tell(step)
        except Failed as failure:
            teller.say(f"The demo went wrong: {failure}", "1;31")
            return 1
        except KeyboardInterrupt:
            return 130
        teller.say(f"Both stories ended well, after {time.monotonic() - start:.0f} s.", "1;32")
        teller.say(ENDING)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
