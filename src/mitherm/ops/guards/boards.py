"""Rule F4: the display of the unit's board works with the image, or at least no worse than now."""

from __future__ import annotations

from mitherm.device.boards import BOARDS, possible_boards
from mitherm.image.catalogue import Catalogue
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.image.recognise import Identity
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.guards.rule import Case, Verdict, cannot_verify, ok, refuse


def display_works(case: Case) -> Verdict:
    """A known board is looked up. An unknown one must not be among those that would turn dark by this image."""
    if case.inspection is None:
        return ok("no image")
    if case.passing:
        return ok("another image follows at once: a dark display would not last")
    bad = [row for row in case.known_bad("F4") if row.verdict == "blank"]
    if bad:
        return refuse(bad[0].text, f"board {case.board}", *(f"source: {row.source}" for row in bad))
    if case.unit.identity.model != LYWSD03MMC:
        return ok("no table of boards exists for this model")
    if case.board in BOARDS:
        return ok(f"board {case.board}: the display works with this image")
    text, possible = case.unit.identity.hardware_string, possible_boards(case.unit.identity.hardware, case.board)
    if text is not None and text not in possible:
        return cannot_verify(f"the hardware revision {text!r} is none that is known: the display may stay dark")
    return _never_worse(case, possible)


def _never_worse(case: Case, possible: tuple[str, ...]) -> Verdict:
    """The firmware does not tell the board (atc1441, pvvx up to 2.1): compare image and running firmware on all possible."""
    image, running, catalogue = _of_image(case), case.abilities.running, case.catalogue
    darker = [board for board in possible if _dark(catalogue, image, board) and not _dark(catalogue, running, board)]
    if darker:
        return cannot_verify(
            f"{case.unit.label} does not tell its board, and the display of {', '.join(darker)} stays dark with this image"
        )
    return ok(f"on {_all(possible)} the display works with this image wherever it works now")


def _all(possible: tuple[str, ...]) -> str:
    return "every board" if possible == BOARDS else " and ".join(possible)


def _dark(catalogue: Catalogue, identity: Identity, board: str) -> bool:
    rows = known_bad(catalogue, identity, UnitFacts(LYWSD03MMC, board))
    return any(row.verdict == "blank" for row in rows)


def _of_image(case: Case) -> Identity:
    return case.inspection.identity if case.inspection else Identity(Family.UNKNOWN)
