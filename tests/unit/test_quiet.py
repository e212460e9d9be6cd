"""Quiet hours and sending hours in the member's local time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engage.core.quiet import inside, leaves_room, next_allowed, zone_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
NIGHT = (time(21), time(9))
SMS = (time(9), time(20, 30))
NONE = (time(0), time(0))


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("08:59", True), ("09:00", False)],
)
def test_a_span_over_midnight_holds_its_start_and_not_its_end(clock: str, expected: bool) -> None:
    assert inside(*NIGHT, shanghai(f"2026-11-23 {clock}"), SHANGHAI) is expected


@pytest.mark.parametrize(("clock", "expected"), [("08:59", False), ("09:00", True), ("20:29", True), ("20:30", False)])
def test_a_span_within_the_day(clock: str, expected: bool) -> None:
    assert inside(*SMS, shanghai(f"2026-11-23 {clock}"), SHANGHAI) is expected


def test_a_span_that_ends_where_it_starts_is_empty() -> None:
    assert not inside(time(9), time(9), shanghai("2026-11-23 09:00"), SHANGHAI)


def test_the_members_zone_decides() -> None:
    moment = datetime(2026, 11, 23, 14, tzinfo=UTC)  # 22:00 in Shanghai, 09:00 in New York
    assert inside(*NIGHT, moment, SHANGHAI)
    assert not inside(*NIGHT, moment, NEW_YORK)


@pytest.mark.parametrize(
    ("moment", "allowed", "expected"),
    [
        ("2026-11-23 12:00", None, "2026-11-23 12:00"),
        ("2026-11-23 22:15", None, "2026-11-24 09:00"),
        ("2026-11-23 03:00", None, "2026-11-23 09:00"),
        ("2026-11-23 09:00", None, "2026-11-23 09:00"),
        ("2026-11-23 20:45", None, "2026-11-23 20:45"),
        ("2026-11-23 20:45", SMS, "2026-11-24 09:00"),  # after the last hour for SMS
        ("2026-11-23 20:30", SMS, "2026-11-24 09:00"),
        ("2026-11-23 20:29", SMS, "2026-11-23 20:29"),
        ("2026-11-23 09:30", (time(11), time(20)), "2026-11-23 11:00"),  # a later start than the quiet hours' end
    ],
)
def test_the_next_moment_in_which_sending_is_allowed(
    moment: str, allowed: tuple[time, time] | None, expected: str
) -> None:
    assert next_allowed(shanghai(moment), SHANGHAI, NIGHT, allowed) == shanghai(expected)


def test_an_allowed_moment_is_kept_to_the_microsecond() -> None:
    moment = shanghai("2026-11-23 12:00") + timedelta(microseconds=7)
    assert next_allowed(moment, SHANGHAI, NIGHT, SMS) == moment


def test_without_quiet_hours_only_the_allowed_span_counts() -> None:
    assert next_allowed(shanghai("2026-11-23 04:00"), SHANGHAI, NONE) == shanghai("2026-11-23 04:00")
    assert next_allowed(shanghai("2026-11-23 04:00"), SHANGHAI, NONE, SMS) == shanghai("2026-11-23 09:00")


def test_hours_that_leave_no_room_are_refused_instead_of_waiting_for_ever() -> None:
    assert not leaves_room((time(9), time(21)), (time(10), time(20)))
    assert not leaves_room(NIGHT, NONE)
    assert leaves_room(NIGHT, SMS)
    assert leaves_room(NONE, None)
    with pytest.raises(ValueError, match="quiet hours cover"):
        next_allowed(shanghai("2026-11-23 12:00"), SHANGHAI, (time(9), time(21)), (time(10), time(20)))


def test_quiet_hours_that_end_in_a_skipped_hour_end_when_clocks_have_jumped() -> None:
    """New York, 2026-03-08: 02:30 does not come; 03:00 EDT is 07:00 UTC."""
    moment = datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert next_allowed(moment, NEW_YORK, (time(21), time(2, 30))) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_quiet_hours_hold_again_in_an_hour_that_comes_twice() -> None:
    """New York, 2026-11-01: quiet until 01:30. At the second 01:10 (06:10 UTC) it is quiet until the second 01:30."""
    moment = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)
    assert next_allowed(moment, NEW_YORK, (time(21), time(1, 30))) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


_moments = st.timedeltas(timedelta(0), timedelta(days=365)).map(
    lambda passed: datetime(2026, 1, 1, tzinfo=UTC) + passed
)
_clocks = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))


@given(
    moment=_moments,
    quiet=st.tuples(_clocks, _clocks),
    allowed=st.none() | st.tuples(_clocks, _clocks),
)
@settings(deadline=None, max_examples=150)
def test_it_is_the_first_allowed_moment(
    moment: datetime, quiet: tuple[time, time], allowed: tuple[time, time] | None
) -> None:
    """Against a walk from minute to minute, in a zone without daylight saving."""
    assume(leaves_room(quiet, allowed))
    moment = moment.replace(second=0, microsecond=0)
    walked = moment
    while inside(*quiet, walked, SHANGHAI) or not (allowed is None or inside(*allowed, walked, SHANGHAI)):
        walked += timedelta(minutes=1)
    assert next_allowed(moment, SHANGHAI, quiet, allowed) == walked


@given(
    moment=_moments,
    quiet=st.tuples(_clocks, _clocks),
    allowed=st.none() | st.tuples(_clocks, _clocks),
    zone=st.sampled_from([NEW_YORK, ZoneInfo("Europe/Lisbon"), ZoneInfo("Australia/Lord_Howe")]),
)
@settings(deadline=None, max_examples=150)
def test_quiet_hours_never_fail_open_where_clocks_change(
    moment: datetime, quiet: tuple[time, time], allowed: tuple[time, time] | None, zone: ZoneInfo
) -> None:
    assume(leaves_room(quiet, allowed))
    found = next_allowed(moment, zone, quiet, allowed)
    assert moment <= found <= moment + timedelta(hours=49)
    assert not inside(*quiet, found, zone)
    assert allowed is None or inside(*allowed, found, zone)


@pytest.mark.parametrize(
    "name", [None, "", "Asia", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "UTC+8", "上海\0"]
)
def test_a_zone_that_is_none_falls_to_the_business_default(name: str | None) -> None:
    assert zone_of(name, "Asia/Urumqi") == ZoneInfo("Asia/Urumqi")


def test_a_known_zone_is_used_and_a_bad_default_ends_in_shanghai() -> None:
    assert zone_of("America/New_York", "Asia/Shanghai") == NEW_YORK
    assert zone_of("nowhere", "nowhere either") == SHANGHAI
