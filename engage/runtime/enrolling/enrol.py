"""ENROL: who enters which journey, and which runs must look again because something happened to their member.

Starts are of two kinds: something happened (an event, entering a segment), or a moment came (a yearly date, a
schedule). Both bring entrants to the same door: `admit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from sqlalchemy import Connection

from engage.core.holdout import is_held_out
from engage.core.journey.model import OnEvent, OnSegment
from engage.errors import DatabaseUnavailable
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.enrolling import calendar_starts
from engage.runtime.enrolling.calendar_starts import Brought, Calendars, Comer, Coming, note_came_in
from engage.runtime.enrolling.crossings import cross_by_events, is_news
from engage.runtime.enrolling.goals import note_goals
from engage.runtime.enrolling.holding import Bulk, hold_back, stage_of
from engage.runtime.enrolling.passing_of_time import PassingOfTime, hour_of
from engage.runtime.quarantine import REST, REST_ALONE, Quarantine, Resting, all_of
from engage.store import enrolling, events, holding, journeys, members, state
from engage.store.advancing import NEWS_FOR
from engage.store.enrolling import Entrant, Waits
from engage.store.events import FreshEvent
from engage.store.holding import HoldStatus
from engage.store.members import MemberRef

BATCH = 500
_LOOKS = "looks for starts"  # may rest as journeys do, whose ids have no blanks
log = structlog.get_logger("engage.enrol")


class Enrol:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._work_calendar = context.policy.work_calendar()
        self._policy = context.policy
        self._foresees = not context.guarded
        self._coming: Coming | None = None
        self._passing = PassingOfTime(context)
        # Asked at every tick, and the same until something starts: kept with what it was worked out from.
        self._next_for: tuple[datetime, str, tuple[str | None, ...], frozenset[Any]] | None = None
        self._next = datetime.max.replace(tzinfo=UTC)
        self._resting_events = Resting(context.clock)  # by name
        self._resting_starts = Resting(context.clock)  # journeys, what is owed to single ones, looks
        self._fresh = Quarantine(
            context,
            "enrol",
            attrgetter("name"),
            self._take,
            self._take_again,
            self._look_at,
            self._set_aside,
            self._resting_events,
            patience=NEWS_FOR,
        )

    def tick(self) -> int:
        """Returns how many events and starts were dealt with."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            timely = self._coming is not None or self._next_look(connection, now) <= now
            passing = self._passing.is_due(connection, now, with_starts=timely)
            fresh = events.any_fresh(connection)
        parts = {self._start_by_time: timely, self._cross_by_time: passing}
        work = [partial(part, now) for part, is_due in parts.items() if is_due]
        return all_of(*work, *([self._fresh.together_or_singly] if fresh else []))

    # --- what happened ------------------------------------------------------------------------------------------

    def _take(self, connection: Connection) -> Sequence[FreshEvent]:
        """Nothing while another process is at it: who enters is a question of order."""
        journeys.hold(connection)  # runs enter what is applied
        if not self._has_turn(connection):
            return []
        return events.fresh_events(connection, BATCH, self._resting_events.now, self._resting_events.alone)

    def _take_again(self, connection: Connection, event: FreshEvent) -> Sequence[FreshEvent]:
        journeys.hold(connection)
        return events.still_fresh(connection, event) if self._has_turn(connection, waits=True) else []

    def _has_turn(self, connection: Connection, *, waits: bool = False) -> bool:
        return state.take_turn(connection, "enrol", self._context.clock.now(), waits=waits)

    def _look_at(self, connection: Connection, fresh: Sequence[FreshEvent]) -> None:
        applied, now = self._context.applied.current(), self._context.clock.now()
        _look_at_events(connection, applied, fresh, now, self._bulk_of_segment)

    def _bulk(self, start: str, expected: int = 0, segment: str | None = None) -> Bulk:
        return Bulk(self._policy, start, expected, segment, foreseen=self._foresees)

    def _bulk_of_segment(self, segment: str) -> Bulk:
        return self._bulk(f"segment {segment}", segment=segment)

    def _set_aside(self, connection: Connection, event: FreshEvent, error: Exception) -> None:
        """The event stays on record; what it would have started is in the log."""
        if self._take_again(connection, event):
            events.mark_seen(connection, [event])

    def next_fresh(self, connection: Connection, now: datetime) -> datetime | None:
        """When what happened is looked at, some of which may rest; None: nothing new happened."""
        if not events.any_fresh(connection):
            return None
        return now + REST if self._resting_events.now or self._resting_events.alone else now

    # --- moments that came --------------------------------------------------------------------------------------

    def next_due(self, connection: Connection, now: datetime) -> datetime:
        """The next start at a moment, or what the passing of time does to segments."""
        return min(self._next_look(connection, now), self._passing.next_due(connection, now))

    def _next_look(self, connection: Connection, now: datetime) -> datetime:
        """The next start at a moment, or the next hour; `now` if nobody ever looked, or by a clock that was ahead."""
        applied = self._context.applied.current()  # before the rest: what is newer than it is asked for next time
        seen = state.moment(connection, state.STARTS_SEEN)
        if seen is None or seen > now + state.CLOCKS_DIFFER:
            return now
        resting = self._resting_starts.now
        if _LOOKS in resting:
            return now + REST
        known = (seen, applied.mark, tuple(members.timezones(connection)), resting)
        if known != self._next_for:
            start = self._calendars(connection, applied, known[2], seen, now).next_start()
            hour = hour_of(seen) + self._context.sweep_every
            self._next_for, self._next = known, min(hour, start) if start is not None else hour
        return self._next

    def _start_by_time(self, now: datetime) -> int:
        """A batch of those whom the calendar brings."""
        coming = self._coming = self._coming or self._who_comes(now)
        comers = Quarantine(
            self._context,
            "enrol",
            attrgetter("brought.journey_id"),
            partial(self._take_comers, coming),
            partial(self._take_comer_again, coming),
            self._let_in,
            partial(self._put_off, coming),
            self._resting_starts,
            fails_alone=attrgetter("brought.to_one"),
        )
        try:
            done = comers.together_or_singly() if coming.brought else 0
            if done >= calendar_starts.BATCH:
                return done
            done += self._look_no_more(coming, now)
        except DatabaseUnavailable:
            raise
        except Exception:
            self._coming = None  # who comes next comes with them, and shows whether it is a fault of theirs
            raise
        if self._coming is None and coming.faults:
            self._resting_starts.add([_LOOKS])
            raise coming.faults[0]
        return done

    def _take_comers(self, coming: Coming, connection: Connection) -> Sequence[Comer]:
        may = self._has_turn_with(coming, connection)
        return coming.batch(connection, self._resting_starts.now) if may else []

    def _take_comer_again(self, coming: Coming, connection: Connection, comer: Comer) -> Sequence[Comer]:
        still = self._has_turn_with(coming, connection, waits=True) and coming.still_comes(connection, comer)
        return [comer] if still else []

    def _has_turn_with(self, coming: Coming, connection: Connection, *, waits: bool = False) -> bool:
        """Also no, if they are to be found anew."""
        journeys.hold(connection)
        return self._has_turn(connection, waits=waits) and not coming.is_outdated(
            connection, self._context.applied.current()
        )

    def _look_no_more(self, coming: Coming, now: datetime) -> int:
        """What the calendar brings was at the door: the slots until then are looked at no more, but for what is owed,
        by journeys that rest, and to those over whom alone the code failed. Unless not all could be found: then all of
        them are looked at again; what is done is done once."""
        with self._context.database.write() as connection:
            journeys.hold(connection)
            if not self._has_turn(connection):
                return 0
            outdated = coming.is_outdated(connection, self._context.applied.current())
            if not outdated:
                if coming.batch(connection, self._resting_starts.now):
                    return 0  # somebody else had the turn until now
                if not coming.faults:
                    state.put_moment(connection, state.STARTS_SEEN, coming.until)
                state.put_starts_owed(connection, coming.owed(connection), now)
                for start in coming.too_late:
                    log.error("start_passed_over", journey=start.journey_id, slot=start.slot, member_id=start.member_id)
        self._resting_starts.add(coming.later - self._resting_starts.now)
        self._coming = None
        return int(outdated)  # there is a look to be taken

    def _cross_by_time(self, now: datetime) -> int:
        """Behind those whom the calendar brings at this moment."""
        return 0 if self._coming is not None else self._passing.work_on(now)

    def _who_comes(self, now: datetime) -> Coming:
        applied = self._context.applied.current()  # before the rest: an older one is outdated, and looked at again
        with self._context.database.read() as connection:
            seen = state.moment(connection, state.STARTS_SEEN)
            if seen is not None and seen > now + state.CLOCKS_DIFFER:
                log.warning("starts_seen_ahead", seen=f"{seen:%Y-%m-%d %H:%M:%S} UTC")
            since = min(seen or now, now)
            calendars = self._calendars(connection, applied, members.timezones(connection), since, now)
            return calendars.coming(calendars.applied.mark, seen)

    def _let_in(self, connection: Connection, comers: Sequence[Comer]) -> None:
        applied, now = self._context.applied.current(), self._context.clock.now()
        for brought, of_slot in groupby(comers, attrgetter("brought")):
            some = [comer.entrant for comer in of_slot if comer.entrant is not None]
            if some:
                self._let_in_of(connection, applied, brought, some, now)
            note_came_in(connection, brought, some, now)

    def _let_in_of(
        self, connection: Connection, applied: Applied, brought: Brought, some: Sequence[Entrant], now: datetime
    ) -> None:
        """Who comes alone, later, fares as the others have: they were held back together, and let go or refused."""
        start = f"{brought.due_at:%Y-%m-%d %H:%M} UTC"
        held = holding.latest(connection, brought.journey_id, start) if brought.to_one else None
        if held is not None and held.status is HoldStatus.REFUSED:
            return
        were_let_go = held is not None and held.status is HoldStatus.RELEASED
        bulk = None if were_let_go else self._bulk(start, len(brought.entrants))
        admit(connection, applied, applied.journeys[brought.journey_id], some, now, bulk)

    def _put_off(self, coming: Coming, connection: Connection, comer: Comer, error: Exception) -> None:
        """They are brought again later, alone; those after them come now, or have come."""
        brought, now = comer.brought, self._context.clock.now()
        log.error("start_put_off", journey=brought.journey_id, slot=brought.slot, member_id=comer.id)
        may_come = self._take_comer_again(coming, connection, comer)
        owed = calendar_starts.owe_alone(connection, comer, now)
        if owed is None:
            log.error("start_passed_over", journey=brought.journey_id, slot=brought.slot, member_id=comer.id)
        else:
            self._resting_starts.add([owed], REST_ALONE)
        if may_come and not brought.to_one:
            note_came_in(connection, brought, [comer.entrant] if comer.entrant is not None else [], now)

    def _calendars(
        self,
        connection: Connection,
        applied: Applied,
        zone_names: Sequence[str | None],
        seen: datetime,
        now: datetime,
    ) -> Calendars:
        owed = state.starts_owed(connection)
        resting = self._resting_starts.now
        return Calendars(connection, applied, self._work_calendar, zone_names, seen, owed, resting, now)


# --- starts by what happened ------------------------------------------------------------------------------------


def _look_at_events(
    connection: Connection, applied: Applied, fresh: Sequence[FreshEvent], now: datetime, bulk_of: Callable[[str], Bulk]
) -> None:
    news = [event for event in fresh if is_news(event)]
    _wake(connection, applied, news, now)  # first: ADVANCE comes to runs before doors, too
    for active in applied.journeys.values():
        if active.starts:
            _start_by_events(connection, applied, active, news, now, bulk_of)
    note_goals(connection, applied, news, now)
    cross_by_events(connection, applied, fresh, news, now)
    events.mark_seen(connection, fresh)


def _start_by_events(
    connection: Connection,
    applied: Applied,
    active: Active,
    news: Sequence[FreshEvent],
    now: datetime,
    bulk_of: Callable[[str], Bulk],
) -> None:
    """What happened to one member brings that one; who comes into a segment may be one of very many."""
    start = active.journey.start
    bulk = None
    match start:
        case OnEvent(name, where):
            named = [event for event in news if event.name == name]
        case OnSegment(segment):
            where = None
            bulk = bulk_of(segment)
            named = [e for e in news if e.name == "segment_entered" and e.payload.get("segment") == segment]
        case _:
            return
    if named:
        keys = [(event.member.bucket, event.id) for event in named]
        matching = enrolling.events_where(connection, applied.catalog, keys, where, now)
        entrants = [_entrant(active, event, now) for event in named if event.id in matching]
        admit(connection, applied, active, [entrant for entrant in entrants if entrant is not None], now, bulk)


def _entrant(active: Active, event: FreshEvent, now: datetime) -> Entrant | None:
    """Due since it was told of it, however late that is looked at."""
    per = active.journey.per
    value = "" if per is None else event.payload.get(per)
    if value is None:
        log.warning("event_lacks_per_key", journey=active.journey.id, event_id=event.id, key=per)
        return None
    context, due_at = {"event": dict(event.payload), "var": {}}, min(event.recorded_at, now)
    return Entrant(event.member, f"event:{event.id}", context, event.number, str(value), due_at)


def _wake(connection: Connection, applied: Applied, news: Sequence[FreshEvent], now: datetime) -> None:
    minding = {
        name: frozenset(journey_id for journey_id in applied.journeys if _minds(applied, journey_id, name))
        for name in {event.name for event in news}
    }
    pairs = dict.fromkeys((event.member, minding[event.name]) for event in news if minding[event.name])
    enrolling.wake(connection, pairs, now)


def _minds(applied: Applied, journey_id: str, event: str) -> bool:
    return any(active.minds(event) for _, active in applied.versions_of(journey_id))


# --- the door ---------------------------------------------------------------------------------------------------


def admit(
    connection: Connection,
    applied: Applied,
    active: Active,
    entrants: Sequence[Entrant],
    now: datetime,
    bulk: Bulk | None = None,
) -> dict[MemberRef, str | None]:
    """Let in whom audience, exclude and re-entry allow; each member once. Why not, by member; None for who entered.
    `bulk`: of a start that may bring many at once, and be held back."""
    if not entrants:
        return {}
    journey = active.journey
    refs = sorted({entrant.member for entrant in entrants})
    if active.draining:
        return dict.fromkeys(refs, "the journey takes nobody new any more")
    journeys.hold_door(connection, journey.id)
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
    waits = _waits(connection, applied, active, bulk, group, len(entrants), now) if bulk is not None and group else None
    enrolling.enter(connection, journey, active.version, active.program.first, group, now, waits)
    return result


def _waits(
    connection: Connection,
    applied: Applied,
    active: Active,
    bulk: Bulk,
    group: Sequence[tuple[Entrant, bool]],
    asked: int,
    now: datetime,
) -> dict[int, Waits] | None:
    held = hold_back(connection, applied, active, bulk, len(group), asked, now)
    if held is None:
        return None
    refs = [entrant.member for entrant, _ in group]
    return {ref.id: Waits(held.id, stage_of(held, ref)) for ref in refs}
