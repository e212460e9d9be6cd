"""When people in the sandbox do things: they shop by day, some at night, and they sleep. All in mainland time."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engage.sandbox.draws import happens, weighted

ZONE = ZoneInfo("Asia/Shanghai")

_BY_DAY = [(hour, 3.0 if hour in (12, 13, 20, 21) else 2.0) for hour in range(9, 22)]
_BY_NIGHT = [(hour, 1.0) for hour in (22, 23, 0, 1, 6, 7)]
_WAKES = 7  # o'clock; who gets something at night answers in the morning


def local_day(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def some_time_on(day: date, rng: random.Random, at_night: float = 0.0) -> datetime:
    """A moment of that local day: lunch and evening are busiest. `at_night` is the share outside 9–22."""
    hour = weighted(rng, _BY_NIGHT if happens(rng, at_night) else _BY_DAY)
    clock = time(hour, rng.randrange(60), rng.randrange(60))
    return datetime.combine(day, clock, ZONE).astimezone(UTC)


def once_awake(moment: datetime, rng: random.Random) -> datetime:
    """The moment itself by day; in the small hours, the next morning between seven and nine."""
    local = moment.astimezone(ZONE)
    if local.hour >= _WAKES:
        return moment
    morning = local.replace(hour=_WAKES, minute=0, second=0, microsecond=0)
    return (morning + timedelta(seconds=rng.randrange(2 * 3600))).astimezone(UTC)
