"""Workdays by the announced mainland calendar, and what is assumed beyond it."""

from __future__ import annotations

from datetime import date

import pytest

from engage.core.workdays import MAINLAND, AnnouncedYear, WorkCalendar


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
    assert MAINLAND.is_workday(day) is works
    assert not MAINLAND.is_provisional(day)


@pytest.mark.parametrize(
    ("year", "off", "work"),
    [
        # As announced by the State Council: weekdays off, and weekends worked for them.
        (2019, ["05-01", "05-02", "05-03"], ["04-28", "05-05"]),  # 五一, lengthened half a year before
        (2020, ["01-31", "04-06", "10-08"], ["04-26", "09-27", "10-10"]),  # 春节 prolonged by the epidemic
        (2023, ["01-27", "06-22", "09-29", "10-06"], ["01-28", "06-25", "10-07", "10-08"]),
        (2024, ["02-12", "04-04", "09-16", "10-07"], ["02-04", "02-18", "09-14", "10-12"]),
        (2025, ["02-04", "05-05", "10-08"], ["01-26", "02-08", "04-27", "09-28", "10-11"]),
        (2026, ["01-02", "02-23", "05-05", "10-07"], ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]),
    ],
)
def test_make_up_days_as_they_were_announced(year: int, off: list[str], work: list[str]) -> None:
    assert [day for day in off if MAINLAND.is_workday(date.fromisoformat(f"{year}-{day}"))] == []
    assert [day for day in work if not MAINLAND.is_workday(date.fromisoformat(f"{year}-{day}"))] == []
    for day in work:
        assert not MAINLAND.is_weekend(date.fromisoformat(f"{year}-{day}"))


def test_a_year_that_ops_give_is_as_they_give_it() -> None:
    given = AnnouncedYear(frozenset({date(2090, 1, 31)}), frozenset({date(2090, 2, 4)}))
    calendar = WorkCalendar({2090: given})
    assert not calendar.is_workday(date(2090, 1, 31))
    assert calendar.is_workday(date(2090, 2, 4))
    assert not calendar.is_weekend(date(2090, 2, 4))
    assert not calendar.is_provisional(date(2090, 1, 31))
    assert calendar.workday_after(date(2090, 1, 30), 1) == date(2090, 2, 1)
    assert calendar.is_provisional(date(2091, 1, 31))


def test_a_given_year_takes_the_place_of_the_released_one() -> None:
    calendar = WorkCalendar({2026: AnnouncedYear()})
    assert calendar.is_workday(date(2026, 10, 7))
    assert not calendar.is_workday(date(2026, 10, 10))


def test_beyond_the_announced_years_monday_to_friday_work_provisionally() -> None:
    """A Tuesday in the Spring Festival of 2090 counts as a workday until somebody announces otherwise."""
    assert MAINLAND.is_workday(date(2090, 1, 31))
    assert MAINLAND.is_provisional(date(2090, 1, 31))
    assert not MAINLAND.is_workday(date(2090, 2, 4))


def test_a_make_up_saturday_is_no_weekend_and_a_holiday_on_a_wednesday_is_none_either() -> None:
    assert MAINLAND.is_weekend(date(2026, 11, 22))
    assert not MAINLAND.is_weekend(date(2026, 2, 28))
    assert not MAINLAND.is_weekend(date(2026, 10, 7))


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
    assert MAINLAND.workday_after(day, count) == expected
