"""ENROL: who enters which journey, and which runs must look again because something happened to their member.

Starts are of two kinds: something happened (an event, entering a segment), or a moment came (a yearly date, a
schedule). Both bring entrants to the same door: `admit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from engage.core import anniversary, schedule
from engage.core.anniversary import Anniversary, Calendar
from engage.core.holdout import is_held_out
from engage.core.journey.model import OnDate, OnEvent, OnSchedule, OnSegment
from engage.core.quiet import zone_of
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.goals import note_goals
from engage.runtime.quarantine import together_or_singly
from engage.store import advancing, enrolling, events, members, segments, state
from engage.store.enrolling import Entrant
from engage.store.events import FreshEvent, NewEvent
from engage.store.members import MemberRef
from engage.store.segments import Crossing

BATCH = 500
SWEEP_EVERY = timedelta(hours=1)
log = structlog.get_logger("engage.enrol")

_STARTS_SEEN = "starts_seen"  # up to when starts at a moment have been looked for
_SEGMENTS_SWEPT = "segments_swept"  # up to when the passing of time has been applied to segments


class Enrol:
    def __init__(self, context: Context) -> None:
        self._context = context
        # Asked at every tick, and the same until something starts: kept with what it was worked out from.
        self._next_for: tuple[datetime, str, tuple[str | None, ...]] | None = None
        self._next = datetime.max.replace(tzinfo=UTC)

    def tick(self) -> int:
        """Returns how many events and starts were dealt with."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            timely = self.next_due(connection, now) <= now
            fresh = events.fresh_events(connection, BATCH) if events.any_fresh(connection) else []
        started = self._start_by_time(now) if timely else 0
        if fresh:
            together_or_singly(fresh, self._look_at, self._set_aside)
        return started + len(fresh)

    def _look_at(self, fresh: Sequence[FreshEvent]) -> None:
        applied, now = self._context.applied.current(), self._context.clock.now()
        with self._context.database.write() as connection:
            fresh = events.still_fresh(connection, fresh)
            _look_at_events(connection, applied, fresh, now)

    def _set_aside(self, event: FreshEvent, error: Exception) -> None:
        """The event stays on record; what it would have started is in the log."""
        with self._context.database.write() as connection:
            events.mark_seen(connection, [event])

    def next_due(self, connection: Connection, now: datetime) -> datetime:
        """The next start at a moment, or the next look at the passing of time; `now` if that was never done."""
        seen = _moment(state.get(connection, _STARTS_SEEN))
        if seen is None:
            return now
        applied = self._context.applied.current()
        known = (seen, applied.mark, tuple(members.timezones(connection)))
        if known != self._next_for:
            self._next_for, self._next = known, _next_moment(applied, seen, known[2])
        return self._next

    def _start_by_time(self, now: datetime) -> int:
        applied = self._context.applied.current()
        with self._context.database.write() as connection:
            return _start_by_time(connection, applied, now)


def _start_by_time(connection: Connection, applied: Applied, now: datetime) -> int:
    seen = _moment(state.get(connection, _STARTS_SEEN)) or now
    done = 0
    for zone_name in members.timezones(connection):
        for active in applied.journeys.values():
            if not active.draining:
                done += _start_slots(connection, applied, active, zone_name, seen, now)
    state.put(connection, _STARTS_SEEN, now.isoformat(), now)
    return done + _sweep_segments(connection, applied, now)


def _next_moment(applied: Applied, after: datetime, zone_names: Sequence[str | None]) -> datetime:
    moments = [_hour(after) + SWEEP_EVERY]
    for zone_name in zone_names:
        zone = zone_of(zone_name, applied.catalog.timezone)
        for active in applied.journeys.values():
            start = active.journey.start
            if isinstance(start, OnDate | OnSchedule) and not active.draining:
                moments.append(schedule.next_slot(start, after, zone).at)
    return min(moments)


# --- starts at a moment -----------------------------------------------------------------------------------------


def _start_slots(
    connection: Connection, applied: Applied, active: Active, zone_name: str | None, seen: datetime, now: datetime
) -> int:
    """Run the slots that came since we last looked. After a downtime only those that are not too old: `catch_up`."""
    start = active.journey.start
    if not isinstance(start, OnDate | OnSchedule):
        return 0
    zone = zone_of(zone_name, applied.catalog.timezone)
    done = 0
    for slot in schedule.slots_between(start, max(seen, active.since, now - start.catch_up), now, zone):
        name = f"{slot.local_date.isoformat()} {zone_name or 'default'}"
        if state.take_slot(connection, f"start:{active.journey.id}", name, now):
            done += len(
                admit(connection, applied, active, _entrants(connection, applied, active, slot, zone_name, now), now)
            )
    return done


def _entrants(
    connection: Connection,
    applied: Applied,
    active: Active,
    slot: schedule.Slot,
    zone_name: str | None,
    now: datetime,
) -> list[Entrant]:
    after = events.last_id(connection)
    start = active.journey.start
    if isinstance(start, OnDate):
        return _celebrants(connection, start, slot, zone_name, after)
    everyone = enrolling.everyone(connection, applied.catalog, active.journey, zone_name, now)
    occurrence = f"slot:{slot.local_date.isoformat()}"
    return [Entrant(ref, occurrence, {"event": {}, "var": {}}, after) for ref in everyone]


def _celebrants(
    connection: Connection, start: OnDate, slot: schedule.Slot, zone_name: str | None, after: int
) -> list[Entrant]:
    matches = schedule.celebrations(start, slot.local_date)
    dates = [(m.calendar.value, m.month, m.day, m.leap, m.cycle_year) for m in matches]
    lunar_text = anniversary.lunar_text(schedule.celebrated_date(start, slot.local_date))
    entrants = []
    for celebrant in enrolling.celebrants(connection, start, dates, zone_name):
        told: dict[str, Any] = {"calendar": celebrant.calendar, "lunar_text": lunar_text}
        born = Anniversary(Calendar(celebrant.calendar), celebrant.month, celebrant.day, celebrant.leap, celebrant.year)
        age = anniversary.age_on(born, celebrant.cycle_year)
        if age is not None:
            told["age"] = age
        occurrence = f"{celebrant.calendar}:{celebrant.cycle_year}"
        entrants.append(Entrant(celebrant.member, occurrence, {"event": told, "var": {}}, after))
    return entrants


# --- starts by what happened ------------------------------------------------------------------------------------


def _look_at_events(connection: Connection, applied: Applied, fresh: Sequence[FreshEvent], now: datetime) -> None:
    news = [event for event in fresh if _is_news(event, now)]
    for active in applied.journeys.values():
        if not active.draining:
            _start_by_events(connection, applied, active, news, now)
    _wake(connection, applied, news, now)
    note_goals(connection, applied, news, now)
    told = {event.member for event in news}
    crossings = segments.refresh(connection, applied.catalog, events.members_of(fresh), now)
    record_crossings(connection, applied, [c for c in crossings if c.member in told], now)
    events.mark_seen(connection, fresh)


def _is_news(event: FreshEvent, now: datetime) -> bool:
    """History starts nothing: what a file brought, and what happened more than a day before we heard of it."""
    return event.name != "member_imported" and event.at > now - advancing.NEWS_FOR


def _start_by_events(
    connection: Connection, applied: Applied, active: Active, news: Sequence[FreshEvent], now: datetime
) -> None:
    start = active.journey.start
    match start:
        case OnEvent(name, where):
            named = [event for event in news if event.name == name]
        case OnSegment(segment):
            where = None
            named = [e for e in news if e.name == "segment_entered" and e.payload.get("segment") == segment]
        case _:
            return
    if named:
        matching = enrolling.events_where(connection, applied.catalog, [e.id for e in named], where, now)
        entrants = [_entrant(active, event) for event in named if event.id in matching]
        admit(connection, applied, active, [entrant for entrant in entrants if entrant is not None], now)


def _entrant(active: Active, event: FreshEvent) -> Entrant | None:
    per = active.journey.per
    value = "" if per is None else event.payload.get(per)
    if value is None:
        log.warning("event_lacks_per_key", journey=active.journey.id, event_id=event.id, key=per)
        return None
    context = {"event": dict(event.payload), "var": {}}
    return Entrant(event.member, f"event:{event.id}", context, event.id, str(value))


def _wake(connection: Connection, applied: Applied, news: Sequence[FreshEvent], now: datetime) -> None:
    minding = {
        name: frozenset(journey_id for journey_id, active in applied.journeys.items() if active.minds(name))
        for name in {event.name for event in news}
    }
    pairs = dict.fromkeys((event.member, minding[event.name]) for event in news if minding[event.name])
    enrolling.wake(connection, pairs, now)


# --- segments ---------------------------------------------------------------------------------------------------


def record_crossings(connection: Connection, applied: Applied, crossings: Sequence[Crossing], now: datetime) -> None:
    """Entering and leaving a segment are events like any other."""
    mark = events.last_id(connection)
    new = [
        NewEvent(
            crossing.member,
            "segment_entered" if crossing.entered else "segment_left",
            now,
            f"segment:{crossing.segment}:{crossing.member.id}:{mark}",
            {"segment": crossing.segment},
        )
        for crossing in crossings
    ]
    if new:
        events.record(connection, applied.catalog, new, now)


def _sweep_segments(connection: Connection, applied: Applied, now: datetime) -> int:
    swept = _moment(state.get(connection, _SEGMENTS_SWEPT)) or now
    if swept != now and _hour(swept) == _hour(now):
        return 0
    crossings = segments.refresh_by_time(connection, applied.catalog, swept, now)
    record_crossings(connection, applied, crossings, now)
    state.put(connection, _SEGMENTS_SWEPT, now.isoformat(), now)
    return len(crossings)


# --- the door ---------------------------------------------------------------------------------------------------


def admit(
    connection: Connection, applied: Applied, active: Active, entrants: Sequence[Entrant], now: datetime
) -> dict[MemberRef, str | None]:
    """Let in whom audience, exclude and re-entry allow; each member once. Why not, by member; None for who entered."""
    if not entrants:
        return {}
    journey = active.journey
    refs = sorted({entrant.member for entrant in entrants})
    offered = enrolling.already_offered(connection, journey.id, entrants)
    barred = enrolling.barred_by_reentry(connection, journey, refs, now)
    let_in = enrolling.admitted(connection, applied.catalog, journey, refs, now)
    result: dict[MemberRef, str | None] = {}
    entering: dict[tuple[int, str], Entrant] = {}
    for entrant in entrants:
        key = (entrant.member.id, entrant.per_value)
        if (entrant.member.id, entrant.occurrence) in offered or key in entering:
            result.setdefault(entrant.member, "already in this journey")
        elif key in barred:
            result[entrant.member] = barred[key]
        elif entrant.member.id not in let_in:
            result[entrant.member] = "audience or exclude does not let them in"
        else:
            entering[key] = entrant
            result[entrant.member] = None
    group = [(e, is_held_out(e.member.id, journey.id, journey.holdout)) for e in entering.values()]
    enrolling.enter(connection, journey, active.version, active.program.first, group, now)
    return result


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
