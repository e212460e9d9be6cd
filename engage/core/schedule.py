"""Starts that begin by the calendar (`date:`, `every:`): the member-local moments at which they do.

A slot is one local date in one zone, and its date is the key that makes it happen once: clocks that jump, or a daemon
that was down, change when a slot is worked on, never how often. Which members it brings is not decided here.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from engage.core.anniversary import AnniversaryMatch, occurrences_on
from engage.core.journey.model import CalendarChoice, OnDate, OnSchedule
from engage.core.timing import falls_on, local_moment

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    local_date: date
    at: datetime


def next_slot(start: OnDate | OnSchedule, after: datetime, zone: ZoneInfo) -> Slot:
    """The first slot strictly after that moment."""
    return next(_slots(start, after, zone))


def slots_between(start: OnDate | OnSchedule, after: datetime, until: datetime, zone: ZoneInfo) -> list[Slot]:
    """The slots with `after` < at ≤ `until`, oldest first: what is due now, and what a pause has left behind."""
    slots = []
    for slot in _slots(start, after, zone):
        if slot.at > until:
            break
        slots.append(slot)
    return slots


def celebrated_date(start: OnDate, local_date: date) -> date:
    """The date that a slot serves: with `offset: -3d` it runs three days before it."""
    return local_date - start.offset


def celebrations(start: OnDate, local_date: date) -> tuple[AnniversaryMatch, ...]:
    """The stored anniversaries that the slot of that local date is for, by the calendar the journey asks for."""
    matches = occurrences_on(celebrated_date(start, local_date), start.feb29, start.leap_month)
    if start.calendar is CalendarChoice.AUTO:
        return matches
    return tuple(match for match in matches if match.calendar.value == start.calendar.value)


def _slots(start: OnDate | OnSchedule, after: datetime, zone: ZoneInfo) -> Iterator[Slot]:
    day = after.astimezone(zone).date()
    while True:
        if _begins_on(start, day) and (at := local_moment(day, start.at, zone)) > after:
            yield Slot(day, at)
        day += _ONE_DAY


def _begins_on(start: OnDate | OnSchedule, day: date) -> bool:
    """Whether the local day has a slot. `month 31` is the last day of shorter months: monthly is every month."""
    match start:
        case OnDate():
            return True
        case OnSchedule(days=days, day_of_month=wanted):
            if wanted is None:
                return falls_on(days, day)
            return day.day == min(wanted, calendar.monthrange(day.year, day.month)[1])
