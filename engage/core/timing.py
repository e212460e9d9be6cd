"""Waits: what an author may write, and when each is over. Local time becomes UTC here and nowhere else.

Instants go in and come out as aware UTC; dates, weekdays and times of day are those of the zone that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from engage.core.duration import format_duration
from engage.core.workdays import MAINLAND, WorkCalendar


class DaySet(StrEnum):
    """Which days `until <days> 10:00` may land on."""

    DAY = "day"
    WORKDAY = "workday"
    WEEKEND = "weekend"
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


# In the order that `date.weekday` counts them.
_WEEKDAYS = (
    DaySet.MONDAY,
    DaySet.TUESDAY,
    DaySet.WEDNESDAY,
    DaySet.THURSDAY,
    DaySet.FRIDAY,
    DaySet.SATURDAY,
    DaySet.SUNDAY,
)


@dataclass(frozen=True, slots=True)
class For:
    """`3d`, `3d at 10:00`: that long after the step was reached; with `at`, at that local time on or after it."""

    period: timedelta
    at: time | None = None


@dataclass(frozen=True, slots=True)
class ForWorkdays:
    """`2 workdays at 10:00`: workdays by the mainland calendar, make-up days (调休) included."""

    days: int
    at: time | None = None


@dataclass(frozen=True, slots=True)
class UntilDays:
    """`until 10:00`, `until workday 10:00`, `until friday 18:00`: the next such moment."""

    days: DaySet
    at: time


@dataclass(frozen=True, slots=True)
class UntilEntryDay:
    """`until day 30 at 10:00`: 30 local days after the member entered. In the past it passes straight through."""

    day: int
    at: time | None = None


@dataclass(frozen=True, slots=True)
class UntilMoment:
    """`until 2027-02-06 09:00`, member-local."""

    moment: datetime  # naive: the member's zone decides


@dataclass(frozen=True, slots=True)
class UntilField:
    """`until contract_end -30d at 10:00`."""

    field: str
    offset: timedelta
    at: time | None = None


WaitSpec = For | ForWorkdays | UntilDays | UntilEntryDay | UntilMoment | UntilField


# --- local time -------------------------------------------------------------------------------------------------


def local_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant when clocks in the zone show `at` on `day`, in UTC. Every local time in Engage becomes UTC here.

    Where daylight saving skips that time it is the first instant after the gap, where it comes twice the first one:
    something planned for 02:30 happens once, never twice and never not at all.
    """
    wall = datetime.combine(day, at).replace(fold=0)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which clocks jumped over `wall`, found by halving: zoneinfo does not tell its transitions.

    Read with the offset after the jump (fold 1), a skipped time lies before it; read with the offset before, after it.
    """
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after


def falls_on(days: DaySet, day: date, calendar: WorkCalendar = MAINLAND) -> bool:
    """Whether the day is one of the set; `workday` and `weekend` know public holidays and make-up days."""
    match days:
        case DaySet.DAY:
            return True
        case DaySet.WORKDAY:
            return calendar.is_workday(day)
        case DaySet.WEEKEND:
            return calendar.is_weekend(day)
        case _:
            return day.weekday() == _WEEKDAYS.index(days)


def counts_workdays(spec: WaitSpec) -> bool:
    """Whether public holidays and make-up days decide when it is over."""
    match spec:
        case ForWorkdays() | UntilDays(DaySet.WORKDAY | DaySet.WEEKEND):
            return True
        case _:
            return False


# --- when a wait is over ----------------------------------------------------------------------------------------


def wait_deadline(
    spec: WaitSpec,
    *,
    reached_at: datetime,
    entered_at: datetime,
    zone: ZoneInfo,
    calendar: WorkCalendar = MAINLAND,
    field_value: date | datetime | None = None,
) -> datetime | None:
    """When a wait that was reached at `reached_at` is over; None if it passes straight through.

    Only the fixed deadlines pass through (`until day 3`, a moment, a member's date): when they are not after
    `reached_at`, or the member has no such date. `field_value` is that date: a day, or an aware instant.
    """
    match spec:
        case For(period, at):
            return reached_at + period if at is None else _after_days(period, at, reached_at, zone)
        case ForWorkdays(count, at):
            return _after_workdays(count, at, reached_at, zone, calendar)
        case UntilDays(days, at):
            return _next_day_at(days, at, reached_at, zone, calendar)
        case UntilEntryDay(day, at):
            entered = entered_at.astimezone(zone)
            deadline = local_moment(entered.date() + timedelta(days=day), at or entered.time(), zone)
        case UntilMoment(moment):
            deadline = local_moment(moment.date(), moment.time(), zone)
        case UntilField(_, offset, at):
            if field_value is None:
                return None
            deadline = _around(field_value, offset, at, zone)
        case _:
            assert_never(spec)
    return deadline if deadline > reached_at else None


def _after_days(period: timedelta, at: time, reached_at: datetime, zone: ZoneInfo) -> datetime:
    """`2d at 10:00`: whole days are counted by date, so from Monday 22:15 it is Wednesday 10:00, not 48 hours later.

    Hours and minutes (`1d12h at 10:00`) are waited out first, and the days counted from the date reached then.
    """
    days, rest = divmod(period, timedelta(days=1))
    start = reached_at + rest
    day = start.astimezone(zone).date() + timedelta(days=days)
    while (moment := local_moment(day, at, zone)) < start or moment <= reached_at:
        day += timedelta(days=1)
    return moment


def _after_workdays(
    count: int, at: time | None, reached_at: datetime, zone: ZoneInfo, calendar: WorkCalendar
) -> datetime:
    """The `count`-th workday after today, at the time given, else at the time of day it is now."""
    now = reached_at.astimezone(zone)
    day = calendar.workday_after(now.date(), count)
    while (moment := local_moment(day, at or now.time(), zone)) <= reached_at:
        day = calendar.workday_after(day, 1)
    return moment


def _next_day_at(days: DaySet, at: time, reached_at: datetime, zone: ZoneInfo, calendar: WorkCalendar) -> datetime:
    """The next such moment; one that is right now is over, so the wait lasts until the one after it."""
    day = reached_at.astimezone(zone).date()
    while not falls_on(days, day, calendar) or (moment := local_moment(day, at, zone)) <= reached_at:
        day += timedelta(days=1)
    return moment


def _around(value: date | datetime, offset: timedelta, at: time | None, zone: ZoneInfo) -> datetime:
    """`contract_end -30d at 10:00`, counted on the member's calendar. A day without a time begins at midnight."""
    if isinstance(value, datetime):
        wall = value.astimezone(zone).replace(tzinfo=None)
    else:
        wall = datetime.combine(value, time())
    wall += offset
    return local_moment(wall.date(), at or wall.time(), zone)


# --- as an author writes it -------------------------------------------------------------------------------------


def spell_wait(spec: WaitSpec) -> str:
    """Reads back as the same wait."""
    match spec:
        case For(period, at):
            return format_duration(period) + _spell_at(at)
        case ForWorkdays(days, at):
            return f"{days} workday{'' if days == 1 else 's'}{_spell_at(at)}"
        case UntilDays(days, at):
            return f"until {'' if days is DaySet.DAY else f'{days} '}{at:%H:%M}"
        case UntilEntryDay(day, at):
            return f"until day {day}{_spell_at(at)}"
        case UntilMoment(moment):
            return f"until {moment:%Y-%m-%d %H:%M}"
        case UntilField(field, offset, at):
            sign = "-" if offset < timedelta(0) else "+"
            return f"until {field}{f' {sign}{format_duration(abs(offset))}' if offset else ''}{_spell_at(at)}"
        case _:
            assert_never(spec)


def _spell_at(at: time | None) -> str:
    return "" if at is None else f" at {at:%H:%M}"
