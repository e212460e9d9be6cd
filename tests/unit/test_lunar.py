"""The lunar calendar: known days, its ends, and the months on which tables disagree."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from lunar_python import LunarYear

from engage.core.lunar import leap_month_occurs, lunar_day, month_of, months_of


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 2, 17), "正月初一"),  # Spring Festival
        (date(2026, 2, 16), "腊月廿九"),  # the last day of a twelfth month of 29 days
        (date(2026, 9, 25), "八月十五"),  # Mid-Autumn
        (date(2020, 5, 23), "闰四月初一"),
        (date(2020, 4, 23), "四月初一"),
        (date(2025, 1, 28), "腊月廿九"),
        (date(2024, 2, 9), "腊月三十"),
        (date(2033, 12, 22), "闰冬月初一"),
        (date(2026, 11, 28), "十月二十"),
        (date(2026, 11, 18), "十月初十"),
    ],
)
def test_known_days_in_words(day: date, text: str) -> None:
    found = lunar_day(day)
    assert found is not None
    assert found.text == text


def test_the_range_is_the_lunar_years_1901_to_2100() -> None:
    first, last = date(1901, 2, 19), date(2101, 1, 28)
    beginning, end = lunar_day(first), lunar_day(last)
    assert beginning is not None
    assert (beginning.month.year, beginning.text) == (1901, "正月初一")
    assert end is not None
    assert (end.month.year, end.text) == (2100, "腊月廿九")
    assert lunar_day(first - timedelta(days=1)) is None
    assert lunar_day(last + timedelta(days=1)) is None
    assert months_of(1900) == months_of(2101) == ()


def test_months_follow_each_other_without_gap_or_overlap() -> None:
    months = [month for year in range(1901, 2101) for month in months_of(year)]
    for month, following in pairwise(months):
        assert month.first + timedelta(days=month.days) == following.first
        assert month.days in (29, 30)


def other_months(year: int) -> list[tuple[int, bool, date, int]]:
    """The months of a lunar year by lunar-python, which computes new moons and solar terms (寿星万年历)."""
    found = [month for month in LunarYear.fromYear(year).getMonths() if month.getYear() == year]
    return [
        (abs(month.getMonth()), month.getMonth() < 0, date_of(month.getFirstJulianDay()), month.getDayCount())
        for month in found
    ]


def date_of(julian_day: float) -> date:
    return date(2000, 1, 1) + timedelta(days=round(julian_day) - 2_451_545)  # that noon


# A year whose months another library has otherwise: {month: (first day, days)}. See the table in core.lunar.
DECIDED_OTHERWISE = {
    2097: {6: (date(2097, 7, 9), 29), 7: (date(2097, 8, 7), 30)},
}


def test_every_month_of_two_centuries_is_where_an_astronomical_library_has_it() -> None:
    """Leap months, lengths and first days, and so every day: but for the one new moon at midnight of 2097."""
    for year in range(1901, 2101):
        ours = [(month.month, month.leap, month.first, month.days) for month in months_of(year)]
        theirs = other_months(year)
        decided = DECIDED_OTHERWISE.get(year, {})
        assert [(m, leap, *decided.get(m, (first, days))) for m, leap, first, days in ours] == theirs, year
        changed = {m for (m, _, first, days), other in zip(ours, theirs, strict=True) if other[2:] != (first, days)}
        assert changed == set(decided), year


def test_every_day_of_two_centuries_is_converted_and_back() -> None:
    day, last = date(1901, 2, 19), date(2101, 1, 28)
    for month in (month for year in range(1901, 2101) for month in months_of(year)):
        for number in range(1, month.days + 1):
            found = lunar_day(day)
            assert found is not None
            assert (found.month, found.day) == (month, number)
            assert month.date_of(number) == day
            day += timedelta(days=1)
    assert day == last + timedelta(days=1)


@pytest.mark.parametrize(
    ("year", "month", "first"),
    [(2057, 9, date(2057, 9, 29)), (2089, 8, date(2089, 9, 4)), (2097, 7, date(2097, 8, 8))],
)
def test_the_months_on_which_tables_disagree_are_as_decided(year: int, month: int, first: date) -> None:
    """A new version of borax that moves them would move members' birthdays: this is where it is noticed."""
    before = month_of(year, month - 1, leap=False)
    assert before is not None
    assert before.first + timedelta(days=before.days) == first
    found = month_of(year, month, leap=False)
    assert found is not None
    assert found.first == first


def test_leap_months_occur_from_the_second_to_the_eleventh() -> None:
    assert [month for month in range(1, 13) if leap_month_occurs(month)] == list(range(2, 12))


def test_the_30th_of_a_short_month_is_its_29th() -> None:
    short = month_of(2025, 12, leap=False)
    assert short is not None
    assert short.days == 29
    assert short.date_of(30) == short.date_of(29) == date(2026, 2, 16)
