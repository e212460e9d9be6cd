"""Anniversaries: both directions of the rule, over the whole calendar, and what people write for a birthday."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.anniversary import (
    Anniversary,
    AnniversaryMatch,
    Calendar,
    age_on,
    celebrated_on,
    lunar_text,
    occurrences_on,
    parse_anniversary,
)
from engage.core.journey.model import Feb29, LeapMonth

USUAL = (Feb29.FEB28, LeapMonth.LEAP_THEN_PLAIN)


def solar(month: int, day: int, year: int | None = None) -> Anniversary:
    return Anniversary(Calendar.SOLAR, month, day, year=year)


def lunar(month: int, day: int, *, leap: bool = False, year: int | None = None) -> Anniversary:
    return Anniversary(Calendar.LUNAR, month, day, leap, year)


def every_anniversary() -> list[Anniversary]:
    lengths = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    dates = [solar(month, day) for month, days in enumerate(lengths, 1) for day in range(1, days + 1)]
    moons = product(range(1, 13), range(1, 31), (False, True))
    return dates + [lunar(month, day, leap=leap) for month, day, leap in moons]


def matches_between(
    first: date, last: date, feb29: Feb29, leap_month: LeapMonth
) -> list[tuple[date, AnniversaryMatch]]:
    days = (first + timedelta(days=passed) for passed in range((last - first).days + 1))
    return [(day, match) for day in days for match in occurrences_on(day, feb29, leap_month)]


# --- the two directions agree -----------------------------------------------------------------------------------


def test_everyone_is_celebrated_once_in_every_cycle_year_of_two_centuries() -> None:
    """Solar and lunar years 1901-2100: each stored combination, leap months and 30ths included, on one day a year."""
    seen = Counter(
        match
        for _, match in matches_between(date(1901, 1, 1), date(2101, 1, 28), *USUAL)
        if 1901 <= match.cycle_year <= 2100
    )
    assert set(seen.values()) == {1}
    assert len(seen) == 200 * len(every_anniversary())


@pytest.mark.parametrize(("feb29", "leap_month"), list(product(Feb29, LeapMonth)))
def test_both_directions_agree_under_every_option(feb29: Feb29, leap_month: LeapMonth) -> None:
    """Over 2024-2034: three leap years, and the leap months 6/2025, 5/2028, 3/2031 and 11/2033."""
    years = range(2025, 2034)
    forward = {
        (day, match)
        for day, match in matches_between(date(2024, 1, 1), date(2034, 12, 31), feb29, leap_month)
        if match.cycle_year in years
    }
    backward = {
        (day, AnniversaryMatch(one.calendar, one.month, one.day, one.leap, year))
        for one in every_anniversary()
        for year in years
        if (day := celebrated_on(one, year, feb29, leap_month))
    }
    assert forward == backward


@pytest.mark.parametrize(("feb29", "leap_month"), list(product(Feb29, LeapMonth)))
def test_nobody_is_celebrated_twice_within_eleven_months_but_for_leap_months(
    feb29: Feb29, leap_month: LeapMonth
) -> None:
    """In the order of the cycle years. A lunar year has 353 days or more; who keeps a leap month where there is one and
    the plain month elsewhere comes a month later in some years, and so a month sooner in the next."""
    least = timedelta(days=353 - 30 if leap_month is LeapMonth.LEAP_THEN_PLAIN else 353)
    for one in every_anniversary():
        years = [celebrated_on(one, year, feb29, leap_month) for year in range(1901, 2101)]
        days = [day for day in years if day is not None]
        assert all(following - day >= least for day, following in pairwise(days)), one


@pytest.mark.parametrize(("feb29", "leap_month"), list(product(Feb29, LeapMonth)))
def test_only_skip_leaves_a_year_out(feb29: Feb29, leap_month: LeapMonth) -> None:
    for one in every_anniversary():
        left_out = [y for y in range(1901, 2101) if celebrated_on(one, y, feb29, leap_month) is None]
        may_be = (one.calendar is Calendar.SOLAR and feb29 is Feb29.SKIP and (one.month, one.day) == (2, 29)) or (
            one.leap and leap_month is LeapMonth.SKIP
        )
        assert bool(left_out) == may_be, one


# --- solar ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "in_2026"),
    [(Feb29.FEB28, date(2026, 2, 28)), (Feb29.MAR1, date(2026, 3, 1)), (Feb29.SKIP, None)],
)
def test_the_29th_of_february(rule: Feb29, in_2026: date | None) -> None:
    assert celebrated_on(solar(2, 29), 2026, rule, LeapMonth.PLAIN) == in_2026
    assert celebrated_on(solar(2, 29), 2028, rule, LeapMonth.PLAIN) == date(2028, 2, 29)


def test_a_century_that_is_no_leap_year_counts_as_one_without() -> None:
    assert celebrated_on(solar(2, 29), 2100, *USUAL) == date(2100, 2, 28)


# --- lunar ------------------------------------------------------------------------------------------------------


def test_a_lunar_birthday_moves_through_the_solar_year() -> None:
    mid_autumn = lunar(8, 15)
    assert [celebrated_on(mid_autumn, year, *USUAL) for year in (2024, 2025, 2026)] == [
        date(2024, 9, 17),
        date(2025, 10, 6),
        date(2026, 9, 25),
    ]


def test_the_cycle_year_is_the_lunar_one_even_when_the_day_lies_in_the_next_solar_year() -> None:
    assert celebrated_on(lunar(12, 8), 2025, *USUAL) == date(2026, 1, 26)
    match = AnniversaryMatch(Calendar.LUNAR, 12, 8, leap=False, cycle_year=2025)
    assert match in occurrences_on(date(2026, 1, 26), *USUAL)


def test_a_solar_year_may_hold_two_lunar_cycles_or_none_of_a_day() -> None:
    """腊月初八 fell on 2025-01-07 and not again before 2026-01-26, but each lunar year had it once."""
    eighth = [
        (day, match.cycle_year)
        for day, match in matches_between(date(2025, 1, 1), date(2026, 12, 31), *USUAL)
        if (match.calendar, match.month, match.day, match.leap) == (Calendar.LUNAR, 12, 8, False)
    ]
    assert eighth == [(date(2025, 1, 7), 2024), (date(2026, 1, 26), 2025)]


def test_new_years_eve_of_a_short_twelfth_month_is_kept_on_the_29th() -> None:
    assert celebrated_on(lunar(12, 30), 2023, *USUAL) == date(2024, 2, 9)
    assert celebrated_on(lunar(12, 30), 2025, *USUAL) == date(2026, 2, 16)


@pytest.mark.parametrize(
    ("rule", "in_2020", "in_2026"),
    [
        (LeapMonth.LEAP_THEN_PLAIN, date(2020, 5, 23), date(2026, 5, 17)),
        (LeapMonth.PLAIN, date(2020, 4, 23), date(2026, 5, 17)),
        (LeapMonth.SKIP, date(2020, 5, 23), None),
    ],
)
def test_born_in_a_leap_fourth_month(rule: LeapMonth, in_2020: date, in_2026: date | None) -> None:
    """2020 had a leap fourth month, 2026 has no leap month."""
    born = lunar(4, 1, leap=True)
    assert celebrated_on(born, 2020, Feb29.FEB28, rule) == in_2020
    assert celebrated_on(born, 2026, Feb29.FEB28, rule) == in_2026


def test_born_in_the_plain_month_is_not_celebrated_again_in_the_leap_one() -> None:
    plain = AnniversaryMatch(Calendar.LUNAR, 4, 1, leap=False, cycle_year=2020)
    assert plain in occurrences_on(date(2020, 4, 23), *USUAL)
    assert plain not in occurrences_on(date(2020, 5, 23), *USUAL)


def test_outside_the_lunar_tables_nobody_is_celebrated_and_nothing_breaks() -> None:
    assert celebrated_on(lunar(8, 15), 2101, *USUAL) is None
    assert occurrences_on(date(2150, 9, 15), *USUAL) == (
        AnniversaryMatch(Calendar.SOLAR, 9, 15, leap=False, cycle_year=2150),
    )
    assert lunar_text(date(2150, 9, 15)) == ""


def test_lunar_text_and_age_for_the_card() -> None:
    assert lunar_text(date(2026, 9, 25)) == "八月十五"
    assert lunar_text(date(2020, 5, 23)) == "闰四月初一"
    assert age_on(lunar(8, 15, year=1990), 2026) == 36
    assert age_on(lunar(8, 15), 2026) is None
    assert age_on(solar(5, 12, 2027), 2026) is None


# --- what people write ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1990-05-12", solar(5, 12, 1990)),
        ("05-12", solar(5, 12)),
        ("1990/5/12", solar(5, 12, 1990)),
        ("1990.5.12", solar(5, 12, 1990)),
        ("19900512", solar(5, 12, 1990)),
        ("1990年5月12日", solar(5, 12, 1990)),
        ("１９９０年５月１２号", solar(5, 12, 1990)),
        ("5月12日", solar(5, 12)),
        ("公历 1990-05-12", solar(5, 12, 1990)),
        ("公历五月十二", solar(5, 12)),
        ("五月一日", solar(5, 1)),
        ("十一月十一日", solar(11, 11)),
        ("02-29", solar(2, 29)),
        ("1992-02-29", solar(2, 29, 1992)),
        ("农历八月十五", lunar(8, 15)),
        ("农历：八月十五", lunar(8, 15)),
        ("阴历8月15日", lunar(8, 15)),
        ("农历1990年八月十五", lunar(8, 15, year=1990)),
        ("农历一九九〇年八月十五", lunar(8, 15, year=1990)),
        ("lunar 08-15", lunar(8, 15)),
        ("Lunar 1990-08-15", lunar(8, 15, year=1990)),
        ("农历闰四月初一", lunar(4, 1, leap=True)),
        ("农历2020年闰四月初一", lunar(4, 1, leap=True, year=2020)),
        ("闰四月初一", lunar(4, 1, leap=True)),
        ("lunar leap 04-01", lunar(4, 1, leap=True)),
        ("lunar leap 2020-04-01", lunar(4, 1, leap=True, year=2020)),
        ("腊月三十", lunar(12, 30)),
        ("腊月卅", lunar(12, 30)),
        ("正月初一", lunar(1, 1)),
        ("冬月廿二", lunar(11, 22)),
        ("冬月二十二", lunar(11, 22)),
        ("农历十二月二十", lunar(12, 20)),
        ("农历十一月初十", lunar(11, 10)),
    ],
)
def test_ways_to_write_a_birthday(text: str, expected: Anniversary) -> None:
    assert parse_anniversary(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "明天",
        "八月十五",  # solar or lunar?
        "公历正月初一",  # contradicts itself
        "02-30",
        "13-01",
        "05-32",
        "1990-02-29",
        "0001-05-12",  # a system that did not know the year
        "12/05/1990",
        "闰五月",
        "农历二月三十一",
        "农历十三月初一",
        "闰正月初一",  # not before 2262
        "农历1990年闰四月初一",  # 1990 repeated the fifth month
        "农历2025年腊月三十",  # a month of 29 days
        "农历 00-10",
        "solar leap 04-01",
    ],
)
def test_what_is_not_a_birthday_or_leaves_it_open_is_refused(text: str) -> None:
    assert parse_anniversary(text) is None


def test_a_mapping_as_the_api_and_journeys_give_it() -> None:
    assert parse_anniversary({"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None}) == lunar(8, 15)
    assert parse_anniversary({"calendar": "lunar", "month": "04", "day": "01", "leap": "yes"}) == lunar(4, 1, leap=True)
    assert parse_anniversary({"month": 5, "day": 12, "year": 1990}) == solar(5, 12, 1990)


@pytest.mark.parametrize(
    "given_mapping",
    [
        {},
        {"month": 5},
        {"month": 2, "day": 30},
        {"month": True, "day": 1},
        {"month": 5, "day": 12, "leap": True},  # solar months do not repeat
        {"month": 5, "day": 12, "leap": "perhaps"},
        {"month": 5, "day": 12, "calendar": "maya"},
        {"month": 5, "day": 12, "hour": 3},
        {"month": "五", "day": 12},
    ],
)
def test_a_mapping_that_is_no_date_is_refused(given_mapping: dict[str, object]) -> None:
    assert parse_anniversary(given_mapping) is None


@given(day=st.dates(date(1901, 2, 19), date(2101, 1, 28)))
def test_the_lunar_words_of_any_day_are_read_back_as_that_day(day: date) -> None:
    read = parse_anniversary(f"农历{lunar_text(day)}")
    assert read is not None
    assert day in {celebrated_on(read, day.year - before, *USUAL) for before in (0, 1)}


@given(text=st.text("0123456789-/.年月日闰正腊初廿十农历公lunar ", max_size=14))
def test_nothing_written_ever_raises(text: str) -> None:
    read = parse_anniversary(text)
    assert read is None or celebrated_on(read, 2028, *USUAL) is not None
