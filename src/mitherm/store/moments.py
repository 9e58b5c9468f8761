"""Moments as the stores write them: UTC, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; raises ValueError for a datetime without time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 with Z, for documents."""
    return utc(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp(moment: datetime) -> str:
    """Compact form for file names; sorts by time."""
    return utc(moment).strftime("%Y%m%dT%H%M%S.%fZ")


def parse_iso(text: str) -> datetime:
    """Inverse of `iso`; raises ValueError without quoting the text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a moment in ISO 8601") from None
    return utc(moment)
