"""Members whom an edit would send on all at once go on over a day, in sending hours, in order."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engage.core.quiet import inside
from engage.core.release import OVER, Pace, release_moments

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=SHANGHAI).astimezone(UTC)
NO_QUIET = Pace((time(0), time(0)))
clocks = st.integers(0, 365 * 24 * 60).map(lambda minutes: EVENING + timedelta(minutes=minutes))
zones = st.sampled_from([SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")])


def shown(moments: list[datetime]) -> list[str]:
    return [f"{moment.astimezone(SHANGHAI):%d %H:%M}" for moment in moments]


def test_they_are_spread_evenly_over_what_is_left_of_a_day() -> None:
    """At eight in the evening: one hour of today, eleven of tomorrow."""
    assert shown(list(release_moments(4, 4, EVENING, SHANGHAI, Pace()))) == [
        "23 20:00",
        "24 11:00",
        "24 14:00",
        "24 17:00",
    ]


def test_nobody_is_let_go_in_the_night() -> None:
    night = datetime(2026, 11, 23, 23, 0, tzinfo=SHANGHAI).astimezone(UTC)
    assert shown(list(release_moments(1, 1, night, SHANGHAI, Pace()))) == ["24 09:00"]


def test_many_take_longer_than_a_day() -> None:
    moments = list(release_moments(20_000, 20_000, EVENING, SHANGHAI, Pace(most_an_hour=500)))
    by_hour = Counter(f"{moment.astimezone(SHANGHAI):%d %H}" for moment in moments)
    assert len(moments) == 20_000
    assert max(by_hour.values()) == 500
    assert shown(moments)[-1] == "27 11:59"


def test_zones_share_the_pace() -> None:
    """A quarter of all: a quarter of what goes in an hour."""
    moments = list(release_moments(5_000, 20_000, EVENING, SHANGHAI, Pace(most_an_hour=500)))
    assert max(Counter(f"{moment:%d %H}" for moment in moments).values()) == 125


def test_nobody_to_let_go() -> None:
    assert list(release_moments(0, 0, EVENING, SHANGHAI, Pace())) == []


@given(st.integers(1, 400), clocks, zones)
def test_everybody_goes_in_order_within_a_day_of_open_hours(count: int, now: datetime, zone: ZoneInfo) -> None:
    moments = list(release_moments(count, count, now, zone, Pace()))
    assert len(moments) == count
    assert all(earlier < later for earlier, later in pairwise(moments))
    assert now <= moments[0]
    assert moments[-1] < now + OVER
    assert not any(inside(time(21), time(9), moment, zone) for moment in moments)


@given(st.integers(1, 2000), st.integers(1, 500), clocks)
def test_no_hour_has_more_than_the_policy_allows(count: int, most: int, now: datetime) -> None:
    moments = list(release_moments(count, count, now, SHANGHAI, Pace(NO_QUIET.quiet, most)))
    for place in range(len(moments) - most):
        assert moments[place + most] - moments[place] >= timedelta(hours=1) - timedelta(milliseconds=1)
