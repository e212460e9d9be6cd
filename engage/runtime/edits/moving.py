"""Members on their way, moved to where an edit leaves them: counted for a plan, and carried out when it is applied.

The plan and the apply ask the same question in the same way, so that what was shown is what happens.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.core.duration import format_duration
from engage.core.journey.ahead import after_the_wait, next_messages
from engage.core.journey.diff import Fate, Gone, Kept, Time
from engage.core.journey.program import Program
from engage.core.moving import AT_ONCE, Place, Timetable, What, moved, released
from engage.core.quiet import zone_of
from engage.core.release import Release, release_moments
from engage.core.timing import UntilField, spell_wait
from engage.core.turn import EndKind, Phase
from engage.runtime.edits.plan import NextMessages, Rules
from engage.store import trail
from engage.store.edits import moving as store
from engage.store.edits.moving import Move, RunKey, StandingRun
from engage.store.edits.moving_together import Together, rename_places


@dataclass(frozen=True, slots=True)
class Moved:
    run: StandingRun
    fate: Fate
    what: What
    place: Place

    @property
    def key(self) -> RunKey:
        return self.run.member.bucket, self.run.id


@dataclass(frozen=True, slots=True)
class Mover:
    """Moves the runs of one journey."""

    connection: Connection
    journey_id: str
    catalog: Catalog
    release: Release
    rules: Rules
    now: datetime

    def renamed(self, fates: Iterable[Fate]) -> list[Kept]:
        """Steps that are only called otherwise: who stands there needs no looking at one by one."""
        known = map(self._without_times, fates)
        return [fate for fate in known if isinstance(fate, Kept) and _is_only_renamed(fate)]

    def work_out(self, fates: Iterable[Fate], but: frozenset[int] = frozenset()) -> list[Moved]:
        """Who moves where, in the order in which they entered; nothing is written. `but`: runs to be left alone."""
        by_step = {fate.old: known for fate in fates if _moves(known := self._without_times(fate))}
        dates = {fate.old: self._dates(fate) for fate in by_step.values()}
        found = []
        for run in store.standing(self.connection, self.journey_id, by_step):
            fate = by_step[run.step_id]
            timetable = Timetable(run.entered_at, self._zone(run), self.rules.calendar, dates[run.step_id].get(run.id))
            there = moved(fate, _place_of(run), timetable, self.now) if run.id not in but else None
            if there is not None:
                found.append(Moved(run, fate, *there))
        return self._release(found)

    def _without_times(self, fate: Fate) -> Fate:
        return replace(fate, times=None) if isinstance(fate, Kept) and self.release is Release.KEEP else fate

    def _dates(self, fate: Fate) -> Mapping[int, date | datetime]:
        """What a wait for a member's date is timed by."""
        until = fate.times[1] if isinstance(fate, Kept) and fate.times is not None else None
        if not isinstance(until, UntilField):
            return {}
        kind = self.catalog.fields[until.field].type
        return store.field_dates(self.connection, self.journey_id, fate.old, until.field, kind)

    def _zone(self, run: StandingRun) -> ZoneInfo:
        return zone_of(run.timezone, self.catalog.timezone)

    # --- release ------------------------------------------------------------------------------------------------

    def _release(self, found: list[Moved]) -> list[Moved]:
        """Those who go on at once, each at their own moment."""
        moments = self._moments([one.run for one in found if one.what in AT_ONCE])
        return [
            replace(one, place=released(one.place, next(moments[self._zone(one.run)]), self.now))
            if one.what in AT_ONCE and self.release is Release.DAY
            else self._at_the_old_time(one)
            for one in found
        ]

    def _moments(self, runs: Sequence[StandingRun]) -> dict[ZoneInfo, Iterator[datetime]]:
        counts = Counter(self._zone(run) for run in runs)
        pace = self.rules.pace
        return {zone: release_moments(n, counts.total(), self.now, zone, pace) for zone, n in counts.items()}

    def _at_the_old_time(self, one: Moved) -> Moved:
        if self.release is not Release.KEEP or one.what not in AT_ONCE:
            return one
        # Who was woken a moment ago is due, and has their old time still ahead.
        times = (one.run.deadline_at, one.run.due_at, self.now)
        return replace(one, place=released(one.place, max(at for at in times if at is not None), self.now))

    # --- carried out --------------------------------------------------------------------------------------------

    def carry_out(self, plan_id: str, renamed: Sequence[Kept], found: Sequence[Moved]) -> None:
        renames = {fate.old: _renaming(plan_id, fate) for fate in renamed}
        rename_places(self.connection, plan_id, self.journey_id, renames, self.now)
        moves = [_move_of(one, self.now) for one in found]
        store.carry_out(self.connection, plan_id, moves)
        lines = [line for one in found for line in _lines(one, plan_id)]
        trail.note(self.connection, lines, self.now)


def _moves(fate: Fate) -> bool:
    """Whether it depends on the run what it is to the run."""
    return isinstance(fate, Gone) or (fate.moves_members and not _is_only_renamed(fate))


def _is_only_renamed(fate: Kept) -> bool:
    return fate.old != fate.new and fate.times is None and not fate.afresh


def _renaming(plan_id: str, fate: Kept) -> Together:
    """Told to nobody if only the file has made it another name."""
    told = {"plan": plan_id, "edit": What.RENAMED, "from": fate.old} if fate.renamed else None
    return Together(What.RENAMED, {"step_id": fate.old}, {"step_id": fate.new}, fate.new, told=told)


def _place_of(run: StandingRun) -> Place:
    return Place(run.step_id, Phase(run.phase), run.step_started_at or run.entered_at, run.deadline_at, run.due_at)


def _move_of(one: Moved, now: datetime) -> Move:
    run, place = one.run, one.place
    stands: dict[str, Any] = {"step_id": run.step_id, "step_started_at": run.step_started_at, "due_at": run.due_at}
    if one.what is What.ENDED:
        before = {**stands, "status": "live", "end_kind": None, "end_reason": None, "ended_at": None}
        ended = {"status": "ended", "end_kind": EndKind.COMPLETED.value, "end_reason": "end", "ended_at": now}
        return Move(one.key, one.what, before, {**stands, "due_at": None, **ended})
    before = {**stands, "phase": run.phase, "deadline_at": run.deadline_at}
    after: dict[str, Any] = {
        "step_id": place.step_id,
        "step_started_at": place.started_at,
        "due_at": place.due_at,
        "phase": place.phase.value,
        "deadline_at": place.deadline_at,
    }
    if place.phase is Phase.ARRIVING and one.what in AT_ONCE:
        # Whoever reaches a step now has behind them what has happened.
        before["step_after_event"], after["step_after_event"] = run.step_after_event, run.last_event
    return Move(one.key, one.what, before, after)


def _lines(one: Moved, plan_id: str) -> Iterator[trail.Line]:
    """What `engage explain` tells of it."""
    bucket, run_id = one.key
    detail: dict[str, Any] = {"plan": plan_id, "edit": one.what, "from": one.run.step_id}
    if isinstance(one.fate, Kept) and one.fate.times is not None:
        detail["times"] = [spell_time(time) for time in one.fate.times]
    if one.what is not What.ENDED and one.place.due_at is not None:
        detail["until"] = one.place.due_at.isoformat()
    yield bucket, run_id, one.place.step_id, "moved", detail
    if one.what is What.ENDED:
        yield bucket, run_id, one.run.step_id, "exit", {"kind": EndKind.COMPLETED, "reason": "end"}


@lru_cache(maxsize=256)
def spell_time(time: Time) -> str:
    return format_duration(time) if isinstance(time, timedelta) else spell_wait(time)


# --- what is told of them ---------------------------------------------------------------------------------------


def who(keys: Iterable[RunKey]) -> str:
    """Stands for these very runs; empty for none."""
    told = ",".join(str(run_id) for _, run_id in sorted(keys))
    return hashlib.sha256(told.encode()).hexdigest()[:16] if told else ""


def messages_ahead(program: Program, found: Iterable[Moved]) -> NextMessages:
    """What those get next who go on at once. The control group gets nothing."""
    starts = Counter(_start(program, one) for one in found if one.what in AT_ONCE and not one.run.holdout)
    sure: dict[str, int] = defaultdict(int)
    perhaps, names = 0, set()
    for start, count in starts.items():
        ahead = next_messages(program, start)
        named = sorted(name for name in ahead if name is not None)
        if len(ahead) == 1 and named:
            sure[named[0]] += count
        elif named:
            perhaps += count
            names.update(named)
    return NextMessages(dict(sure), perhaps, tuple(sorted(names)))


def _start(program: Program, one: Moved) -> str | None:
    return after_the_wait(program, one.place.step_id) if one.what is What.PAST else one.place.step_id
