"""What a new catalog and new journeys are to the members who are there already: computed fields counted from the events
on record, segments entered in silence, and, if that is asked for, journeys entered, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from engage.config import Policy
from engage.content.project import Project
from engage.core.catalog import Catalog
from engage.core.dependence import shares_in
from engage.core.journey.model import Journey, OnSegment
from engage.runtime.applied import Applied
from engage.runtime.enrolling.enrol import BATCH, admit
from engage.runtime.enrolling.holding import Bulk
from engage.store import enrolling, events, segments, state
from engage.store.enrolling import Entrant
from engage.store.members import MemberRef
from engage.store.statements import ranks

_COMPUTED = "computed_fields"


def settle(connection: Connection, catalog: Catalog, running: Mapping[str, Journey], now: datetime) -> None:
    """Whoever is in a segment when it is first applied is there silently: it is no news that starts a journey."""
    _recount_changed_fields(connection, catalog, now)
    ranks.work_out_new(connection, catalog, shares_in((catalog.segments, running)), now)
    segments.settle_changed(connection, catalog, now)
    state.let_time_count(connection, now)


def would_enter(connection: Connection, project: Project, journey: Journey, now: datetime) -> int | None:
    """How many would enter a new journey if everybody in its segment were let in; None if no segment starts it. Nothing
    stays written."""
    if not isinstance(journey.start, OnSegment):
        return None
    tried = connection.begin_nested()
    try:
        settle(connection, project.catalog, project.journeys, now)
        inside = segments.members_of(connection, journey.start.segment)
        admitted = (enrolling.admitted(connection, project.catalog, journey, some, now) for some in _batches(inside))
        return sum(map(len, admitted))
    finally:
        tried.rollback()


def let_in_existing(
    connection: Connection, applied: Applied, journey_ids: Sequence[str], now: datetime, policy: Policy | None
) -> None:
    """Whoever is in the segment that starts a new journey enters it as if they had come into the segment now. With a
    `policy` they may be held back."""
    for active in (applied.journeys[journey_id] for journey_id in journey_ids):
        start = active.journey.start
        if not isinstance(start, OnSegment):
            continue
        context = {"event": {"segment": start.segment}, "var": {}}
        inside = segments.members_of(connection, start.segment)
        bulk = Bulk(policy, f"existing {now:%Y-%m-%d %H:%M} UTC", len(inside)) if policy is not None else None
        for some in _batches(inside):
            entrants = [Entrant(ref, "existing", context) for ref in some]
            admit(connection, applied, active, entrants, now, bulk)


def _batches(refs: Sequence[MemberRef]) -> Iterator[Sequence[MemberRef]]:
    return (refs[first : first + BATCH] for first in range(0, len(refs), BATCH))


def _recount_changed_fields(connection: Connection, catalog: Catalog, now: datetime) -> None:
    """A computed field that is new, or counts something else than before, is counted from the events on record."""
    known = state.get(connection, _COMPUTED) or {}
    meant = {name: repr(field.computed) for name, field in catalog.fields.items() if field.computed is not None}
    for name in sorted(name for name, computed in meant.items() if known.get(name) != computed):
        events.recount(connection, catalog, name)
    state.put(connection, _COMPUTED, meant, now)
