"""How many steps a run has walked on a day: the last guard where a `goto` leads back.

Without one a run comes by each step once, and its file is the limit; so nothing is counted there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engage.core.timing import local_moment


@dataclass(frozen=True, slots=True)
class Walked:
    """`on`: a day of the business's calendar; None where nothing was ever counted."""

    on: date | None = None
    steps: int = 0

    def one_more(self, today: date) -> Walked:
        return Walked(today, self.on_day(today) + 1)

    def on_day(self, today: date) -> int:
        return self.steps if self.on == today else 0


NEVER_COUNTED = Walked()


@dataclass(frozen=True, slots=True)
class DaysWalk:
    """What a run may walk today, and when it may go on if it has."""

    most: int
    today: date
    goes_on_at: datetime

    @classmethod
    def of(cls, most: int, now: datetime, zone: ZoneInfo) -> DaysWalk:
        today = now.astimezone(zone).date()
        return cls(most, today, local_moment(today + timedelta(days=1), time(0), zone))

    def is_done(self, walked: Walked) -> bool:
        return walked.on_day(self.today) >= self.most
