"""Starts by the calendar (`date:`, `every:`): whom the slots that have come bring to a journey's door.

A slot is worked on once for each zone, by whoever takes it. After a downtime those that are not too old are made up for
(`catch_up`). Who has moved to a zone whose slot had passed there already, and whose old zone had not had it yet, is
brought in the same way: a move is a downtime of one. Who had it in the old zone is at the door a second time with the
same occurrence, and is let in once. An edit may put a slot that is still to come to a time of that day that has passed:
it is owed, and comes at the next look.

A slot may bring a hundred thousand. They are found without holding anybody up, and come to the door a batch at a time,
in the order of their ids, each batch in a transaction of its own that says how far it came; the last one takes the
slot. Should a daemon die in between, another one goes on from there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from engage.core import anniversary, schedule
from engage.core.anniversary import Anniversary, Calendar
from engage.core.catalog import Catalog
from engage.core.journey.model import Journey, OnDate, OnSchedule
from engage.core.quiet import zone_of
from engage.core.schedule import Slot
from engage.core.timing import DaySet
from engage.core.workdays import WorkCalendar
from engage.errors import DatabaseUnavailable
from engage.runtime.applied import Active, Applied
from engage.runtime.quarantine import REST
from engage.store import enrolling, members, state
from engage.store.databases.database import part_of
from engage.store.enrolling import Entrant, Zone
from engage.store.state import Owed, OwedStart

# A move is told in a transaction of its own, which may end after we have looked.
_TOLD_LATE = timedelta(minutes=5)
_SOON = 10 * REST  # a fault or two in its midst cuts no start off
_MOST_ALONE = 1000  # to whom starts are owed alone: they are written down together
_REMEMBERED = timedelta(days=30)  # of a start in whose midst its journey went
BATCH = 1000
log = structlog.get_logger("engage.enrol")


@dataclass(frozen=True, slots=True)
class Brought:
    """Whom a slot brings to a journey's door, in the order of their ids; `job` and `slot`: its names in `job_slot`.
    `start`: what is owed as long as they were not at the door; `to_all`: they are all of the zone, not only those who
    have moved there. `due_at`: the slot's moment. `assumed`: the year of which nobody has told yet which days are
    worked, if the slot depends on that."""

    job: str
    slot: str
    start: OwedStart
    to_all: bool
    due_at: datetime
    entrants: Sequence[Entrant]
    assumed: int | None

    @property
    def journey_id(self) -> str:
        return self.start.journey_id

    @property
    def to_one(self) -> bool:
        """Over whom the code has failed before."""
        return self.start.member_id is not None

    @property
    def owed(self) -> Owed:
        return {self.start} if self.to_all or self.to_one else {self.to(entrant.member.id) for entrant in self.entrants}

    def to(self, member_id: int) -> OwedStart:
        """The same, to one alone."""
        return self.start._replace(member_id=member_id, since=self.due_at.isoformat())

    def after(self, member_id: int, most: int) -> Sequence[Entrant]:
        first = bisect_right(self.entrants, member_id, key=lambda entrant: entrant.member.id)
        return self.entrants[first : first + most]


@dataclass(frozen=True, slots=True)
class Comer:
    """One whom a slot brings; `entrant`: None for a slot that brings nobody."""

    brought: Brought
    entrant: Entrant | None

    @property
    def id(self) -> int:
        """The member's."""
        return self.entrant.member.id if self.entrant is not None else 0


@dataclass(frozen=True, slots=True)
class Coming:
    """Whom the slots between two moments bring, as found at one look. `mark`: of what was applied then; `alone`: what
    was owed to single ones then, of which `later` comes at another look, and `too_late` not at all; `faults`: over
    which not all could be found."""

    mark: str
    seen: datetime | None
    until: datetime
    brought: Sequence[Brought]
    alone: Owed
    later: Owed
    too_late: Owed
    faults: Sequence[Exception]

    def is_outdated(self, connection: Connection, applied: Applied) -> bool:
        """Whether something else is applied since, or somebody else has let all of them in."""
        return applied.mark != self.mark or state.moment(connection, state.STARTS_SEEN) != self.seen

    def batch(self, connection: Connection, besides: Collection[Hashable]) -> list[Comer]:
        """Slot by slot, the next who have not been at the door; `besides`: of other kinds than these."""
        comers: list[Comer] = []
        for brought in self.brought:
            left = BATCH - len(comers)
            wanted = left > 0 and brought.journey_id not in besides and brought.start not in besides
            if wanted and not state.slot_is_taken(connection, brought.job, brought.slot):
                some = brought.after(_came_to(connection, brought), left)
                comers += [Comer(brought, entrant) for entrant in some] or [Comer(brought, None)]
        return comers

    def owed(self, connection: Connection) -> Owed:
        """What was not at the door; and what has come to be owed to single ones since this look. All that was owed, if
        not all could be found."""
        before = state.starts_owed(connection)
        left = set(self.later)
        for brought in self.brought:
            if not state.slot_is_taken(connection, brought.job, brought.slot):
                left |= brought.owed
        return left | ((before - self.too_late) if self.faults else (_alone(before) - self.alone))

    def still_comes(self, connection: Connection, comer: Comer) -> bool:
        """Whether nobody has let them in meanwhile."""
        brought = comer.brought
        is_next = comer.entrant is None or comer.id > _came_to(connection, brought)
        return is_next and not state.slot_is_taken(connection, brought.job, brought.slot)


class _Begun(NamedTuple):
    """A slot that comes in by batches. `member`: the id of the last who was at the door; `since`: when the first of
    them were, `at`: when those were."""

    job: str
    slot: str
    member: int
    since: datetime
    at: datetime


def _begun(connection: Connection) -> dict[tuple[str, str], _Begun]:
    return {
        (job, slot): _Begun(job, slot, member, datetime.fromisoformat(since), datetime.fromisoformat(at))
        for job, slot, member, since, at in state.get(connection, state.STARTS_BEGUN) or ()
    }


def _put_begun(connection: Connection, begun: Iterable[_Begun], now: datetime) -> None:
    lately = [each for each in begun if each.at > now - _REMEMBERED]
    told = [[*each[:3], each.since.isoformat(), each.at.isoformat()] for each in lately]
    state.put(connection, state.STARTS_BEGUN, told, now)


def _came_to(connection: Connection, brought: Brought) -> int:
    begun = _begun(connection).get((brought.job, brought.slot))
    return begun.member if begun is not None else 0


def _alone(owed: Owed) -> Owed:
    return {start for start in owed if start.member_id is not None}


def owe_alone(connection: Connection, comer: Comer, now: datetime) -> OwedStart | None:
    """They are brought again later; whoever has let them in meanwhile asks nobody twice. None: of too many."""
    owed, brought = state.starts_owed(connection), comer.brought
    start = brought.start if brought.to_one else brought.to(comer.id)
    if start not in owed:
        if len(_alone(owed)) >= _MOST_ALONE:
            return None
        state.put_starts_owed(connection, {*owed, start}, now)
    return start


def _of_one(start: OwedStart) -> str:
    """Its name in `job_slot`."""
    return f"{start.slot} {start.zone_name or 'default'} for {start.member_id}"


def _job(journey_id: str) -> str:
    return f"start:{journey_id}"


def note_came_in(connection: Connection, brought: Brought, some: Sequence[Entrant], now: datetime) -> None:
    """They were at the door. The slot is taken with the last of them."""
    begun, slot = _begun(connection), (brought.job, brought.slot)
    before = begun.pop(slot, None)
    if some and some[-1] is not brought.entrants[-1]:
        since = before.since if before is not None else now
        _put_begun(connection, [*begun.values(), _Begun(*slot, some[-1].member.id, since, now)], now)
        return
    if before is not None:
        _put_begun(connection, begun.values(), now)
    state.take_slot(connection, *slot, now)
    year = brought.assumed
    if year is not None and state.take_slot(connection, "workdays assumed", str(year), now):
        log.warning("workdays_assumed", year=year)


def note_owed(
    connection: Connection,
    edits: Sequence[tuple[Journey, Journey]],
    catalog: Catalog,
    work: WorkCalendar,
    now: datetime,
) -> None:
    """Slots that these edits, each (before, after), have overtaken are looked at once more."""
    seen = state.moment(connection, state.STARTS_SEEN)
    starts = [
        (new.id, old.start, new.start)
        for old, new in edits
        if isinstance(old.start, OnDate | OnSchedule) and isinstance(new.start, OnDate | OnSchedule)
    ]
    if seen is None or not starts:
        return
    owed = set(state.starts_owed(connection))
    for name in members.timezones(connection):
        zone = zone_of(name, catalog.timezone)
        for journey_id, before, after in starts:
            slot = schedule.overtaken(before, after, seen, zone, work)
            if slot is not None:
                owed.add(OwedStart(journey_id, name, slot.key))
    state.put_starts_owed(connection, owed, now)


@dataclass(frozen=True, slots=True)
class _OfSlot:
    """A slot of a journey; `name`: in `job_slot`; `owed`: what is owed until it was at the door."""

    active: Active
    start: OnDate | OnSchedule
    slot: Slot
    name: str
    owed: OwedStart


@dataclass(frozen=True, slots=True)
class Calendars:
    """The zones members live in, the calendar they work by, how far the slots have been looked at, which are owed since
    before, and what is `resting`: journeys, and what is owed to single ones."""

    connection: Connection
    applied: Applied
    work: WorkCalendar
    zone_names: Sequence[str | None]
    seen: datetime
    owed: Owed
    resting: Set[Hashable]
    now: datetime

    def next_start(self) -> datetime | None:
        """The first slot of any journey in any zone after what has been seen. What is owed comes now; if it rests, when
        it has rested."""
        slots = [slot for active, start in self._starting() for slot in self._next_slots(active, start)]
        rests = (start.journey_id in self.resting or start in self.resting for start in self.owed)
        return min([*slots, *(self.now + REST if it_rests else self.now for it_rests in rests)], default=None)

    def _starting(self) -> list[tuple[Active, OnDate | OnSchedule]]:
        """Journeys that start by the calendar."""
        starting = (active for active in self.applied.journeys.values() if active.starts)
        return [(a, a.journey.start) for a in starting if isinstance(a.journey.start, OnDate | OnSchedule)]

    def _next_slots(self, active: Active, start: OnDate | OnSchedule) -> list[datetime]:
        """In each zone. If its dates fail, now: the look at them tells."""
        zones = [zone_of(name, self.applied.catalog.timezone) for name in self.zone_names]
        try:
            return [schedule.next_slot(start, self.seen, zone, self.work).at for zone in zones]
        except Exception:
            log.exception("next_start_not_known", journey=active.journey.id)
            return [self.now]

    def coming(self, mark: str, seen: datetime | None) -> Coming:
        """Journey by journey: one over which this fails keeps no other one waiting. Those to whom it is owed alone come
        last."""
        alone = _alone(self.owed)
        left = {
            each for each in alone if not state.slot_is_taken(self.connection, _job(each.journey_id), _of_one(each))
        }
        too_late = self._too_late(left)
        brought: list[Brought] = []
        faults: list[Exception] = []
        for active, start in self._starting():
            try:
                with part_of(self.connection):
                    brought += self._brought(active, start, left - too_late - self.resting)
            except DatabaseUnavailable:
                raise
            except Exception as error:
                log.exception("starts_not_found", journey=active.journey.id)
                faults.append(error)
        brought.sort(key=attrgetter("to_one"))
        later = left - too_late - {each.start for each in brought}
        return Coming(mark, seen, self.now, brought, alone, later, too_late, faults)

    def _too_late(self, alone: Owed) -> Owed:
        """Not before its time has passed: an edit may put it to a later one."""
        catch_up = {active.journey.id: start.catch_up for active, start in self._starting()}
        return {
            each
            for each in alone
            if each.journey_id not in catch_up
            or (each.since and datetime.fromisoformat(each.since) <= self.now - catch_up[each.journey_id])
        }

    def _brought(self, active: Active, start: OnDate | OnSchedule, alone: Owed) -> Iterator[Brought]:
        """Slot by slot, the members it brings."""
        oldest = max(active.since, self.now - start.catch_up)
        lately = max(active.since, self.now - max(start.catch_up, _SOON))
        job = _job(active.journey.id)
        begun = [each for each in _begun(self.connection).values() if each.job == job and each.at > lately]
        earliest = max(active.since, min([self.now, *(each.since for each in begun)]) - start.catch_up)
        in_midst = {each.slot for each in begun}  # as if they had come when somebody last saw to them
        for name in self.zone_names:
            for slot in self._slots(start, earliest, self.now, name):
                owed = OwedStart(active.journey.id, name, slot.key)
                named = f"{slot.key} {name or 'default'}"
                of_slot = _OfSlot(active, start, slot, named, owed)
                if named in in_midst or (slot.at > oldest and (slot.at > self.seen or owed in self.owed)):
                    yield from self._of_slot(of_slot, Zone(name))
                if slot.at > oldest:
                    yield from self._of_single_ones(of_slot, Zone(name), alone)
        moved_since = self.seen - _TOLD_LATE
        for name in members.zones_moved_to(self.connection, moved_since):
            for slot in self._slots(start, oldest, self.seen, name):
                owed = OwedStart(active.journey.id, name, slot.key)
                moved = f"{slot.key} moved to {name} by {self.now:%Y-%m-%d %H:%M:%S.%f}"
                yield from self._of_slot(_OfSlot(active, start, slot, moved, owed), Zone(name, moved_since))

    def _slots(self, start: OnDate | OnSchedule, after: datetime, until: datetime, name: str | None) -> list[Slot]:
        zone = zone_of(name, self.applied.catalog.timezone)
        return schedule.slots_between(start, after, until, zone, self.work)

    def _of_slot(self, of_slot: _OfSlot, zone: Zone) -> Iterator[Brought]:
        """Nobody, if it was taken."""
        if not state.slot_is_taken(self.connection, _job(of_slot.active.journey.id), of_slot.name):
            yield self._brought_by(of_slot, zone.moved_since is None, self._entrants(of_slot, zone))

    def _of_single_ones(self, of_slot: _OfSlot, zone: Zone, alone: Owed) -> Iterator[Brought]:
        """Each to whom it is owed alone. (Who has left the zone since comes with those who have moved.)"""
        mine = sorted(start for start in alone if start[:3] == of_slot.owed[:3])
        if mine:
            by_id = {entrant.member.id: [entrant] for entrant in self._entrants(of_slot, zone)}
            for start in mine:
                found = by_id.get(start.member_id or 0, [])
                yield self._brought_by(replace(of_slot, name=_of_one(start), owed=start), False, found)

    def _brought_by(self, of_slot: _OfSlot, to_all: bool, entrants: Sequence[Entrant]) -> Brought:
        assumed, job = self._assumed(of_slot.start, of_slot.slot), _job(of_slot.active.journey.id)
        return Brought(job, of_slot.name, of_slot.owed, to_all, of_slot.slot.at, entrants, assumed)

    def _assumed(self, start: OnDate | OnSchedule, slot: Slot) -> int | None:
        by_workdays = isinstance(start, OnSchedule) and start.days in (DaySet.WORKDAY, DaySet.WEEKEND)
        is_assumed = by_workdays and self.work.is_provisional(slot.local_date)
        return slot.local_date.year if is_assumed else None

    def _entrants(self, of_slot: _OfSlot, zone: Zone) -> list[Entrant]:
        start, slot = of_slot.start, of_slot.slot
        if isinstance(start, OnDate):
            return _celebrants(self.connection, start, slot, zone)
        everyone = enrolling.everyone(self.connection, self.applied.catalog, of_slot.active.journey, zone, self.now)
        context: dict[str, Any] = {"event": {}, "var": {}}
        return [Entrant(ref, f"slot:{slot.key}", context, due_at=slot.at) for ref in everyone]


def _celebrants(connection: Connection, start: OnDate, slot: Slot, zone: Zone) -> list[Entrant]:
    matches = schedule.celebrations(start, slot.local_date)
    dates = [(m.calendar.value, m.month, m.day, m.leap, m.cycle_year) for m in matches]
    lunar_text = anniversary.lunar_text(schedule.celebrated_date(start, slot.local_date))
    entrants = []
    for celebrant in sorted(enrolling.celebrants(connection, start, dates, zone), key=lambda each: each.member.id):
        told: dict[str, Any] = {"calendar": celebrant.calendar, "lunar_text": lunar_text}
        born = Anniversary(Calendar(celebrant.calendar), celebrant.month, celebrant.day, celebrant.leap, celebrant.year)
        age = anniversary.age_on(born, celebrant.cycle_year)
        if age is not None:
            told["age"] = age
        occurrence = f"{celebrant.calendar}:{celebrant.cycle_year}"
        context = {"event": told, "var": {}}
        entrants.append(Entrant(celebrant.member, occurrence, context, due_at=slot.at))
    return entrants
