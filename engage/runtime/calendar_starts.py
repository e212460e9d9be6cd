"""Starts by the calendar (`date:`, `every:`): whom the slots that have come bring to a journey's door.

A slot is worked on once for each zone, by whoever takes it. After a downtime those that are not too old are made up for
(`catch_up`). Who has moved to a zone whose slot had passed there already, and whose old zone had not had it yet, is
brought in the same way: a move is a downtime of one. Who had it in the old zone is at the door a second time with the
same occurrence, and is let in once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from engage.core import anniversary, schedule
from engage.core.anniversary import Anniversary, Calendar
from engage.core.journey.model import OnDate, OnSchedule
from engage.core.quiet import zone_of
from engage.core.schedule import Slot
from engage.core.timing import DaySet
from engage.core.workdays import WorkCalendar
from engage.runtime.applied import Active, Applied
from engage.store import enrolling, members, state
from engage.store.enrolling import Entrant, Zone

# A move is told in a transaction of its own, which may end after we have looked.
_TOLD_LATE = timedelta(minutes=5)
log = structlog.get_logger("engage.enrol")


@dataclass(frozen=True, slots=True)
class Calendars:
    """The zones members live in, the calendar they work by, and how far the slots have been looked at."""

    connection: Connection
    applied: Applied
    work: WorkCalendar
    zone_names: Sequence[str | None]
    seen: datetime
    now: datetime

    def next_start(self) -> datetime | None:
        """The first slot of any journey in any zone after what has been seen."""
        slots = (
            schedule.next_slot(start, self.seen, zone_of(zone_name, self.applied.catalog.timezone), self.work).at
            for zone_name in self.zone_names
            for active in self.applied.journeys.values()
            if isinstance(start := active.journey.start, OnDate | OnSchedule) and not active.draining
        )
        return min(slots, default=None)

    def brought(self, active: Active) -> Iterator[list[Entrant]]:
        """Slot by slot, the members it brings; none for a journey that does not start by the calendar."""
        start = active.journey.start
        if not isinstance(start, OnDate | OnSchedule):
            return
        oldest = max(active.since, self.now - start.catch_up)
        for name in self.zone_names:
            for slot in self._slots(start, max(self.seen, oldest), self.now, name):
                if self._takes(active, f"{slot.key} {name or 'default'}"):
                    self._tell_if_assumed(start, slot)
                    yield self._entrants(active, start, slot, Zone(name))
        moved_since = self.seen - _TOLD_LATE
        for name in members.zones_moved_to(self.connection, moved_since):
            if self._takes(active, f"moved to {name} by {self.seen.isoformat()}"):
                for slot in self._slots(start, oldest, self.seen, name):
                    yield self._entrants(active, start, slot, Zone(name, moved_since))

    def _slots(self, start: OnDate | OnSchedule, after: datetime, until: datetime, name: str | None) -> list[Slot]:
        zone = zone_of(name, self.applied.catalog.timezone)
        return schedule.slots_between(start, after, until, zone, self.work)

    def _takes(self, active: Active, slot: str) -> bool:
        return state.take_slot(self.connection, f"start:{active.journey.id}", slot, self.now)

    def _tell_if_assumed(self, start: OnDate | OnSchedule, slot: Slot) -> None:
        """Once for each year: whoever looks after the calendar needs no reminder every morning."""
        by_workdays = isinstance(start, OnSchedule) and start.days in (DaySet.WORKDAY, DaySet.WEEKEND)
        if not by_workdays or not self.work.is_provisional(slot.local_date):
            return
        year = slot.local_date.year
        if state.take_slot(self.connection, "workdays assumed", str(year), self.now):
            log.warning("workdays_assumed", year=year)

    def _entrants(self, active: Active, start: OnDate | OnSchedule, slot: Slot, zone: Zone) -> list[Entrant]:
        if isinstance(start, OnDate):
            return _celebrants(self.connection, start, slot, zone)
        everyone = enrolling.everyone(self.connection, self.applied.catalog, active.journey, zone, self.now)
        context: dict[str, Any] = {"event": {}, "var": {}}
        return [Entrant(ref, f"slot:{slot.key}", context, due_at=slot.at) for ref in everyone]


def _celebrants(connection: Connection, start: OnDate, slot: Slot, zone: Zone) -> list[Entrant]:
    matches = schedule.celebrations(start, slot.local_date)
    dates = [(m.calendar.value, m.month, m.day, m.leap, m.cycle_year) for m in matches]
    lunar_text = anniversary.lunar_text(schedule.celebrated_date(start, slot.local_date))
    entrants = []
    for celebrant in enrolling.celebrants(connection, start, dates, zone):
        told: dict[str, Any] = {"calendar": celebrant.calendar, "lunar_text": lunar_text}
        born = Anniversary(Calendar(celebrant.calendar), celebrant.month, celebrant.day, celebrant.leap, celebrant.year)
        age = anniversary.age_on(born, celebrant.cycle_year)
        if age is not None:
            told["age"] = age
        occurrence = f"{celebrant.calendar}:{celebrant.cycle_year}"
        context = {"event": told, "var": {}}
        entrants.append(Entrant(celebrant.member, occurrence, context, due_at=slot.at))
    return entrants
