"""Durations and times of day: what is one, what is none, and how one is written again."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.duration import format_duration, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d", timedelta(days=3)),
        ("2h", timedelta(hours=2)),
        ("45m", timedelta(minutes=45)),
        ("2w", timedelta(days=14)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("1w2d3h4m", timedelta(days=9, hours=3, minutes=4)),
        ("30m1d", timedelta(days=1, minutes=30)),
        ("0m", timedelta(0)),
        ("007d", timedelta(days=7)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d",
        "3",
        "3 d",
        "3d ",
        " 3d",
        "-3d",
        "+3d",
        "3.5d",
        "3D",
        "3s",
        "3y",
        "3天",
        "P3D",
        "1d 12h",
        "3d\n",
        "123456d",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


def test_the_longest_text_that_is_a_duration_can_still_be_counted() -> None:
    """A file of ten thousand `99999w` is a mistake, not a crash."""
    assert parse_duration("99999w" * 10_000) is None


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (timedelta(0), "0m"),
        (timedelta(minutes=59), "59m"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(days=14), "14d"),
        (timedelta(days=1, minutes=1), "1d1m"),
        (timedelta(minutes=5, seconds=59), "5m"),
    ],
)
def test_the_shortest_spelling(period: timedelta, text: str) -> None:
    assert format_duration(period) == text


@given(st.integers(0, 60 * 24 * 5000))
def test_what_is_written_is_read_again(minutes: int) -> None:
    period = timedelta(minutes=minutes)
    assert parse_duration(format_duration(period)) == period


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:30", time(9, 30)),
        ("9:30", time(9, 30)),
        ("00:00", time(0)),
        ("23:59", time(23, 59)),
        ("24:00", None),
        ("12:60", None),
        ("12:5", None),
        ("1230", None),
        ("12：30", None),
        ("12:30:00", None),
        (" 12:30", None),
        ("", None),
    ],
)
def test_times_of_day(text: str, expected: time | None) -> None:
    assert parse_time(text) == expected


@given(st.text(max_size=12))
def test_no_text_breaks_either_reader(text: str) -> None:
    parse_duration(text)
    parse_time(text)
