"""What the passing of time does to segments: every hour, to those for whom some date has crossed its threshold; every
night, to those whom the ranks, worked out anew, have put on their other side.

Who crosses is found in one look, which keeps nobody from writing, and written down by batches: whoever waits for the
database waits for one of them, however many cross in the same hour. Who was written down does not cross again, so that
whoever begins anew (after a crash, after an edit, or another daemon) finds those who are left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from engage.core.dependence import shares_in
from engage.core.quiet import zone_of
from engage.errors import DatabaseUnavailable
from engage.runtime.context import Context
from engage.runtime.enrolling.crossings import note_entering, record_crossings
from engage.runtime.quarantine import REST, Resting
from engage.store import journeys, segments, state
from engage.store.segments import Crossing
from engage.store.statements import ranks
from engage.store.statements.ranks import Moved

BATCH = 500
RANKED_FROM = 3  # o'clock, by the business's own time: the day before is complete, and few people write
_PASSING = "the passing of time"  # as a kind that may rest


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
    left: list[Crossing] = field(default_factory=list)


class PassingOfTime:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: _Found | None = None
        self._resting = Resting(context.clock)

    def next_due(self, connection: Connection, now: datetime) -> datetime:
        """`now` if it was never done, or by a clock that was ahead."""
        if _PASSING in self._resting.now:
            return now + REST
        swept = state.moment(connection, state.SEGMENTS_SWEPT)
        if swept is None or swept > now + state.CLOCKS_DIFFER:
            return now
        return hour_of(swept) + self._context.sweep_every

    def work_on(self, now: datetime) -> int:
        """A batch of those who cross. Returns how many were looked at. While it fails it rests."""
        if _PASSING in self._resting.now:
            return 0
        try:
            if self._found is None:
                self._rank(now)
                self._found = self._who_crosses(now)
            return self._let_cross(self._found, now)
        except DatabaseUnavailable:
            raise
        except Exception:
            self._found = None
            self._resting.add([_PASSING])
            raise

    def _rank(self, now: datetime) -> None:
        """Once in a night. Who stands on another side now is owed a look until all of them had it."""
        applied = self._context.applied.current()
        local = now.astimezone(zone_of(None, applied.catalog.timezone))
        night = local.date().isoformat()
        with self._context.database.read() as connection:
            if local.hour < RANKED_FROM or state.slot_is_taken(connection, "ranks", night):
                return
            shares = shares_in((applied.catalog.segments, [active.journey for active in applied.journeys.values()]))
            found = ranks.work_out(connection, applied.catalog, shares, now)
        with self._context.database.write() as connection:
            journeys.hold(connection)
            if self._is_applied(applied.mark) and state.take_slot(connection, "ranks", night, now):
                moved = ranks.replace(connection, found)
                if moved:
                    state.put_ranks_moved(connection, state.ranks_moved(connection) + moved, now)

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
            outdated = self._is_outdated(connection, found)
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
        applied = self._context.applied.current()
        _foretell(connection, found, now)
        crossings = segments.cross(connection, applied.catalog, some, now)
        record_crossings(connection, applied.catalog, crossings, now)
        if len(some) == len(found.left):
            state.put_moment(connection, state.SEGMENTS_SWEPT, found.until)
            if found.moved:
                state.put_ranks_moved(connection, [], now)

    def _is_applied(self, mark: str) -> bool:
        return self._context.applied.current().mark == mark

    def _is_outdated(self, connection: Connection, found: _Found) -> bool:
        return (
            not self._is_applied(found.mark)
            or state.moment(connection, state.SEGMENTS_SWEPT) != found.since
            or state.ranks_moved(connection) != found.moved
        )


def _foretell(connection: Connection, found: _Found, now: datetime) -> None:
    """Before the first of them crosses: a start that is too large is held back from its first member on. Told once in
    an hour, by whoever is first; longer than that it does not hold."""
    told = f"{found.since} {hour_of(now)}"
    if any(crossing.entered for crossing in found.left) and state.take_slot(connection, "foretold", told, now):
        note_entering(connection, found.left, now)
