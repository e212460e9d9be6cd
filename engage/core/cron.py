"""The days of a cron line (`0 10 * * 1`): which local dates it falls on. Reading one is `core.journey.cron`.

As crontab(5) has it (Vixie cron): where both the day of the month and the weekday are restricted, a day that either of
them names will do; a field is unrestricted if it begins with `*`.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

_A_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class CronDays:
    """`weekdays` count from Sunday = 0. `either`: both kinds of day are restricted, and one of them is enough."""

    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool = False

    def falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_number, by_name = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_number or by_name if self.either else by_number and by_name

    @property
    def never(self) -> bool:
        """No year has such a day: 30 February."""
        longest = max(monthrange(_A_LEAP_YEAR, month)[1] for month in self.months)
        return not self.either and min(self.days) > longest
