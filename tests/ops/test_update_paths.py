"""Every pair of firmware and goal has a planned path, a named need, or an explained end."""

import sys
from pathlib import Path

import pytest

from mitherm.ops.updating.paths import GOALS, UpdatePath, starts, update_paths

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def found() -> list[UpdatePath]:
    """All roads."""
    return update_paths()


def test_every_pair_is_answered(found: list[UpdatePath]) -> None:
    """Each start with each goal, exactly once."""
    pairs = [(path.start, path.goal) for path in found]
    assert pairs == [(start.label, goal) for start in starts() for goal in GOALS]


def test_between_the_firmwares_of_the_model_nothing_is_closed(found: list[UpdatePath]) -> None:
    """Stock, pvvx and atc1441 are start and goal of open roads; what is closed says why and names the wire."""
    for path in found:
        assert bool(path.closed) == (path.start in ("Zigbee", "PHY62x2", "other or unknown"))
        assert not path.closed or "wire" in path.closed


def test_keys_are_all_that_can_be_missing(found: list[UpdatePath]) -> None:
    """A need names keys, and only units without known keys have one."""
    for path in found:
        if path.needs:
            assert "keys" in path.needs
            assert "unknown" in path.start or "not bound" in path.start


@pytest.mark.parametrize(
    ("start", "goal", "steps"),
    [
        ("stock 1.0.0_0109, not bound", "pvvx", ("activate", "login", "flash pvvx 5.8")),
        ("stock 2.1.1_0159, bound, keys in the vault", "pvvx", ("login", "flash pvvx 5.8")),
        (
            "stock 2.1.1_0159 build B1.6, bound, keys in the vault",
            "pvvx",
            ("login", "flash stock 2.1.1_0159", "login", "flash pvvx 5.8"),
        ),
        (
            "stock 2.1.1_0159, bound, keys in the vault",
            "stock-1.0.0_0130",
            ("login", "flash pvvx 5.8", "save-keys", "flash stock 1.0.0_0130"),
        ),
        ("atc1441", "mi-home-ready", ("flash stock 1.0.0_0130",)),
        ("pvvx 5.8", "mi-home-ready", ("save-keys", "erase-mi-records", "flash stock 1.0.0_0130")),
    ],
)
def test_some_roads(found: list[UpdatePath], start: str, goal: str, steps: tuple[str, ...]) -> None:
    """The steps in order."""
    assert next(path.steps for path in found if (path.start, path.goal) == (start, goal)) == steps


def test_documents_hold_every_rule_and_every_road(found: list[UpdatePath], monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated pages are made from the same tables."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from generated import fill

    from mitherm.ops.guards import RULES

    guards = fill((DOCS / "reference" / "guards.md").read_text())
    assert all(f"| {rule.id} | {rule.title} |" in guards for rule in RULES)
    assert all(rule.waiver is None or f"`{rule.waiver}`" in guards for rule in RULES)
    page = fill((DOCS / "reference" / "roads.md").read_text())
    assert all(f"## From {path.start}\n" in page for path in found)
    assert all(" → ".join(path.steps) in page for path in found)
    sys.modules.pop("generated")
