"""Waits and local time: every form of the language page §1, in zones with and without daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.core.timing import (
    DaySet,
    For,
    ForWorkdays,
    UntilDays,
    UntilEntryDay,
    UntilField,
    UntilMoment,
    WaitSpec,
    falls_on,
    local_moment,
    wait_deadline,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
DAY_0 = date(2026, 11, 23)  # a Monday
TEN = time(10)


# Hypothesis: any instant of 1990-2036, to the microsecond.
_moments = st.timedeltas(timedelta(0), timedelta(days=47 * 365)).map(
    lambda passed: datetime(1990, 1, 1, tzinfo=UTC) + passed
)


def on(day: int, clock: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """`day 2 10:00` as the examples write it."""
    return datetime.combine(DAY_0 + timedelta(days=day), time.fromisoformat(clock), zone).astimezone(UTC)


def after(spec: WaitSpec, reached: datetime, **given_too: object) -> datetime | None:
    entered = given_too.pop("entered", reached)
    zone = given_too.pop("zone", SHANGHAI)
    return wait_deadline(spec, reached_at=reached, entered_at=entered, zone=zone, **given_too)  # type: ignore[arg-type]


# --- for so long ------------------------------------------------------------------------------------------------


def test_three_days_are_72_hours_even_when_clocks_change_meanwhile() -> None:
    reached = datetime(2026, 3, 7, 12, tzinfo=NEW_YORK).astimezone(UTC)
    assert after(For(timedelta(days=3)), reached, zone=NEW_YORK) == reached + timedelta(hours=72)


@pytest.mark.parametrize(
    ("period", "at", "reached", "expected"),
    [
        (timedelta(days=2), TEN, on(0, "22:15"), on(2, "10:00")),  # welcome
        (timedelta(days=5), TEN, on(2, "10:00"), on(7, "10:00")),  # welcome
        (timedelta(days=3), time(9), on(0, "10:00"), on(3, "09:00")),  # birthday
        (timedelta(days=1), time(20), on(0, "12:00"), on(1, "20:00")),  # winback
        (timedelta(days=1), time(20), on(0, "23:59"), on(1, "20:00")),
        (timedelta(0), TEN, on(0, "08:00"), on(0, "10:00")),
        (timedelta(0), TEN, on(0, "10:00"), on(1, "10:00")),
        (timedelta(hours=3), TEN, on(0, "06:00"), on(0, "10:00")),
        (timedelta(hours=3), TEN, on(0, "07:00"), on(0, "10:00")),  # exactly when the three hours are over
        (timedelta(hours=3), TEN, on(0, "07:01"), on(1, "10:00")),
        (timedelta(days=1, hours=12), TEN, on(0, "08:00"), on(1, "10:00")),  # 20:00 the same day, then a day
        (timedelta(days=1, hours=12), TEN, on(0, "20:00"), on(2, "10:00")),  # 08:00 the next day, then a day
    ],
)
def test_days_with_a_time_are_counted_by_date(
    period: timedelta, at: time, reached: datetime, expected: datetime
) -> None:
    assert after(For(period, at), reached) == expected


def test_the_date_counted_from_is_the_members_not_the_servers() -> None:
    """20:30 UTC on Monday is 04:30 on Tuesday in Shanghai and 15:30 on Monday in New York."""
    reached = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)
    one_day = For(timedelta(days=1), TEN)
    assert after(one_day, reached) == on(2, "10:00")
    assert after(one_day, reached, zone=NEW_YORK) == on(1, "10:00", NEW_YORK)


@given(
    reached=_moments,
    minutes=st.integers(0, 10 * 24 * 60),
    at=st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    zone=st.sampled_from([SHANGHAI, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
)
@settings(deadline=None, max_examples=150)
def test_a_wait_with_a_time_always_ends_later_and_never_a_day_too_late(
    reached: datetime, minutes: int, at: time, zone: ZoneInfo
) -> None:
    period = timedelta(minutes=minutes)
    deadline = after(For(period, at), reached, zone=zone)
    assert deadline is not None
    assert reached < deadline <= reached + period + timedelta(hours=25)
    assert deadline >= reached + period % timedelta(days=1)


# --- workdays ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reached", "expected"),
    [
        (ForWorkdays(2, TEN), on(4, "22:00"), on(8, "10:00")),  # Friday night → Tuesday
        (ForWorkdays(1, TEN), on(5, "09:00"), on(7, "10:00")),  # Saturday → Monday
        (ForWorkdays(1), on(4, "16:20"), on(7, "16:20")),  # without a time: the same time of day
        (ForWorkdays(0, TEN), on(0, "09:00"), on(0, "10:00")),
        (ForWorkdays(0, TEN), on(0, "11:00"), on(1, "10:00")),
    ],
)
def test_workdays_skip_the_weekend(spec: ForWorkdays, reached: datetime, expected: datetime) -> None:
    assert after(spec, reached) == expected


def test_a_worked_saturday_counts_as_a_workday() -> None:
    """2026-10-10 is worked for the National Day holiday, which lasts until the 7th."""
    reached = datetime(2026, 9, 30, 18, tzinfo=SHANGHAI).astimezone(UTC)
    assert after(ForWorkdays(3, TEN), reached) == datetime(2026, 10, 10, 10, tzinfo=SHANGHAI)


# --- until ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "reached", "expected"),
    [
        (DaySet.DAY, on(0, "09:59"), on(0, "10:00")),
        (DaySet.DAY, on(0, "10:00"), on(1, "10:00")),  # this moment is over: the next one
        (DaySet.WORKDAY, on(4, "11:00"), on(7, "10:00")),
        (DaySet.WEEKEND, on(0, "09:00"), on(5, "10:00")),
        (DaySet.MONDAY, on(0, "10:01"), on(7, "10:00")),
        (DaySet.FRIDAY, on(0, "10:01"), on(4, "10:00")),
        (DaySet.SUNDAY, on(6, "09:00"), on(6, "10:00")),
    ],
)
def test_until_a_kind_of_day_is_the_next_such_moment(days: DaySet, reached: datetime, expected: datetime) -> None:
    assert after(UntilDays(days, TEN), reached) == expected


def test_until_weekend_passes_over_a_weekend_that_is_worked() -> None:
    """2026-02-28 is a worked Saturday: the weekend is the Sunday."""
    reached = datetime(2026, 2, 27, 12, tzinfo=SHANGHAI).astimezone(UTC)
    assert after(UntilDays(DaySet.WEEKEND, TEN), reached) == datetime(2026, 3, 1, 10, tzinfo=SHANGHAI)


def test_every_weekday_name_means_its_day() -> None:
    names = [DaySet.MONDAY, DaySet.TUESDAY, DaySet.WEDNESDAY, DaySet.THURSDAY]
    names += [DaySet.FRIDAY, DaySet.SATURDAY, DaySet.SUNDAY]
    for passed in range(7):
        day = DAY_0 + timedelta(days=passed)
        assert [name for name in names if falls_on(name, day)] == [names[passed]]


def test_until_day_3_counts_local_dates_from_the_entry() -> None:
    entered = on(0, "23:40")
    assert after(UntilEntryDay(3, TEN), on(1, "08:00"), entered=entered) == on(3, "10:00")


def test_until_day_3_without_a_time_is_at_the_time_of_entry() -> None:
    assert after(UntilEntryDay(3), on(1, "08:00"), entered=on(0, "15:10")) == on(3, "15:10")


@pytest.mark.parametrize("reached", [on(3, "10:00"), on(3, "10:01"), on(9, "00:00")])
def test_until_day_3_in_the_past_passes_straight_through(reached: datetime) -> None:
    assert after(UntilEntryDay(3, TEN), reached, entered=on(0, "09:00")) is None


def test_until_a_moment_is_member_local_and_passes_through_when_over() -> None:
    spec = UntilMoment(datetime(2027, 2, 6, 9))  # noqa: DTZ001 - the member's zone decides
    assert after(spec, on(0, "10:00")) == datetime(2027, 2, 6, 9, tzinfo=SHANGHAI)
    assert after(spec, on(0, "10:00"), zone=NEW_YORK) == datetime(2027, 2, 6, 9, tzinfo=NEW_YORK)
    assert after(spec, datetime(2027, 2, 6, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("offset", "at", "value", "expected"),
    [
        (timedelta(days=-30), TEN, DAY_0 + timedelta(days=40), on(10, "10:00")),
        (timedelta(days=-30), None, DAY_0 + timedelta(days=40), on(10, "00:00")),
        (timedelta(hours=-36), TEN, DAY_0 + timedelta(days=40), on(38, "10:00")),
        (timedelta(0), None, on(5, "15:30"), on(5, "15:30")),
        (timedelta(days=-1), TEN, on(5, "00:30"), on(4, "10:00")),  # 16:30 of day 4 in UTC, but day 5 for the member
        (timedelta(days=2, hours=1), None, on(5, "15:30"), on(7, "16:30")),
    ],
)
def test_until_a_members_date(offset: timedelta, at: time | None, value: date | datetime, expected: datetime) -> None:
    assert after(UntilField("contract_end", offset, at), on(0, "08:00"), field_value=value) == expected


def test_until_a_members_date_that_is_missing_or_past_passes_straight_through() -> None:
    spec = UntilField("contract_end", timedelta(days=-30), TEN)
    assert after(spec, on(0, "08:00")) is None
    assert after(spec, on(0, "08:00"), field_value=DAY_0 + timedelta(days=29)) is None


# --- local time -------------------------------------------------------------------------------------------------


def test_a_time_that_daylight_saving_skips_is_the_first_instant_after_the_gap() -> None:
    """New York, 2026-03-08: 02:00 EST becomes 03:00 EDT, which is 07:00 UTC."""
    assert local_moment(date(2026, 3, 8), time(2, 30), NEW_YORK) == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert local_moment(date(2026, 3, 8), time(2), NEW_YORK) == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert local_moment(date(2026, 3, 8), time(1, 59), NEW_YORK) == datetime(2026, 3, 8, 6, 59, tzinfo=UTC)


def test_half_an_hour_of_gap_and_a_whole_day_of_it() -> None:
    """Lord Howe moves by 30 minutes; Samoa had no 2011-12-30."""
    lord_howe, samoa = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")
    assert local_moment(date(2026, 10, 4), time(2, 15), lord_howe) == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
    assert local_moment(date(2011, 12, 30), TEN, samoa) == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_a_time_that_comes_twice_is_its_first_occurrence() -> None:
    """New York, 2026-11-01: 01:30 is 05:30 UTC, and again 06:30 UTC. What is read off the second is the first."""
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert local_moment(date(2026, 11, 1), time(1, 30), NEW_YORK) == first
    assert local_moment(date(2026, 11, 1), time(1, 30, fold=1), NEW_YORK) == first


@given(
    moment=_moments,
    zone=st.sampled_from([SHANGHAI, NEW_YORK, ZoneInfo("Europe/Dublin"), ZoneInfo("Asia/Kathmandu")]),
)
@settings(deadline=None, max_examples=200)
def test_a_local_time_read_from_an_instant_leads_back_to_it_or_to_its_first_occurrence(
    moment: datetime, zone: ZoneInfo
) -> None:
    local = moment.astimezone(zone)
    back = local_moment(local.date(), local.time(), zone)
    assert back == moment if local.fold == 0 else back < moment
    assert back.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
