"""Queries of the enrol loop: who is admitted, who is woken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, exists, false, func, not_, or_, select, true, update

from engage.core.catalog import Catalog
from engage.core.condition import Condition
from engage.core.journey.model import Journey, OnDate, Reentry
from engage.core.turn import EndKind
from engage.store import trail
from engage.store.members import MemberRef, given_refs, last_events
from engage.store.statements.candidates import candidates
from engage.store.statements.conditions import Predicate, Scope, compile_condition
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.moments import Prepared, once_for_catalog
from engage.store.statements.rows import add_rows
from engage.store.tables import Instant, anniversary, enrolment, event, member

# Of one member, for one `per` value. No honest journey comes near; two that enrol into each other would for ever.
MOST_ENTRIES_A_DAY = 20

_OF_MEMBER = (enrolment.c.bucket == member.c.bucket) & (enrolment.c.member_id == member.c.id)


@dataclass(frozen=True, slots=True)
class Entrant:
    """Someone a start has brought. The occurrence makes the same start offered twice one run; `due_at` is when it was
    to begin, however late a daemon that was down comes to it."""

    member: MemberRef
    occurrence: str
    context: Mapping[str, Any]  # {"event": {…}, "var": {…}}
    after_event: int | None = None  # the number of the event that brought them; None: all on record is behind them
    per_value: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """Of a member whose start is held back: in which hold and stage."""

    hold_id: int
    stage: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The members of a time zone; None: those who live by the business's. `moved_since`: only who came to it since."""

    name: str | None
    moved_since: datetime | None = None

    @property
    def kind(self) -> ZoneKind:
        """Zones of a kind have a statement in common, which is executed with what they are `told` apart by."""
        return self.name is not None, self.moved_since is not None

    @property
    def told(self) -> dict[str, Any]:
        return {"of_zone": self.name, "moved_since": self.moved_since}


ZoneKind = tuple[bool, bool]
"""Whether it has a name, and whether only who moved there is meant."""


# --- who a start brings -----------------------------------------------------------------------------------------


def events_where(
    connection: Connection,
    catalog: Catalog,
    events: Sequence[tuple[int, int]],
    where: Condition | None,
    now: datetime,
) -> set[int]:
    """The ids of those of these events, given as (bucket, id), whose payload (and member) match."""
    if where is None:
        return {event_id for _, event_id in events}
    return set(_events_where(catalog, where).execute(connection, now, **given_keys(events)).scalars())


@once_for_catalog
def _events_where(catalog: Catalog, where: Condition) -> Prepared:
    scope = Scope(catalog, context=payload)
    return scope.prepared(GIVEN_EVENTS.where(compile_condition(where, scope)))


# The ids of the events it is told, with their members beside them.
GIVEN_EVENTS = (
    select(event.c.id)
    .join(member, (member.c.bucket == event.c.bucket) & (member.c.id == event.c.member_id))
    .where(in_given_keys(event))
)


def payload(origin: str, key: str) -> Any:
    return event.c.payload[key] if origin == "event" else None  # nothing was passed to anybody yet


def _in_zone(kind: ZoneKind) -> Predicate:
    named, moved = kind
    here = member.c.timezone == bindparam("of_zone") if named else member.c.timezone.is_(None)
    return here & (member.c.timezone_at >= bindparam("moved_since", type_=Instant())) if moved else here


def everyone(connection: Connection, catalog: Catalog, journey: Journey, zone: Zone, now: datetime) -> list[MemberRef]:
    """All members of a zone whom the audience lets in and re-entry does not bar. For `every` starts, which have no
    other source of members; most of whom they would bring have been here not long ago."""
    query = _everyone(catalog, journey.audience, journey.exclude, journey.reentry, zone.kind)
    return [MemberRef(*row) for row in query.execute(connection, now, of_journey=journey.id, **zone.told)]


@once_for_catalog
def _everyone(
    catalog: Catalog, audience: Condition | None, exclude: Condition | None, reentry: Reentry, kind: ZoneKind
) -> Prepared:
    scope = Scope(catalog)
    few = candidates(audience, scope) if audience is not None else None
    query = select(member.c.bucket, member.c.id)
    if few is not None:
        start = few.subquery()
        query = query.join(start, (member.c.bucket == start.c.bucket) & (member.c.id == start.c.member_id))
    let_in = _admission(audience, exclude, scope)
    barred = exists().where(_OF_MEMBER, enrolment.c.journey_id == bindparam("of_journey"), _bars(reentry, scope))
    # Most are barred, and that is the cheapest to ask; SQLite asks in the order written.
    return scope.prepared(query.where(_in_zone(kind), ~barred, let_in).order_by(member.c.id))


def _bars(reentry: Reentry, scope: Scope) -> Predicate:
    """A run that keeps its member from entering once more; `barred_by_reentry` says why."""
    if reentry.never:
        return _WAS_NOT_TURNED_AWAY
    barring = enrolment.c.status != "ended"
    if reentry.after:
        barring = or_(barring, enrolment.c.entered_at > scope.moments.instant(-reentry.after))
    return and_(_WAS_NOT_TURNED_AWAY, barring)


# Who waits to be let in bars the door to themselves; who was not let in has been in no journey.
_WAS_NOT_TURNED_AWAY = enrolment.c.end_kind.is_distinct_from(EndKind.NEVER_BEGAN)


@dataclass(frozen=True, slots=True)
class Celebrant:
    """A member whose date it is, as it is stored."""

    member: MemberRef
    calendar: str
    month: int
    day: int
    leap: bool
    year: int | None  # of birth, if known
    cycle_year: int


def celebrants(
    connection: Connection, start: OnDate, dates: Iterable[tuple[str, int, int, bool, int]], zone: Zone
) -> list[Celebrant]:
    """Members of a zone whose date is one of `dates`: (calendar, month, day, leap, cycle year), found by index."""
    found = []
    for calendar, month, day, leap, cycle_year in dates:
        date = {"of_field": start.field, "calendar": calendar, "month": month, "day": day, "leap": leap}
        rows = connection.execute(_celebrants(zone.kind), date | zone.told)
        found += [Celebrant(MemberRef(b, i), calendar, month, day, leap, year, cycle_year) for b, i, year in rows]
    return found


@cache
def _celebrants(kind: ZoneKind) -> Any:
    a = anniversary.c
    on_date = and_(
        a.field == bindparam("of_field"),
        a.calendar == bindparam("calendar"),
        a.month == bindparam("month"),
        a.day == bindparam("day"),
        a.leap == bindparam("leap"),
    )
    joined = (member.c.bucket == a.bucket) & (member.c.id == a.member_id)
    query = select(a.bucket, a.member_id, a.year).join(member, joined)
    return query.where(on_date, _in_zone(kind)).order_by(a.member_id)


# --- who may come in --------------------------------------------------------------------------------------------


def _admission(audience: Condition | None, exclude: Condition | None, scope: Scope) -> Predicate:
    """Audience and not exclude, over `member`."""
    wanted = compile_condition(audience, scope) if audience is not None else true()
    unwanted = compile_condition(exclude, scope) if exclude is not None else false()
    return and_(wanted, not_(unwanted))


def admitted(
    connection: Connection, catalog: Catalog, journey: Journey, refs: Sequence[MemberRef], now: datetime
) -> set[int]:
    """Of these members, the ids of those whom audience and exclude let in."""
    if journey.audience is None and journey.exclude is None:
        return {ref.id for ref in refs}
    query = _admitted(catalog, journey.audience, journey.exclude)
    return set(query.execute(connection, now, **given_refs(refs)).scalars())


@once_for_catalog
def _admitted(catalog: Catalog, audience: Condition | None, exclude: Condition | None) -> Prepared:
    scope = Scope(catalog)
    let_in = _admission(audience, exclude, scope)
    return scope.prepared(select(member.c.id).where(in_given_keys(member), let_in))


def barred_by_reentry(
    connection: Connection, journey: Journey, refs: Sequence[MemberRef], now: datetime
) -> dict[tuple[int, str], str]:
    """Why not, by (member id, `per` value): one live run each, and the journey's re-entry rule counted from entry. Who
    was held back and never let in has not entered.

    A yearly date brings each cycle year once by its occurrence; there only the live run is in the way.
    """
    barred: dict[tuple[int, str], str] = {}
    given = given_refs(refs) | {"of_journey": journey.id, "since": now - timedelta(days=1)}
    for member_id, per_value, status, entered_at, of_a_day in connection.execute(_LAST_ENTERED, given):
        why = "already in this journey" if status != "ended" else _too_soon(journey, entered_at, now)
        if of_a_day >= MOST_ENTRIES_A_DAY:
            why = "has entered this journey too often today: journeys may be bringing members to each other in circles"
        if why is not None:
            barred[member_id, per_value] = why
    return barred


_E = enrolment.c
_HERE = in_given_keys(enrolment, "member_id") & (_E.journey_id == bindparam("of_journey"))
_SINCE = bindparam("since", type_=Instant())
_LAST_ENTERED = (
    select(_E.member_id, _E.per_value, _E.status, func.max(_E.entered_at), func.count().filter(_E.entered_at > _SINCE))
    .where(_HERE, _WAS_NOT_TURNED_AWAY)
    .group_by(_E.member_id, _E.per_value, _E.status)
)


def _too_soon(journey: Journey, entered_at: datetime, now: datetime) -> str | None:
    if isinstance(journey.start, OnDate) and journey.reentry == Reentry(never=True):
        return None
    if journey.reentry.never:
        return "has been in this journey, and it takes nobody twice"
    after = journey.reentry.after  # zero bars nobody, whatever the clock showed when they entered
    too_soon = after and entered_at > now - after
    return "was in this journey too recently" if too_soon else None


def already_offered(connection: Connection, journey_id: str, entrants: Sequence[Entrant]) -> set[tuple[int, str]]:
    """(member id, occurrence) of runs that exist: the same start, offered again."""
    wanted = {"of_journey": journey_id, "occurrences": sorted({e.occurrence for e in entrants})}
    rows = connection.execute(_OFFERED, given_refs(e.member for e in entrants) | wanted)
    return {(member_id, occurrence) for member_id, occurrence in rows}


_OFFERED = select(_E.member_id, _E.occurrence).where(_HERE, _E.occurrence.in_(bindparam("occurrences", expanding=True)))


# --- entering ---------------------------------------------------------------------------------------------------


def enter(
    connection: Connection,
    journey: Journey,
    version: int,
    first_step: str | None,
    entrants: Sequence[tuple[Entrant, bool]],
    now: datetime,
    waits: Mapping[int, Waits] | None = None,
) -> list[int]:
    """New runs, each (entrant, held out?), standing before the first step. Returns their ids. `waits`: of members whose
    start is held back."""
    if not entrants:
        return []
    waits = waits or {}
    ids = list(take_ids(connection, "enrolment", len(entrants)))
    of_all = {"journey_id": journey.id, "version": version, "step_id": first_step}
    on_record = last_events(connection, {e.member for e, _ in entrants if e.after_event is None})
    rows = [
        _new_run(entrant, on_record, now)
        | of_all
        | {"id": enrolment_id, "holdout": held_out}
        | _held(waits.get(entrant.member.id))
        for (entrant, held_out), enrolment_id in zip(entrants, ids, strict=True)
    ]
    add_rows(connection, enrolment, rows)
    lines = [
        _first_line(e.member.bucket, i, out, waits.get(e.member.id)) for (e, out), i in zip(entrants, ids, strict=True)
    ]
    trail.note(connection, lines, now)
    return ids


def _held(waits: Waits | None) -> dict[str, Any]:
    """What differs from a run that begins at once."""
    if waits is None:
        return {"hold_id": None, "hold_stage": None}
    return {"hold_id": waits.hold_id, "hold_stage": waits.stage, "status": "held", "due_at": None}


def _first_line(bucket: int, run: int, held_out: bool, waits: Waits | None) -> trail.Line:
    detail: dict[str, Any] = {"holdout": True} if held_out else {}
    if waits is not None:
        detail |= {"hold": f"hold-{waits.hold_id}"}
        return (bucket, run, None, "held", detail)
    return (bucket, run, None, "enter", detail)


def _new_run(entrant: Entrant, on_record: Mapping[int, int], now: datetime) -> dict[str, Any]:
    after_event = on_record[entrant.member.id] if entrant.after_event is None else entrant.after_event
    return {
        "bucket": entrant.member.bucket,
        "member_id": entrant.member.id,
        "occurrence": entrant.occurrence,
        "per_value": entrant.per_value,
        "status": "live",
        "entered_at": now,
        "context": dict(entrant.context),
        "after_event": after_event,
        "step_started_at": now,
        "step_after_event": after_event,
        "phase": "arriving",
        "due_at": entrant.due_at or now,
    }


def wake(connection: Connection, pairs: Iterable[tuple[MemberRef, frozenset[str]]], now: datetime) -> None:
    """Let these members' live runs in these journeys be looked at now: something they may be waiting for happened. Also
    those that are due as it is: ADVANCE may have one in hand and have looked already, and is about to put it to sleep.
    Then this waits for it, and wakes it again."""
    by_journeys: dict[frozenset[str], list[MemberRef]] = {}
    for ref, journeys in pairs:
        by_journeys.setdefault(journeys, []).append(ref)
    for journeys, refs in by_journeys.items():
        connection.execute(_WOKEN, given_refs(refs) | {"of_journeys": sorted(journeys), "now": now})


_NOW = bindparam("now", type_=Instant())
_WOKEN = (
    update(enrolment)
    .where(
        in_given_keys(enrolment, "member_id"),
        _E.status == "live",
        _E.journey_id.in_(bindparam("of_journeys", expanding=True)),
    )
    .values(due_at=case((_E.due_at < _NOW, _E.due_at), else_=_NOW))
)
