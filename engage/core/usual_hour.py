"""The hour at which a member usually responds: what `send … at: usual_hour` waits for.

Counted from the member's own clicks, replies and answers of the last 180 days, by their own clock. Orders do not count:
shops report them when it suits the till. Opens do not: mail programs open by themselves. With fewer than three there is
no usual hour. Each counts for its hour and half as much for the hours next to it, so that an evening is not torn apart
at 20:00; what happens more than once in one hour of one day is one. Of equals the hour of the latest response wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from engage.core.timing import local_moment

LOOKED_BACK = timedelta(days=180)
_FEWEST = 3
_HOURS = 24


@dataclass(frozen=True, slots=True)
class UsualHour:
    hour: int
    responses: int  # that it was counted from


def usual_hour(responses: Iterable[datetime], zone: ZoneInfo) -> UsualHour | None:
    """None if too little is known."""
    local = sorted({at.astimezone(zone).replace(minute=0, second=0, microsecond=0, tzinfo=None) for at in responses})
    if len(local) < _FEWEST:
        return None
    weights: Counter[int] = Counter()
    for at in local:
        weights[at.hour] += 2
        weights[(at.hour - 1) % _HOURS] += 1
        weights[(at.hour + 1) % _HOURS] += 1
    most = max(weights[at.hour] for at in local)  # an hour of a response: the gap between two of them is none
    latest = next(at.hour for at in reversed(local) if weights[at.hour] == most)
    return UsualHour(latest, len(local))


def next_such_hour(hour: int, moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` if it is that hour there, else when it begins next: within a day."""
    now = moment.astimezone(zone)
    if now.hour == hour:
        return moment
    today = local_moment(now.date(), time(hour), zone)
    return today if today > moment else local_moment(now.date() + timedelta(days=1), time(hour), zone)
