"""Our own vectors hold: cases beyond the public ones, each with the sentence of the specification it follows from."""

import json
from pathlib import Path

import pytest

from run_vectors import judge_for, judges, verdicts

VECTORS = Path(__file__).parent.parent / "vectors_extra"
KNOWN = judges()


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_extra_vectors(path: Path) -> None:
    """All cases of the file hold and at least one ran."""
    judge = judge_for(path.name, KNOWN)
    assert judge is not None, "no judge for this area"
    results = list(verdicts(judge, json.loads(path.read_text())))
    assert results
    assert [result for result in results if result[1] is not None] == []
