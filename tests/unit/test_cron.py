"""`every: cron`: read as crontab has it, evaluated on local dates, and compared with APScheduler."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.core.cron import CronDays
from engage.core.journey.cron import read_cron
from engage.core.journey.model import OnSchedule
from engage.core.journey.nodes import Scalar
from engage.core.problem import Problem, Span
from engage.core.schedule import next_slot, slots_between

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
_A_DAY = timedelta(days=1)


def cron(line: str) -> OnSchedule:
    problems: list[Problem] = []
    read = read_cron(a_scalar(f'cron "{line}"'), problems)
    assert read is not None, problems
    return OnSchedule(*read)


def a_scalar(text: str) -> Scalar:
    return Scalar(text, Span("journeys/j.yaml", 3, 17, 3, 17 + len(text)))


def wrong(text: str) -> tuple[str, str, str]:
    """The one problem: what was underlined, what was said, and the first help."""
    problems: list[Problem] = []
    assert read_cron(a_scalar(text), problems) is None
    (problem,) = problems
    underlined = text[problem.span.column - 17 : problem.span.end_column - 17]
    return underlined, problem.message.en, problem.help[0].en


def at(moments: str) -> tuple[time, ...]:
    return tuple(time.fromisoformat(moment) for moment in moments.split())


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("0 10 * * 1", "10:00"),
        ("30 9,18 * * *", "09:30 18:30"),
        ("0 9-11 * * *", "09:00 10:00 11:00"),
        ("*/20 8 * * *", "08:00 08:20 08:40"),
        ("5-59/25 8 * * *", "08:05 08:30 08:55"),
        ("0 8-20/6 * * *", "08:00 14:00 20:00"),
        ("15,0 7 * * *", "07:00 07:15"),
    ],
)
def test_minutes_and_hours_are_times_of_day(line: str, times: str) -> None:
    assert cron(line).times == at(times)


@pytest.mark.parametrize(
    ("line", "weekdays"),
    [
        ("0 10 * * 0", {0}),
        ("0 10 * * 7", {0}),
        ("0 10 * * sun", {0}),
        ("0 10 * * MON-Fri", {1, 2, 3, 4, 5}),
        ("0 10 * * 5-7", {5, 6, 0}),
        ("0 10 * * fri-sun", {5, 6, 0}),
        ("0 10 * * mon,3", {1, 3}),
        ("0 10 * * */2", {0, 2, 4, 6}),
    ],
)
def test_sunday_is_0_and_7_and_names_are_numbers(line: str, weekdays: set[int]) -> None:
    days = cron(line).days
    assert isinstance(days, CronDays)
    assert days.weekdays == weekdays


def test_quotes_around_the_fields_are_not_needed() -> None:
    assert read_cron(a_scalar("cron 0 10 * jan-mar 1"), []) == read_cron(a_scalar("cron '0 10 * 1-3 mon'"), [])


def falls_on(line: str, first: date, count: int) -> list[int]:
    """Days of the month, among so many days."""
    days = cron(line).days
    assert isinstance(days, CronDays)
    return [day.day for passed in range(count) if days.falls_on(day := first + passed * _A_DAY)]


def test_where_both_kinds_of_day_are_restricted_either_will_do() -> None:
    """November 2026: Mondays are 2, 9, 16, 23, 30."""
    november = date(2026, 11, 1)
    assert falls_on("0 10 13 * 1", november, 30) == [2, 9, 13, 16, 23, 30]
    assert falls_on("0 10 13 * *", november, 30) == [13]
    assert falls_on("0 10 * * 1", november, 30) == [2, 9, 16, 23, 30]
    assert falls_on("0 10 */2 * 1", november, 30) == [9, 23]  # `*/2` is unrestricted to crontab: both must hold


# --- what is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "underlined", "said", "help"),
    [
        ('cron "0 10 * *"', 'cron "0 10 * *"', "a cron line has five fields", "minute, hour, day, month, weekday"),
        ("cron", "cron", "a cron line has five fields", "minute, hour, day, month, weekday"),
        ('cron "0 0 10 * * 1"', 'cron "0 0 10 * * 1"', "a cron line has five fields", "minute, hour"),
        ('cron "@daily"', 'cron "@daily"', "a cron line has five fields", 'write cron "0 0 * * *"'),
        ('cron "0 10', 'cron "0 10', "inside { … } a comma ends the value", "write `every:` on a line of its own"),
        ('cron "0 10 * * 1', 'cron "0 10 * * 1', "inside { … } a comma ends the value", "write `every:` on a line"),
        ('cron "60 10 * * 1"', "60", "60 is out of range for the minute", "between 0 and 59"),
        ('cron "0 24 * * 1"', "24", "24 is out of range for the hour", "between 0 and 23"),
        ('cron "0 10 0 * *"', "0", "0 is out of range for the day of the month", "between 1 and 31"),
        ('cron "0 10 * * 8"', "8", "8 is out of range for the weekday", "between 0 and 7"),
        ('cron "0 10 * * mno"', "mno", "“mno” is not a weekday in a cron line", "did you mean `mon`?"),
        ('cron "0 10 * * 1,mno"', "1,mno", "“mno” is not a weekday in a cron line", "did you mean `mon`?"),
        ('cron "0 10 ? * 1"', "?", "“?” is not a day of the month in a cron line", "did you mean `*`?"),
        ('cron "0 10 L * *"', "L", "“L” is not a day of the month in a cron line", "write 1-31, *, a list 1,3"),
        ('cron "0 22-2 * * *"', "22-2", "the range 22-2 runs backwards", "write 22-23,0-2"),
        ('cron "5/10 8 * * *"', "5/10", "a step goes over a range", "write 5-59/10, or */10"),
        ('cron "*/0 8 * * *"', "*/0", "“0” is not a minute in a cron line", "write 0-59"),
        ('cron "0 10 30 2 *"', "30", "none of these months has a day 30", "`every: month 31`"),
        ('cron "0 10 31 4,6 *"', "31", "none of these months has a day 31", "`every: month 31`"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_with_what_to_write(
    text: str, underlined: str, said: str, help: str
) -> None:
    found = wrong(text)
    assert found[:2] == (underlined, said)
    assert found[2].startswith(help)


@given(st.text("0123456789*/-, monjanL#?@\"'", max_size=30))
def test_nothing_that_is_written_raises(text: str) -> None:
    problems: list[Problem] = []
    read = read_cron(a_scalar(f"cron {text}"), problems)
    assert (read is None) == bool(problems)


# --- moments ----------------------------------------------------------------------------------------------------


def test_several_times_a_day_are_occurrences_of_their_own() -> None:
    found = slots_between(cron("0 10,20 * * *"), moment("2026-11-23 00:00"), moment("2026-11-24 00:00"), SHANGHAI)
    assert [slot.key for slot in found] == ["2026-11-23 10:00", "2026-11-23 20:00"]


def test_times_that_the_clocks_skip_are_one_at_the_end_of_the_gap() -> None:
    """02:00-03:00 on 8 March 2026 in New York: 02:00, 02:20 and 02:40 fall together with 03:00."""
    start = cron("*/20 2,3 * * *")
    found = slots_between(start, moment("2026-03-08 00:00", NEW_YORK), moment("2026-03-09 00:00", NEW_YORK), NEW_YORK)
    assert [f"{slot.at.astimezone(NEW_YORK):%H:%M}" for slot in found] == ["03:00", "03:20", "03:40"]


def test_times_that_come_twice_come_once() -> None:
    start = cron("30 1 * * *")
    found = slots_between(start, moment("2026-11-01 00:00", NEW_YORK), moment("2026-11-02 00:00", NEW_YORK), NEW_YORK)
    assert [slot.at for slot in found] == [datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]


def test_a_leap_day_is_found_however_far_it_is() -> None:
    assert next_slot(cron("0 10 29 2 *"), moment("2096-03-01 00:00"), SHANGHAI).local_date == date(2104, 2, 29)


def moment(local: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    spans = st.tuples(value, value).map(sorted).filter(lambda ends: ends[0] < ends[1])
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.lists(value, min_size=2, max_size=3, unique=True).map(lambda found: ",".join(map(str, found))),
        spans.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.integers(1, min(12, high - low)).map(lambda step: f"*/{step}"),
        spans.flatmap(lambda ends: st.integers(1, ends[1] - ends[0]).map(lambda step: f"{ends[0]}-{ends[1]}/{step}")),
    )


def as_apscheduler(line: str) -> CronTrigger:
    """The same line by another hand. Its weekdays begin on Monday, so they are given by their names."""
    minute, hour, day, month, weekday = line.split()
    days = cron(f"0 0 * * {weekday}").days
    assert isinstance(days, CronDays)
    names = ",".join(calendar.day_abbr[(number - 1) % 7].lower() for number in sorted(days.weekdays))
    return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=names, timezone=UTC)


@given(
    fields=st.tuples(numbers(0, 59), numbers(0, 23), numbers(1, 28), numbers(1, 12), numbers(0, 6)),
    days_in=st.integers(0, 3000),
)
@settings(max_examples=150, deadline=None)
def test_the_next_moment_is_the_one_that_another_reader_finds(fields: tuple[str, ...], days_in: int) -> None:
    """In UTC, where no clock jumps; APScheduler knows no “or” of days, so only one kind of day is restricted."""
    minute, hour, day, month, weekday = fields
    if not day.startswith("*") and not weekday.startswith("*"):
        weekday = "*"
    line = " ".join((minute, hour, day, month, weekday))
    after = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days_in)
    other = as_apscheduler(line).get_next_fire_time(None, after + timedelta(seconds=1))
    assert next_slot(cron(line), after, ZoneInfo("UTC")).at == other


@given(
    fields=st.tuples(numbers(0, 59), numbers(0, 23), numbers(1, 31), numbers(0, 6)),
    days_in=st.integers(0, 3000),
)
@settings(max_examples=100, deadline=None)
def test_the_or_of_days_is_the_earlier_of_both_readings(fields: tuple[str, ...], days_in: int) -> None:
    minute, hour, day, weekday = fields
    if day.startswith("*") or weekday.startswith("*"):
        return
    after = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days_in)
    begin = after + timedelta(seconds=1)
    by_number = as_apscheduler(f"{minute} {hour} {day} * *").get_next_fire_time(None, begin)
    by_name = as_apscheduler(f"{minute} {hour} * * {weekday}").get_next_fire_time(None, begin)
    either = next_slot(cron(f"{minute} {hour} {day} * {weekday}"), after, ZoneInfo("UTC")).at
    assert either == min(by_number, by_name)
