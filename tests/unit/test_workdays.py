"""Workdays by the announced mainland calendar, and what is assumed beyond it."""

from __future__ import annotations

from datetime import date

import pytest

from engage.core.workdays import is_provisional, is_weekend, is_workday, workday_after


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 11, 23), True),  # a Monday
        (date(2026, 11, 22), False),  # a Sunday
        (date(2026, 2, 17), False),  # 春节, a Tuesday
        (date(2026, 2, 28), True),  # a Saturday worked for 春节
        (date(2026, 10, 7), False),  # 国庆, a Wednesday
        (date(2026, 10, 10), True),  # a Saturday worked for 国庆
    ],
)
def test_announced_days_follow_the_calendar(day: date, works: bool) -> None:
    assert is_workday(day) is works
    assert not is_provisional(day)


def test_beyond_the_announced_years_monday_to_friday_work_provisionally() -> None:
    """A Tuesday in the Spring Festival of 2090 counts as a workday until somebody announces otherwise."""
    assert is_workday(date(2090, 1, 31))
    assert is_provisional(date(2090, 1, 31))
    assert not is_workday(date(2090, 2, 4))


def test_a_make_up_saturday_is_no_weekend_and_a_holiday_on_a_wednesday_is_none_either() -> None:
    assert is_weekend(date(2026, 11, 22))
    assert not is_weekend(date(2026, 2, 28))
    assert not is_weekend(date(2026, 10, 7))


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),  # Friday → Monday
        (date(2026, 11, 21), 1, date(2026, 11, 23)),  # Saturday → Monday
        (date(2026, 11, 21), 2, date(2026, 11, 24)),
        (date(2026, 9, 30), 1, date(2026, 10, 8)),  # the day before 国庆 → the day after it
        (date(2026, 9, 30), 3, date(2026, 10, 10)),  # … and the Saturday counts
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
        (date(2026, 11, 22), 0, date(2026, 11, 23)),
    ],
)
def test_counting_workdays(day: date, count: int, expected: date) -> None:
    assert workday_after(day, count) == expected
