"""Which rows of the catalogue's table of bad combinations name an image on a unit (product-needs.md 6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitherm.image.catalogue import Catalogue, KnownDefect
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


def known_bad(catalogue: Catalogue, image: Identity, unit: UnitFacts) -> tuple[KnownDefect, ...]:
    """All rows of the catalogue that name this image on this unit."""
    return tuple(row for row in catalogue.bad if _fits(row.image, image) and _fits(row.unit, unit))


def _fits(criteria: Mapping[str, Any], facts: Identity | UnitFacts) -> bool:
    """A criterion names attributes: a list holds what is meant, `version_below` compares, everything else is equal."""
    return all(_holds(key, value, facts) for key, value in criteria.items())


def _holds(key: str, value: Any, facts: Identity | UnitFacts) -> bool:
    if key == "version_below":
        return facts.version is not None and version_key(facts.version) < version_key(value)
    fact = getattr(facts, key)
    return fact in value if isinstance(value, list) else bool(fact == value)
