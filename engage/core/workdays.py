"""Which days people in mainland China work: weekends, public holidays and make-up days (调休).

The State Council announces a year's calendar in the autumn before it (国务院办公厅关于部分节假日安排的通知), and
chinesecalendar carries what had been announced when it was released. Ops may announce a year themselves, in the config.
Outside those years Monday to Friday is assumed, and `is_provisional` says so: whoever shows a date that was counted in
workdays should show that too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class AnnouncedYear:
    """How one year differs from Monday to Friday."""

    holidays: frozenset[date] = frozenset()
    make_up_days: frozenset[date] = frozenset()  # Saturdays and Sundays that are worked for them


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """The mainland calendar; for the years given here, as they say."""

    years: Mapping[int, AnnouncedYear] = field(default_factory=dict)

    def is_workday(self, day: date) -> bool:
        announced = self._announced(day)
        return day.weekday() < _SATURDAY if announced is None else announced

    def is_provisional(self, day: date) -> bool:
        """No calendar has been announced for that year (that we know of): Monday to Friday is only our assumption."""
        return self._announced(day) is None

    def is_weekend(self, day: date) -> bool:
        """A Saturday or Sunday that people have off; a make-up Sunday in the office is none."""
        return day.weekday() >= _SATURDAY and not self.is_workday(day)

    def workday_after(self, day: date, count: int) -> date:
        """The `count`-th workday after `day`; with 0, `day` itself if it is one, else the next."""
        if count == 0:
            return day if self.is_workday(day) else self.workday_after(day, 1)
        for _ in range(count):
            day += _ONE_DAY
            while not self.is_workday(day):
                day += _ONE_DAY
        return day

    def _announced(self, day: date) -> bool | None:
        year = self.years.get(day.year)
        if year is None:
            return _as_released(day)
        return day in year.make_up_days or (day.weekday() < _SATURDAY and day not in year.holidays)


MAINLAND = WorkCalendar()


@lru_cache(maxsize=4096)
def _as_released(day: date) -> bool | None:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # how chinesecalendar says that it does not know the year
        return None
