"""A moment, or a day, as somebody writes it on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import typer

DAY = "%Y-%m-%d"
_YEARS = range(1970, 2200)  # no shop has records or plans beyond
_SHORT = re.compile(r"(\d{1,2})-(\d{1,2})(?: (\d{1,2}:\d{2}))?")


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """`2026-11-24 20:00`, `11-24 20:00` (of this year), a day alone (its end), or ISO 8601 with a zone of its own. None
    if it is none of them."""
    short = _SHORT.fullmatch(text.strip())
    if short is not None:
        text = f"{now.astimezone(zone).year}-{int(short[1]):02}-{int(short[2]):02} {short[3] or ''}"
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if len(text.strip()) <= len("2026-11-24"):
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


def day_within_reach(day: datetime | None) -> datetime | None:
    """Of an option that names a day. Raises: `BadParameter`; a zone's clock cannot be reckoned where the years end."""
    if day is not None and day.year not in _YEARS:
        raise typer.BadParameter(f"{day.date()} is no day between {_YEARS[0]} and {_YEARS[-1]}")
    return day
