"""Hours: when a message may go out, in the member's local time. Quiet hours defer a message, they never drop it.

A span is a start and an end of local time; the start belongs to it, the end does not. A start later than the end runs
over midnight (21:00-09:00); a start equal to the end is an empty span.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engage.core.timing import local_moment

Hours = tuple[time, time]

# Where neither the member's zone nor the business's is one: most members live by it, and quiet hours must hold.
_LAST_RESORT = "Asia/Shanghai"


def zone_of(name: str | None, default: str) -> ZoneInfo:
    """The zone of that name, else the business's. Never raises: a bad zone must not open the quiet hours."""
    return _zone(name) or _zone(default) or ZoneInfo(_LAST_RESORT)


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a relative path; a folder of zones, such as "Asia"
        return None


def inside(span_start: time, span_end: time, moment: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks in the zone show a time within the span at that moment."""
    return _within(moment.astimezone(zone).time(), (span_start, span_end))


def leaves_room(quiet: Hours, allowed: Hours | None) -> bool:
    """Whether any time of day is outside `quiet` and inside `allowed`. If none is, nothing could ever be sent."""
    return any(_is_open(at, quiet, allowed) for at in _openings(quiet, allowed))


@lru_cache(maxsize=4096)  # a batch asks the same for nearly all of its members
def next_allowed(moment: datetime, zone: ZoneInfo, quiet: Hours, allowed: Hours | None = None) -> datetime:
    """The first moment, from `moment` on, outside quiet hours and inside the allowed span (None: any time).

    Raises ValueError for hours that leave no room, which no wait would cure.
    """
    if not leaves_room(quiet, allowed):
        raise ValueError("the quiet hours cover all hours in which sending is allowed")
    if _is_open(moment.astimezone(zone).time(), quiet, allowed):
        return moment
    # Being open begins where the quiet hours end or the allowed ones start. Three days hold such a moment: a change to
    # or from daylight saving may skip the one of today.
    today = moment.astimezone(zone).date()
    openings = sorted(
        instant
        for days in range(3)
        for at in _openings(quiet, allowed)
        for instant in _moments(today + timedelta(days=days), at, zone)
    )
    return next(
        instant
        for instant in openings
        if instant > moment and _is_open(instant.astimezone(zone).time(), quiet, allowed)
    )


def _moments(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """That local time's first instant and, where clocks go back and show it twice, its second (else the same)."""
    first = local_moment(day, at, zone)
    return first, first.astimezone(zone).replace(fold=1).astimezone(UTC)


def _openings(quiet: Hours, allowed: Hours | None) -> tuple[time, ...]:
    return (quiet[1],) if allowed is None else (quiet[1], allowed[0])


def _is_open(at: time, quiet: Hours, allowed: Hours | None) -> bool:
    return not _within(at, quiet) and (allowed is None or _within(at, allowed))


def _within(at: time, span: Hours) -> bool:
    start, end = span
    return start <= at < end if start <= end else at >= start or at < end
