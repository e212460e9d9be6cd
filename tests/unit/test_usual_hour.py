"""A member's usual hour: counted by their own clock, smoothed, and never guessed from too little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.usual_hour import UsualHour, next_such_hour, usual_hour

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def on(day: int, clock: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02} {clock}").replace(tzinfo=zone).astimezone(UTC)


def hour_of(*moments: datetime, zone: ZoneInfo = SHANGHAI) -> int | None:
    found = usual_hour(moments, zone)
    return found.hour if found else None


def test_the_hour_with_most_responses() -> None:
    moments = (on(1, "20:05"), on(2, "20:40"), on(3, "09:10"), on(4, "20:59"))
    assert usual_hour(moments, SHANGHAI) == UsualHour(20, 4)


def test_with_fewer_than_three_there_is_none() -> None:
    assert hour_of(on(1, "20:05"), on(2, "20:40")) is None
    assert hour_of() is None


def test_several_in_one_hour_of_one_day_are_one() -> None:
    """A score and its comment, or three links of one mail, are one evening."""
    assert hour_of(on(1, "20:05"), on(1, "20:06"), on(1, "20:30"), on(2, "09:00")) is None


def test_an_evening_on_both_sides_of_an_hour_is_not_torn_apart() -> None:
    """19:50 and 20:10 support each other; twice nine o'clock in the morning stand alone."""
    moments = (on(1, "19:50"), on(2, "20:10"), on(3, "19:55"), on(4, "09:05"), on(5, "09:20"))
    assert hour_of(*moments) == 19


def test_a_gap_between_two_hours_is_nobodys_hour() -> None:
    assert hour_of(on(1, "18:00"), on(2, "20:00"), on(3, "12:00")) == 12


def test_of_equals_the_latest_wins() -> None:
    assert hour_of(on(1, "08:00"), on(2, "14:00"), on(3, "20:00")) == 20
    assert hour_of(on(3, "08:00"), on(2, "14:00"), on(1, "20:00")) == 8


def test_hours_are_those_of_the_members_own_clock() -> None:
    moments = [on(day, "20:10", NEW_YORK) for day in (2, 3, 4)]
    assert hour_of(*moments, zone=NEW_YORK) == 20
    assert hour_of(*moments) == 9


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (on(5, "10:00"), on(5, "20:00")),
        (on(5, "20:00"), on(5, "20:00")),
        (on(5, "20:35"), on(5, "20:35")),  # it is that hour now
        (on(5, "21:00"), on(6, "20:00")),
    ],
)
def test_the_next_such_hour(now: datetime, expected: datetime) -> None:
    assert next_such_hour(20, now, SHANGHAI) == expected


@given(
    hour=st.integers(0, 23),
    minutes=st.integers(0, 3 * 366 * 24 * 60),
    zone=st.sampled_from([SHANGHAI, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Africa/Cairo")]),
)
def test_it_is_never_past_and_never_further_than_a_day_even_when_clocks_change(
    hour: int, minutes: int, zone: ZoneInfo
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = next_such_hour(hour, now, zone)
    assert now <= found <= now + timedelta(hours=25)
