"""Slots of journeys that start by the calendar, in the member's zone, once per local date."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.core.anniversary import Anniversary, AnniversaryMatch, Calendar, celebrated_on
from engage.core.cron import CronDays
from engage.core.journey.model import CalendarChoice, DayOfMonth, OnDate, OnSchedule
from engage.core.schedule import Slot, celebrated_date, celebrations, next_slot, overtaken, slots_between
from engage.core.timing import DaySet

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
TEN = time(10)
EVERY_WORKDAY = OnSchedule(DaySet.WORKDAY, (TEN,))
BIRTHDAY = OnDate("birthday", TEN, offset=timedelta(days=-3))
CRON_AT_NINE = OnSchedule(CronDays(frozenset(range(1, 32)), frozenset(range(1, 13)), frozenset(range(7))), (time(9),))


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def next_date(start: OnDate | OnSchedule, after: str) -> date:
    return next_slot(start, shanghai(after), SHANGHAI).local_date


def test_the_next_slot_is_strictly_after() -> None:
    ten = shanghai("2026-11-23 10:00")
    assert next_slot(EVERY_WORKDAY, shanghai("2026-11-23 09:59"), SHANGHAI) == Slot(
        date(2026, 11, 23), ten, "2026-11-23"
    )
    assert next_slot(EVERY_WORKDAY, ten, SHANGHAI) == Slot(
        date(2026, 11, 24), shanghai("2026-11-24 10:00"), "2026-11-24"
    )


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-20 10:00", date(2026, 11, 23)),  # Friday → Monday
        ("2026-09-30 12:00", date(2026, 10, 8)),  # over the National Day holiday
        ("2026-10-09 12:00", date(2026, 10, 10)),  # to the Saturday that is worked for it
    ],
)
def test_every_workday_follows_the_announced_calendar(after: str, expected: date) -> None:
    assert next_date(EVERY_WORKDAY, after) == expected


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (OnSchedule(DaySet.DAY, (TEN,)), date(2026, 11, 24)),
        (OnSchedule(DaySet.FRIDAY, (TEN,)), date(2026, 11, 27)),
        (OnSchedule(DaySet.WEEKEND, (TEN,)), date(2026, 11, 28)),
        (OnSchedule(DayOfMonth(1), (TEN,)), date(2026, 12, 1)),
        (OnSchedule(DayOfMonth(31), (TEN,)), date(2026, 11, 30)),  # the last day of a shorter month
        (BIRTHDAY, date(2026, 11, 24)),  # every day is somebody's birthday
    ],
)
def test_the_next_slot_of_each_kind(start: OnDate | OnSchedule, expected: date) -> None:
    assert next_date(start, "2026-11-23 12:00") == expected


def test_the_same_start_is_another_instant_in_another_zone() -> None:
    after = datetime(2026, 11, 23, 0, tzinfo=UTC)
    assert next_slot(EVERY_WORKDAY, after, SHANGHAI).at == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert next_slot(EVERY_WORKDAY, after, NEW_YORK).at == datetime(2026, 11, 23, 15, tzinfo=UTC)


def test_slots_left_behind_by_a_daemon_that_was_down() -> None:
    found = slots_between(EVERY_WORKDAY, shanghai("2026-11-20 10:00"), shanghai("2026-11-24 10:00"), SHANGHAI)
    assert [slot.local_date for slot in found] == [date(2026, 11, 23), date(2026, 11, 24)]


def test_between_is_open_at_its_start_and_closed_at_its_end() -> None:
    ten, next_ten = shanghai("2026-11-23 10:00"), shanghai("2026-11-24 10:00")
    assert [slot.at for slot in slots_between(EVERY_WORKDAY, ten, next_ten, SHANGHAI)] == [next_ten]
    assert slots_between(EVERY_WORKDAY, ten, next_ten - timedelta(microseconds=1), SHANGHAI) == []


def test_a_time_that_is_skipped_or_comes_twice_has_one_slot() -> None:
    start = OnSchedule(DaySet.DAY, (time(2, 30),))
    spring = slots_between(start, datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC), NEW_YORK)
    assert spring == [Slot(date(2026, 3, 8), datetime(2026, 3, 8, 7, tzinfo=UTC), "2026-03-08")]
    autumn = slots_between(
        OnSchedule(DaySet.DAY, (time(1, 30),)),
        datetime(2026, 11, 1, 4, tzinfo=UTC),
        datetime(2026, 11, 2, 5, tzinfo=UTC),
        NEW_YORK,
    )
    assert autumn == [Slot(date(2026, 11, 1), datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "2026-11-01")]


@given(
    hours=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    begin=st.integers(0, 3 * 365 * 24),
    zone=st.sampled_from([SHANGHAI, NEW_YORK]),
    start=st.sampled_from([EVERY_WORKDAY, BIRTHDAY, OnSchedule(DayOfMonth(8), (time(2, 30),))]),
)
@settings(deadline=None, max_examples=60)
def test_however_a_stretch_of_time_is_cut_its_slots_are_the_same(
    hours: list[int], begin: int, zone: ZoneInfo, start: OnDate | OnSchedule
) -> None:
    """Ticks at any rhythm, and pauses of any length, see each slot once."""
    first = at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=begin)
    in_parts: list[Slot] = []
    for step in hours:
        in_parts += slots_between(start, at, at + timedelta(hours=step), zone)
        at += timedelta(hours=step)
    assert in_parts == slots_between(start, first, at, zone)
    assert len({slot.local_date for slot in in_parts}) == len(in_parts)


def at(hour: int, days: DaySet | DayOfMonth = DaySet.DAY) -> OnSchedule:
    return OnSchedule(days, (time(hour),))


@pytest.mark.parametrize(
    ("before", "after", "seen", "owed"),
    [
        (at(10), at(9), "2026-11-23 09:30", "2026-11-23"),
        (at(10), at(9), "2026-11-23 09:00", "2026-11-23"),
        (at(10), at(9), "2026-11-23 08:59", None),  # it comes by itself
        (at(10), at(9), "2026-11-23 10:00", None),  # it has come
        (at(10), at(11), "2026-11-23 09:30", None),
        (at(10, DaySet.WORKDAY), at(9), "2026-11-22 09:30", None),  # nothing was to come on that Sunday
        (at(10), CRON_AT_NINE, "2026-11-23 09:30", None),
        (BIRTHDAY, replace(BIRTHDAY, at=time(8)), "2026-11-23 09:30", "2026-11-23"),
    ],
)
def test_what_an_edit_has_overtaken_is_owed(
    before: OnDate | OnSchedule, after: OnDate | OnSchedule, seen: str, owed: str | None
) -> None:
    slot = overtaken(before, after, shanghai(seen), SHANGHAI)
    assert (slot.key if slot is not None else None) == owed


def test_three_days_before_a_birthday() -> None:
    assert celebrated_date(BIRTHDAY, date(2026, 9, 22)) == date(2026, 9, 25)
    assert celebrations(BIRTHDAY, date(2026, 9, 22)) == (
        AnniversaryMatch(Calendar.SOLAR, 9, 25, leap=False, cycle_year=2026),
        AnniversaryMatch(Calendar.LUNAR, 8, 15, leap=False, cycle_year=2026),
        AnniversaryMatch(Calendar.LUNAR, 8, 15, leap=True, cycle_year=2026),
    )


def test_a_message_before_new_year_belongs_to_the_new_year() -> None:
    """Three days before 1 January: the cycle year is the birthday's, not the message's."""
    (match, *_) = celebrations(BIRTHDAY, date(2026, 12, 29))
    assert match == AnniversaryMatch(Calendar.SOLAR, 1, 1, leap=False, cycle_year=2027)


@given(
    cycle_year=st.integers(2000, 2090),
    offset=st.integers(-60, 60),
    month=st.integers(1, 12),
    day=st.integers(1, 30),
    calendar=st.sampled_from(Calendar),
    leap=st.booleans(),
)
def test_an_offset_moves_the_message_and_never_the_cycle_year(
    cycle_year: int, offset: int, month: int, day: int, calendar: Calendar, leap: bool
) -> None:
    """Sixty days before or after, over any new year: one slot, which names the anniversary's own year."""
    leap = leap and calendar is Calendar.LUNAR
    born = Anniversary(calendar, month, min(day, 29 if month == 2 else 30), leap)
    start = OnDate("birthday", TEN, offset=timedelta(days=offset))
    celebrated = celebrated_on(born, cycle_year, start.feb29, start.leap_month)
    assert celebrated is not None
    wanted = AnniversaryMatch(calendar, born.month, born.day, leap, cycle_year)
    around = (celebrated + timedelta(days=passed) for passed in range(-100, 101))
    assert [slot for slot in around if wanted in celebrations(start, slot)] == [celebrated + timedelta(days=offset)]


def test_a_journey_may_ask_for_one_calendar_only() -> None:
    solar = OnDate("birthday", TEN, calendar=CalendarChoice.SOLAR)
    lunar = OnDate("birthday", TEN, calendar=CalendarChoice.LUNAR)
    assert {match.calendar for match in celebrations(solar, date(2026, 9, 25))} == {Calendar.SOLAR}
    assert {match.calendar for match in celebrations(lunar, date(2026, 9, 25))} == {Calendar.LUNAR}
