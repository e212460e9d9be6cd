"""The lunar calendar: known days, its ends, and the months on which tables disagree."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

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


@pytest.mark.parametrize(
    ("year", "month", "first"),
    [(2057, 9, date(2057, 9, 29)), (2089, 8, date(2089, 9, 5)), (2097, 7, date(2097, 8, 8))],
)
def test_the_months_on_which_tables_disagree_are_as_decided(year: int, month: int, first: date) -> None:
    """A new version of borax that moves them would move members' birthdays: this is where it is noticed."""
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
