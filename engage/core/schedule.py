"""Starts that begin by the calendar (`date:`, `every:`): the member-local moments at which they do.

A slot is one local date in one zone (with cron: one local time of it), and its key makes it happen once: clocks that
jump, or a daemon that was down, change when a slot is worked on, never how often. Which members it brings is not
decided here.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from engage.core.anniversary import AnniversaryMatch, occurrences_on
from engage.core.cron import CronDays
from engage.core.journey.model import CalendarChoice, DayOfMonth, OnDate, OnSchedule
from engage.core.timing import DaySet, falls_on, local_moment
from engage.core.workdays import MAINLAND, WorkCalendar

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """`key` names it within its journey, whatever the zone: who moves to another one has had it already."""

    local_date: date
    at: datetime
    key: str


def next_slot(start: OnDate | OnSchedule, after: datetime, zone: ZoneInfo, calendar: WorkCalendar = MAINLAND) -> Slot:
    """The first slot strictly after that moment."""
    return next(_slots(start, after, zone, calendar))


def slots_between(
    start: OnDate | OnSchedule, after: datetime, until: datetime, zone: ZoneInfo, calendar: WorkCalendar = MAINLAND
) -> list[Slot]:
    """The slots with `after` < at ≤ `until`, oldest first: what is due now, and what a pause has left behind."""
    slots = []
    for slot in _slots(start, after, zone, calendar):
        if slot.at > until:
            break
        slots.append(slot)
    return slots


def overtaken(
    before: OnDate | OnSchedule,
    after: OnDate | OnSchedule,
    seen: datetime,
    zone: ZoneInfo,
    calendar: WorkCalendar = MAINLAND,
) -> Slot | None:
    """The slot that an edit has put to a moment which nobody looks at any more (`seen`: up to when they did), and that
    was still to come before: it is owed. Each of cron's times is a slot of its own, which comes at no other time."""
    to_come = next_slot(before, seen, zone, calendar)
    passed = slots_between(after, seen - _ONE_DAY, seen, zone, calendar)
    return next((slot for slot in passed if slot.key == to_come.key), None)


def celebrated_date(start: OnDate, local_date: date) -> date:
    """The date that a slot serves: with `offset: -3d` it runs three days before it."""
    return local_date - start.offset


def celebrations(start: OnDate, local_date: date) -> tuple[AnniversaryMatch, ...]:
    """The stored anniversaries that the slot of that local date is for, by the calendar the journey asks for."""
    matches = occurrences_on(celebrated_date(start, local_date), start.feb29, start.leap_month)
    if start.calendar is CalendarChoice.AUTO:
        return matches
    return tuple(match for match in matches if match.calendar.value == start.calendar.value)


def _slots(start: OnDate | OnSchedule, after: datetime, zone: ZoneInfo, calendar: WorkCalendar) -> Iterator[Slot]:
    day, last = after.astimezone(zone).date(), after
    while True:
        for at in _times_on(start, day, calendar):
            moment = local_moment(day, at, zone)
            # Times that the clocks skip all come at the end of the gap: there they are one.
            if moment > last:
                yield Slot(day, moment, _key(start, day, at))
                last = moment
        day += _ONE_DAY


def _key(start: OnDate | OnSchedule, day: date, at: time) -> str:
    """The date alone where a day has one time: an `at` that is edited after it has come does not come again."""
    several = isinstance(start, OnSchedule) and isinstance(start.days, CronDays)
    return f"{day.isoformat()} {at:%H:%M}" if several else day.isoformat()


def _times_on(start: OnDate | OnSchedule, day: date, calendar: WorkCalendar) -> tuple[time, ...]:
    """The local times at which it begins on that day, in their order."""
    match start:
        case OnDate(at=at):
            return (at,)
        case OnSchedule(days, times):
            return times if _begins_on(days, day, calendar) else ()
        case _:
            assert_never(start)


def _begins_on(days: DaySet | DayOfMonth | CronDays, day: date, calendar: WorkCalendar) -> bool:
    match days:
        case DayOfMonth(wanted):
            return day.day == min(wanted, monthrange(day.year, day.month)[1])
        case CronDays():
            return days.falls_on(day)
        case _:
            return falls_on(days, day, calendar)
