"""What stands between a member and a journey: its start, audience, exclude and re-entry, each as it is now. Reads only.

Nobody writes down what did not happen to whom, so the door is asked again, with the SQL that `enrol` asks. The answer
is about the moment it is asked for, by what is on file now: what was on file back then is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core import schedule
from engage.core.anniversary import celebrated_on
from engage.core.holdout import is_held_out
from engage.core.journey.model import CalendarChoice, Manual, OnDate, OnEvent, OnSchedule, OnSegment
from engage.core.timing import local_moment
from engage.core.workdays import WorkCalendar
from engage.runtime.applied import Active, Applied
from engage.store import enrolling
from engage.store.advancing import NEWS_FOR
from engage.store.insight import history
from engage.store.insight.history import Happening
from engage.store.members import MemberRef
from engage.store.statements import readings
from engage.store.statements.readings import Reading

_LOOKED_AT = 20  # events of the start, the newest first
_AHEAD = 20  # years in which a yearly date is looked for: a leap lunar month may be as far away


class Part(StrEnum):
    JOURNEY = "journey"
    START = "start"
    AUDIENCE = "audience"
    EXCLUDE = "exclude"
    REENTRY = "reentry"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that lets a member in or does not. `holds` None: nothing is in the way, it is not time yet. `why` names
    the sentence that is shown, `facts` what it speaks of."""

    part: Part
    holds: bool | None
    why: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    journey_id: str
    title: str
    checks: tuple[Check, ...]

    @property
    def shut(self) -> bool:
        return any(check.holds is False for check in self.checks)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The member at the door, and the moment."""

    connection: Connection
    applied: Applied
    ref: MemberRef
    zone: ZoneInfo
    work: WorkCalendar
    now: datetime

    def at(self, active: Active) -> Door:
        checks = (*self._journey(active), *self._start(active), *self._conditions(active), *self._earlier_runs(active))
        return Door(active.journey.id, active.journey.title, checks)

    def _journey(self, active: Active) -> Iterator[Check]:
        if active.draining:
            yield Check(Part.JOURNEY, False, "draining")

    # --- start --------------------------------------------------------------------------------------------------

    def _start(self, active: Active) -> Iterator[Check]:
        start = active.journey.start
        match start:
            case OnEvent():
                yield self._event(active, start)
            case OnSegment(segment):
                yield self._segment(active, segment)
            case OnDate():
                yield self._date(start)
            case OnSchedule():
                slot = schedule.next_slot(start, self.now, self.zone, self.work)
                yield Check(Part.START, None, "time_ahead", {"next": slot.at})
            case Manual():
                yield Check(Part.START, None, "by_hand")
            case _:
                assert_never(start)

    def _event(self, active: Active, start: OnEvent) -> Check:
        came = history.happenings(self.connection, self.ref, [start.event], most=_LOOKED_AT)
        if not came:
            return Check(Part.START, False, "event_never", {"event": start.event})
        if start.where is None:
            return _as_news(active, came[0])
        keys = [(self.ref.bucket, happening.id) for happening in came]
        read = readings.of_events(self.connection, self.applied.catalog, start.where, keys, self.now)
        fitting = [happening for happening in came if read[happening.id].holds]
        if not fitting:
            newest = came[0]
            facts = {"event": newest.name, "at": newest.at, "times": len(came)}
            return Check(Part.START, False, "event_misses", facts, read[newest.id].lines)
        return replace(_as_news(active, fitting[0]), lines=read[fitting[0].id].lines)

    def _segment(self, active: Active, segment: str) -> Check:
        condition = self.applied.catalog.segments[segment]
        found = readings.of_members(self.connection, self.applied.catalog, condition, [self.ref], self.now)[self.ref.id]
        facts: dict[str, Any] = {"segment": segment}
        since = history.in_segment_since(self.connection, self.ref, segment)
        if since is None:
            why = "segment_about_to" if found.holds else "segment_not_in"
            return Check(Part.START, None if found.holds else False, why, facts, found.lines)
        entered = [
            happening
            for happening in history.happenings(self.connection, self.ref, ["segment_entered"])
            if happening.payload.get("segment") == segment and happening.at >= active.since
        ]
        if not entered:
            return Check(Part.START, False, "segment_before", facts | {"since": since, "applied": active.since})
        return Check(Part.START, True, "segment_entered", facts | {"at": entered[0].at}, found.lines)

    def _date(self, start: OnDate) -> Check:
        facts: dict[str, Any] = {"field": start.field}
        born = history.anniversary_of(self.connection, self.ref, start.field)
        if born is None:
            return Check(Part.START, False, "date_unknown", facts)
        if start.calendar not in (CalendarChoice.AUTO, born.calendar.value):
            return Check(Part.START, False, "date_other_calendar", facts | {"calendar": start.calendar.value})
        year = self.now.astimezone(self.zone).year
        dates = (celebrated_on(born, cycle, start.feb29, start.leap_month) for cycle in range(year - 2, year + _AHEAD))
        moments = [local_moment(day + start.offset, start.at, self.zone) for day in dates if day is not None]
        facts |= {"last": max((at for at in moments if at <= self.now), default=None)}
        coming = [at for at in moments if at > self.now]
        if not coming:
            return Check(Part.START, False, "date_none_ahead", facts)
        return Check(Part.START, None, "date_ahead", facts | {"next": min(coming)})

    # --- who may come in ----------------------------------------------------------------------------------------

    def _conditions(self, active: Active) -> Iterator[Check]:
        journey, catalog = active.journey, self.applied.catalog
        for part, condition, wanted in (
            (Part.AUDIENCE, journey.audience, True),
            (Part.EXCLUDE, journey.exclude, False),
        ):
            if condition is not None:
                found = readings.of_members(self.connection, catalog, condition, [self.ref], self.now)[self.ref.id]
                yield Check(part, found.holds is wanted, f"{part}_{'yes' if found.holds else 'no'}", {}, found.lines)

    def _earlier_runs(self, active: Active) -> Iterator[Check]:
        journey = active.journey
        barred = enrolling.barred_by_reentry(self.connection, journey, [self.ref], self.now)
        for (_, per_value), why in sorted(barred.items()):
            yield Check(Part.REENTRY, False, "barred", {"reason": why, "per": per_value})
        if is_held_out(self.ref.id, journey.id, journey.holdout):
            yield Check(Part.HOLDOUT, None, "held_out", {"percent": journey.holdout})


def _as_news(active: Active, happening: Happening) -> Check:
    """Whether an event that fits could start a run: history starts nothing."""
    facts = {"event": happening.name, "at": happening.at, "recorded_at": happening.recorded_at}
    if happening.fresh:
        return Check(Part.START, None, "event_fresh", facts)
    if happening.at < active.since:
        return Check(Part.START, False, "event_before", facts | {"applied": active.since})
    if happening.recorded_at - happening.at > NEWS_FOR:
        return Check(Part.START, False, "event_late", facts)
    key = active.journey.per
    if key is not None and happening.payload.get(key) is None:
        return Check(Part.START, False, "event_lacks_key", facts | {"key": key})
    return Check(Part.START, True, "event_came", facts)
