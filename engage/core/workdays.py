"""Which days people in mainland China work: weekends, public holidays and make-up days (调休).

The State Council announces a year's calendar in the autumn before it (国务院办公厅关于部分节假日安排的通知), and
chinesecalendar carries what has been announced. Outside those years Monday to Friday is assumed, and `is_provisional`
says so: whoever shows a date that was counted in workdays should show that too.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


def is_workday(day: date) -> bool:
    announced = _announced(day)
    return day.weekday() < _SATURDAY if announced is None else announced


def is_provisional(day: date) -> bool:
    """No calendar has been announced for that year (that we know of): Monday to Friday is only our assumption."""
    return _announced(day) is None


def is_weekend(day: date) -> bool:
    """A Saturday or Sunday that people have off; a make-up Sunday in the office is none."""
    return day.weekday() >= _SATURDAY and not is_workday(day)


def workday_after(day: date, count: int) -> date:
    """The `count`-th workday after `day`; with 0, `day` itself if it is one, else the next."""
    if count == 0:
        return day if is_workday(day) else workday_after(day, 1)
    for _ in range(count):
        day += _ONE_DAY
        while not is_workday(day):
            day += _ONE_DAY
    return day


@lru_cache(maxsize=4096)
def _announced(day: date) -> bool | None:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # how chinesecalendar says that it does not know the year
        return None
