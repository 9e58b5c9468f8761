"""Combinations of image and unit that are known to go wrong (product-needs.md 6.2); the table is data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mitherm.image.catalogue_data import load
from mitherm.image.recognise import Identity
from mitherm.model.family import Family
from mitherm.model.models import version_key


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """What is known about the unit an image is meant for; None = not known, and then no row matches on it."""

    model: str | None = None
    hardware: str | None = None
    product_id: int | None = None
    family: Family | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class KnownBad:
    """One row that matched. `verdict`: refuse (damage or a sure failure) or blank (the display stays dark)."""

    verdict: Literal["refuse", "blank"]
    rule: str
    text: str
    source: str


def known_bad(image: Identity, unit: UnitFacts) -> tuple[KnownBad, ...]:
    """All rows that name this image on this unit."""
    return tuple(
        KnownBad(row["verdict"], row["rule"], row["text"], row["source"])
        for row in load("known_bad")
        if _fits(row["image"], image) and _fits(row["unit"], unit)
    )


def _fits(row: dict[str, Any], facts: Identity | UnitFacts) -> bool:
    """A row names attributes: a list holds what is meant, `version_below` compares, everything else is equal."""
    return all(_holds(key, wanted, facts) for key, wanted in row.items())


def _holds(key: str, wanted: Any, facts: Identity | UnitFacts) -> bool:
    if key == "version_below":
        return facts.version is not None and version_key(facts.version) < version_key(wanted)
    value = getattr(facts, key)
    return value in wanted if isinstance(wanted, list) else bool(value == wanted)
