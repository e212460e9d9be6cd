"""Where an edit leaves one member who is on the way: what `core.journey.diff` says of the step, made into a new place
for the run. Pure.

A run keeps what it has begun: a wait counts from when its step was reached, under whatever name and however long it now
is. Only who stands at a step that is gone, or that has become another kind of step, begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from engage.core.journey.diff import Fate, Gone, Time
from engage.core.timing import For, wait_deadline
from engage.core.turn import Phase
from engage.core.workdays import WorkCalendar


class What(StrEnum):
    """What applying a plan did to a run."""

    RENAMED = "renamed"  # the step is called otherwise
    RETIMED = "retimed"  # the wait ends at another moment
    PAST = "past"  # it would have ended already
    ONWARD = "onward"  # the step is gone
    AFRESH = "afresh"  # the step has become another kind of step
    ENDED = "ended"  # the step is gone, and nothing came after it
    PINNED = "pinned"
    STOPPED = "stopped"
    RESTORED = "restored"  # put back where an undone plan had found it


# They would go on at once: released gradually.
AT_ONCE = frozenset({What.PAST, What.ONWARD, What.AFRESH})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands."""

    step_id: str
    phase: Phase
    started_at: datetime
    deadline_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timetable:
    """What decides when a wait of this run is over."""

    entered_at: datetime
    zone: ZoneInfo
    calendar: WorkCalendar
    field_value: date | datetime | None = None

    def end_of(self, time: Time, started_at: datetime) -> datetime:
        """`started_at` itself if it passes straight through."""
        deadline = wait_deadline(
            For(time) if isinstance(time, timedelta) else time,
            reached_at=started_at,
            entered_at=self.entered_at,
            zone=self.zone,
            calendar=self.calendar,
            field_value=self.field_value,
        )
        return deadline if deadline is not None else started_at


def moved(fate: Fate, here: Place, timetable: Timetable, now: datetime) -> tuple[What, Place] | None:
    """The place the edit gives the run; None if it stays as it is. For who goes on at once it is the place at this
    moment: `released` makes it a later one."""
    if isinstance(fate, Gone):
        if fate.to is None:
            return What.ENDED, here
        return What.ONWARD, _beginning(fate.to, now)
    there = replace(here, step_id=fate.new)
    if here.phase is not Phase.ARRIVING and fate.afresh:
        return What.AFRESH, _beginning(fate.new, now)
    if here.phase is Phase.WAITING and fate.times is not None:
        deadline = timetable.end_of(fate.times[1], here.started_at)
        if deadline <= now:
            return What.PAST, _timed(there, now, now)
        if deadline != here.deadline_at:
            return What.RETIMED, _timed(there, deadline, now)
    return (What.RENAMED, there) if fate.old != fate.new else None


def released(place: Place, at: datetime, now: datetime) -> Place:
    """The same place, to be left at that moment (or, where it is to be reached, reached then and not before, whatever
    wakes the run)."""
    if place.phase is Phase.ARRIVING:
        return replace(place, started_at=at, deadline_at=at, due_at=at)
    return _timed(place, at, now)


def _beginning(step_id: str, now: datetime) -> Place:
    return Place(step_id, Phase.ARRIVING, started_at=now, deadline_at=None, due_at=now)


def _timed(place: Place, deadline: datetime, now: datetime) -> Place:
    """Who is to be looked at already, because something happened, is looked at all the same."""
    woken = place.due_at is not None and place.due_at <= now and place.due_at != place.deadline_at
    return replace(place, deadline_at=deadline, due_at=place.due_at if woken else deadline)
