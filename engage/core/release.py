"""Letting members go on who an edit would send on their way all at once: spread over a day, inside sending hours.

Deterministic: the same members, in the same order, at the same moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from engage.core.quiet import Hours, next_allowed
from engage.core.timing import local_moment

OVER = timedelta(hours=24)


class Release(StrEnum):
    """When they go on: at once, over a day, or not before the wait they are in would have been over anyway."""

    NOW = "now"
    DAY = "24h"
    KEEP = "keep-old-times"


@dataclass(frozen=True, slots=True)
class Pace:
    """`quiet`: hours in which nobody is let go, in the member's local time."""

    quiet: Hours = (time(21, 0), time(9, 0))
    most_an_hour: int = 500


def release_moments(count: int, of: int, now: datetime, zone: ZoneInfo, pace: Pace) -> Iterator[datetime]:
    """A moment for each of the `count` members of one zone, in order. `of`: how many there are in all zones, who share
    the pace; so that it may take longer than a day."""
    open_time = sum((end - start for start, end in _open_spans(now, zone, pace.quiet, until=now + OVER)), timedelta(0))
    step = max(open_time / count, timedelta(hours=1) * of / (pace.most_an_hour * count)) if count else timedelta(0)
    offset = timedelta(0)
    left = count
    for start, end in _open_spans(now, zone, pace.quiet):
        while left and start + offset < end:
            yield start + offset
            offset += step
            left -= 1
        offset -= end - start
        if not left:
            return


def _open_spans(
    now: datetime, zone: ZoneInfo, quiet: Hours, *, until: datetime | None = None
) -> Iterator[tuple[datetime, datetime]]:
    """When members of the zone may be let go, from now on; up to `until`, if it is given."""
    start = next_allowed(now, zone, quiet)
    while until is None or start < until:
        end = _closing(start, zone, quiet)
        yield start, min(end, until or end)
        start = next_allowed(end, zone, quiet)


def _closing(start: datetime, zone: ZoneInfo, quiet: Hours) -> datetime:
    """When the next quiet hours begin. Where there are none, days follow each other."""
    day = start.astimezone(zone).date()
    while (closing := local_moment(day, quiet[0], zone)) <= start:
        day += timedelta(days=1)
    return closing
