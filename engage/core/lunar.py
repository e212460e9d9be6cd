"""The Chinese lunar calendar, 1901-2100, on the tables of borax: its months as solar dates, and its words.

GB/T 33661-2017 has a month begin on the day, in Beijing time (UTC+8), on which the new moon falls. Decades ahead the
moment is known to a minute or two only (how the earth's turning slows cannot be foretold), so tables disagree where it
comes that close to midnight; the Hong Kong Observatory names three such months in the note to its “Gregorian-Lunar
Calendar Conversion Table”. They are decided here, and a test compares every other month with a second library:

| new moon, Beijing time | the month begins | others |
|---|---|---|
| 2057-09-29 00:00 | 2057-09-29 (九月), as borax and lunar-python have it | the Observatory's table: 09-28 |
| 2089-09-04 23:58 | 2089-09-04 (八月), as the Observatory, lunar-python and the USNO's phases have it | borax: 09-05 |
| 2097-08-08 00:01 | 2097-08-08 (七月), as borax and the USNO's phases have it | Observatory, lunar-python: 08-07 |
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from operator import attrgetter

from borax.calendars.lunardate import LCalendars, LunarDate

FIRST_YEAR, LAST_YEAR = 1901, 2100

# 正月…腊月; the eleventh and twelfth are also written with numbers.
MONTH_WORDS = ("正", "二", "三", "四", "五", "六", "七", "八", "九", "十", "冬", "腊")
_DIGITS = "一二三四五六七八九"
DAY_WORDS = (
    *(f"初{digit}" for digit in (*_DIGITS, "十")),
    *(f"十{digit}" for digit in _DIGITS),
    "二十",
    *(f"廿{digit}" for digit in _DIGITS),
    "三十",
)


@dataclass(frozen=True, slots=True)
class LunarMonth:
    """One month of one lunar year. `days` is 29 or 30."""

    year: int
    month: int
    leap: bool
    first: date
    days: int

    def date_of(self, day: int) -> date:
        """The solar date of its `day`; the 30th of a month of 29 days is kept on the 29th."""
        return self.first + timedelta(days=min(day, self.days) - 1)


@dataclass(frozen=True, slots=True)
class LunarDay:
    month: LunarMonth
    day: int

    @property
    def text(self) -> str:
        """“八月十五”, “闰四月初一”, “腊月廿九”."""
        leap = "闰" if self.month.leap else ""
        return f"{leap}{MONTH_WORDS[self.month.month - 1]}月{DAY_WORDS[self.day - 1]}"


# How long the months around a new moon are that borax places otherwise than is decided above: (year, month) → days.
_DECIDED_LENGTHS = {(2089, 7): 29, (2089, 8): 30}


@cache
def months_of(year: int) -> tuple[LunarMonth, ...]:
    """The 12 or 13 months of a lunar year in their order; none outside 1901-2100."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return ()
    first: date = LunarDate(year, 1, 1).to_solar_date()
    months = []
    for month, length, leap in LCalendars.iter_year_month(year):
        days = _DECIDED_LENGTHS.get((year, month), length)
        months.append(LunarMonth(year, month, bool(leap), first, days))
        first += timedelta(days=days)
    return tuple(months)


def month_of(year: int, month: int, leap: bool) -> LunarMonth | None:
    """That month; None if the year has no such leap month, or lies outside 1901-2100."""
    return next((each for each in months_of(year) if each.month == month and each.leap == leap), None)


def lunar_day(day: date) -> LunarDay | None:
    """The lunar date of a solar one; None outside the lunar years 1901-2100."""
    this_year = months_of(day.year)
    months = this_year if this_year and this_year[0].first <= day else months_of(day.year - 1)
    index = bisect_right(months, day, key=attrgetter("first")) - 1
    if index < 0:
        return None
    passed = (day - months[index].first).days
    return LunarDay(months[index], passed + 1) if passed < months[index].days else None


@cache
def leap_month_occurs(month: int) -> bool:
    """Whether any year of the range repeats this month. The first and the twelfth never are; the next is in 2262."""
    return any(month_of(year, month, leap=True) for year in range(FIRST_YEAR, LAST_YEAR + 1))
