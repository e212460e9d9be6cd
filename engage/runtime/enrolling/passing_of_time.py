"""What the passing of time does to segments: every hour, to those for whom some date has crossed its threshold; every
night, to those whom the ranks, worked out anew, have put on their other side.

Who crosses is found in one look, which keeps nobody from writing, and written down by batches: whoever waits for the
database waits for one of them, however many cross in the same hour. Who was written down does not cross again, so that
whoever begins anew (after a crash, after an edit) finds those who are left. One daemon is at it at a time; that spares
the others the look, and nothing but that hangs on it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engage.core.quiet import zone_of
from engage.errors import DatabaseUnavailable
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.enrolling.crossings import ONE_START, entering, note_entering, record_crossings
from engage.runtime.own_name import own_name
from engage.runtime.quarantine import REST, Resting
from engage.store import journeys, segments, state
from engage.store.segments import Crossing
from engage.store.statements import ranks
from engage.store.statements.ranks import Moved

BATCH = 500
RANKED_FROM = 3  # o'clock, by the business's own time: the day before is complete, and few people write
_PASSING = "the passing of time"  # as a kind that may rest
_ANOTHERS_FOR = timedelta(minutes=5)  # after the last batch of a daemon that may have died: longer than a look takes


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class _Found:
    """Who was found to cross: after `since`, up to `until`, and by these moves of thresholds. `mark`: of what was
    applied then."""

    mark: str
    since: datetime | None
    until: datetime
    moved: list[Moved]
    left: list[Crossing]


class PassingOfTime:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._name = f"{own_name()}:{id(self)}"  # simulated daemons share a process
        self._found: _Found | None = None
        self._resting = Resting(context.clock)

    def is_due(self, connection: Connection, now: datetime, *, with_starts: bool) -> bool:
        """`with_starts`: they are looked for now, and find segments as they are in this hour, however seldom those are
        looked at else."""
        swept = state.moment(connection, state.SEGMENTS_SWEPT)
        in_another_hour = swept is None or hour_of(swept) != hour_of(now)
        return (with_starts and in_another_hour) or self._next_after(swept, now) <= now

    def next_due(self, connection: Connection, now: datetime) -> datetime:
        """`now` if it was never done, or by a clock that was ahead."""
        return self._next_after(state.moment(connection, state.SEGMENTS_SWEPT), now)

    def _next_after(self, swept: datetime | None, now: datetime) -> datetime:
        if _PASSING in self._resting.now:
            return now + REST
        if swept is None or swept > now + state.CLOCKS_DIFFER:
            return now
        swept_next = hour_of(swept) + self._context.sweep_every
        applied = self._context.applied.current()
        return min(swept_next, _ranked_next(applied, swept)) if applied.ranked_shares else swept_next

    def work_on(self, now: datetime) -> int:
        """A batch of those who cross. Returns how many were looked at. While it fails it rests."""
        if _PASSING in self._resting.now:
            return 0
        try:
            if self._found is None:
                if not self._takes_it_on(now):
                    return 0
                if not self._rank(now):
                    return 1  # to be tried again
                self._found = self._who_crosses(now)
            return self._let_cross(self._found, now)
        except DatabaseUnavailable:
            raise
        except Exception:
            self._found = None
            self._resting.add([_PASSING])
            raise

    # --- one daemon at a time -----------------------------------------------------------------------------------

    def _takes_it_on(self, now: datetime) -> bool:
        with self._context.database.write() as connection:
            if not state.take_turn(connection, "enrol", now) or self._is_anothers(connection, now):
                return False
            state.put_passing(connection, self._name, now)
        return True

    def _is_anothers(self, connection: Connection, now: datetime) -> bool:
        """Not so if its clock was ahead: nobody waits for that."""
        by, at = state.passing(connection) or (self._name, now)
        return by != self._name and -state.CLOCKS_DIFFER <= now - at < _ANOTHERS_FOR

    # --- ranks --------------------------------------------------------------------------------------------------

    def _rank(self, now: datetime) -> bool:
        """Once in a night. Who stands on another side now is owed a look until all of them had it. False if something
        else has been applied meanwhile."""
        applied = self._context.applied.current()
        local = now.astimezone(zone_of(None, applied.catalog.timezone))
        night = local.date().isoformat()
        with self._context.database.read() as connection:
            if local.hour < RANKED_FROM or state.slot_is_taken(connection, "ranks", night):
                return True
            found = ranks.work_out(connection, applied.catalog, applied.ranked_shares, now)
        with self._context.database.write() as connection:
            journeys.hold(connection)
            state.take_turn(connection, "enrol", now, waits=True)
            if not self._is_applied(applied.mark):
                return False
            if state.take_slot(connection, "ranks", night, now):
                moved = ranks.replace(connection, found)
                if moved:
                    state.put_ranks_moved(connection, state.ranks_moved(connection) + moved, now)
        return True

    # --- crossing -----------------------------------------------------------------------------------------------

    def _who_crosses(self, now: datetime) -> _Found:
        applied = self._context.applied.current()  # before the rest: an older one is outdated, and looked at again
        with self._context.database.read() as connection:
            since, moved = state.moment(connection, state.SEGMENTS_SWEPT), state.ranks_moved(connection)
            crossings = segments.crossing_by_time(connection, applied.catalog, min(since or now, now), now)
            crossings += segments.crossing_by_rank(connection, applied.catalog, moved, now)
        return _Found(applied.mark, since, now, moved, list(dict.fromkeys(crossings)))

    def _let_cross(self, found: _Found, now: datetime) -> int:
        """The first of those left. With the last of them, time is done up to when they were found."""
        some = found.left[:BATCH]
        with self._context.database.write() as connection:
            journeys.hold(connection)
            if not state.take_turn(connection, "enrol", now):
                return 0
            outdated = self._is_outdated(connection, found, now)
            if not outdated:
                self._let_some_cross(connection, found, some, now)
        if outdated:
            self._found = None
            return 1  # there is a look to be taken
        del found.left[:BATCH]
        if not found.left:
            self._found = None
        return len(some)

    def _let_some_cross(self, connection: Connection, found: _Found, some: list[Crossing], now: datetime) -> None:
        catalog = self._context.applied.current().catalog
        _foretell(connection, found.left, some, now)
        record_crossings(connection, catalog, segments.cross(connection, catalog, some, now), now)
        state.put_passing(connection, self._name, now)
        if len(some) == len(found.left):
            state.put_moment(connection, state.SEGMENTS_SWEPT, found.until)
            if found.moved:
                state.put_ranks_moved(connection, [], now)

    def _is_applied(self, mark: str) -> bool:
        return self._context.applied.current().mark == mark

    def _is_outdated(self, connection: Connection, found: _Found, now: datetime) -> bool:
        """Also by a clock that was set back: who crosses by then does not yet."""
        return (
            not self._is_applied(found.mark)
            or found.until > now
            or self._is_anothers(connection, now)
            or state.moment(connection, state.SEGMENTS_SWEPT) != found.since
            or state.ranks_moved(connection) != found.moved
        )


def _ranked_next(applied: Applied, swept: datetime) -> datetime:
    local = swept.astimezone(zone_of(None, applied.catalog.timezone))
    tonight = local.replace(hour=RANKED_FROM, minute=0, second=0, microsecond=0)
    return tonight if tonight > local else tonight + timedelta(days=1)


def _foretell(connection: Connection, left: list[Crossing], some: list[Crossing], now: datetime) -> None:
    """How many of those left enter, before `some` of them cross: a start that is too large is held back from its first
    member on. What was told holds for an hour; who has been told of in it is not told of again."""
    told = state.foretold(connection)
    lasts = told is not None and -state.CLOCKS_DIFFER <= now - told.at < ONE_START
    at, before = (told.at, told.left) if told is not None and lasts else (now, {})
    entering_now = entering(left)
    if entering_now:
        note_entering(connection, entering_now - Counter(before), now)
        state.put_foretold(connection, state.Foretold(at, dict(entering_now - entering(some))), now)
