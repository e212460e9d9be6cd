"""Segments: who is in them, kept fresh by what changes and by the passing of time, never by rescanning everybody.

A member is looked at again when something happened to them that the segment's condition looks at, when a date in it has
just crossed its threshold, and when the threshold of a rank has moved past them in the night; all are index look-ups
whose cost depends on what happened and who crosses, not on how many members there are. Only a segment that is new, or
means something else, is settled: by one look at everybody, when it is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, exists, literal, select, union

from engage.core.catalog import Catalog
from engage.core.condition import (
    Compare,
    Condition,
    Did,
    FieldValue,
    OverAgo,
    RankValue,
    ValueType,
    WithinLast,
    WithinNext,
    atoms,
)
from engage.core.dependence import meaning, shares_in, stirring_events
from engage.store import state
from engage.store.databases.database import upsert
from engage.store.members import MemberRef, given_refs
from engage.store.statements.conditions import VALUE_COLUMN, Scope, compile_condition
from engage.store.statements.keys import in_given_keys
from engage.store.statements.moments import Prepared, day_of, once_for_catalog
from engage.store.statements.ranks import Moved, on_another_side
from engage.store.tables import event, member, member_value, segment_member

BATCH = 500  # members looked at in one statement
_SETTLED = "settled_segments"  # what each segment meant when it was last settled


@dataclass(frozen=True, slots=True)
class Crossing:
    """A member entered or left a segment."""

    member: MemberRef
    segment: str
    entered: bool


def refresh(
    connection: Connection, catalog: Catalog, happened: Iterable[tuple[MemberRef, str]], now: datetime
) -> list[Crossing]:
    """Look again at the members to whom these events happened, in the segments that such events can change, and write
    down who entered and left."""
    told = list(happened)
    crossings = []
    for name, condition in catalog.segments.items():
        stirring = stirring_events(condition, catalog)
        refs = sorted({ref for ref, event_name in told if event_name in stirring})
        crossings += _refresh_one(connection, catalog, name, condition, refs, now)
    return crossings


def crossing_by_time(connection: Connection, catalog: Catalog, since: datetime, now: datetime) -> list[Crossing]:
    """Who crosses, of those for whom some date in a segment's condition crossed its threshold after `since`, up to
    `now`. Nothing is written."""
    crossings = []
    for name, condition in catalog.segments.items():
        crossings += _crossing_of(connection, catalog, name, _edges(catalog, condition, since, now), now)
    return crossings


def crossing_by_rank(connection: Connection, catalog: Catalog, moved: Sequence[Moved], now: datetime) -> list[Crossing]:
    """Who crosses, of those on whose other side a threshold is now that a segment's condition asks for. Nothing is
    written."""
    crossings = []
    for name, condition in catalog.segments.items():
        shares = set(shares_in(condition))
        sides = [on_another_side(catalog, each, now) for each in moved if (each.field, each.percent) in shares]
        crossings += _crossing_of(connection, catalog, name, sides, now)
    return crossings


def cross(connection: Connection, catalog: Catalog, found: Iterable[Crossing], now: datetime) -> list[Crossing]:
    """Write down those who were found to cross and, looked at again, still do."""
    refs: dict[str, set[MemberRef]] = {}
    for crossing in found:
        refs.setdefault(crossing.segment, set()).add(crossing.member)
    crossings = []
    for name, condition in catalog.segments.items():
        crossings += _refresh_one(connection, catalog, name, condition, sorted(refs.get(name, ())), now)
    return crossings


# --- at apply ---------------------------------------------------------------------------------------------------


def settle_changed(connection: Connection, catalog: Catalog, now: datetime) -> list[str]:
    """Settle the segments that are new or mean something else than when they were last settled, and forget those that
    are gone. Returns the names of the settled."""
    meant = {name: meaning(condition, catalog) for name, condition in catalog.segments.items()}
    before = state.get(connection, _SETTLED) or {}
    for name in before.keys() - meant.keys():
        connection.execute(delete(segment_member).where(_everywhere(name)))
    changed = sorted(name for name in meant if before.get(name) != meant[name])
    for name in changed:
        settle(connection, catalog, name, now)
    state.put(connection, _SETTLED, meant, now)
    return changed


def settle(connection: Connection, catalog: Catalog, name: str, now: datetime) -> None:
    """Put everybody in who belongs, and everybody else out, without either being news."""
    belongs = compile_condition(catalog.segments[name], Scope(catalog, now=now))
    stays = (member.c.bucket == segment_member.c.bucket) & (member.c.id == segment_member.c.member_id)
    connection.execute(delete(segment_member).where(_everywhere(name), ~exists().where(stays, belongs)))
    columns = (
        segment_member.c.bucket,
        segment_member.c.member_id,
        segment_member.c.segment,
        segment_member.c.entered_at,
    )
    inside = select(member.c.bucket, member.c.id, literal(name), literal(now, segment_member.c.entered_at.type))
    connection.execute(upsert(segment_member).from_select(columns, inside.where(belongs)).on_conflict_do_nothing())


def members_of(connection: Connection, name: str, since: datetime | None = None) -> list[MemberRef]:
    """Who is in it, as far as it has been looked at; with `since`, only who entered then or later."""
    here = segment_member.c.segment == name
    if since is not None:
        here &= segment_member.c.entered_at >= since
    query = select(segment_member.c.bucket, segment_member.c.member_id).where(here)
    return [MemberRef(*row) for row in connection.execute(query.order_by(segment_member.c.member_id))]


def _everywhere(name: str) -> ColumnElement[bool]:
    return (segment_member.c.segment == name) & segment_member.c.bucket.between(0, 255)


# --- looking again ----------------------------------------------------------------------------------------------


def _crossing_of(
    connection: Connection, catalog: Catalog, name: str, those: Sequence[Select[Any]], now: datetime
) -> list[Crossing]:
    """Of whoever one of the queries names as (bucket, member id)."""
    refs = sorted(MemberRef(*row) for row in connection.execute(union(*those))) if those else []
    crossings = []
    for first in range(0, len(refs), BATCH):
        some = refs[first : first + BATCH]
        enter, leave = _looked_at(connection, catalog, name, catalog.segments[name], some, now)
        crossings += _crossings(name, enter, leave)
    return crossings


def _refresh_one(
    connection: Connection, catalog: Catalog, name: str, condition: Condition, refs: Sequence[MemberRef], now: datetime
) -> list[Crossing]:
    enter, leave = _looked_at(connection, catalog, name, condition, refs, now)
    return _crossings(name, _put(connection, name, enter, now), _take_out(connection, name, leave))


def _looked_at(
    connection: Connection, catalog: Catalog, name: str, condition: Condition, refs: Sequence[MemberRef], now: datetime
) -> tuple[list[MemberRef], list[MemberRef]]:
    """Who is to enter, and who to leave."""
    if not refs:
        return [], []
    these = given_refs(refs)
    inside = {MemberRef(*row) for row in _belonging(catalog, condition).execute(connection, now, **these)}
    before = {MemberRef(*row) for row in connection.execute(_INSIDE, these | {"of_segment": name})}
    return sorted(inside - before), sorted(before - inside)


def _crossings(name: str, entered: Iterable[MemberRef], left: Iterable[MemberRef]) -> list[Crossing]:
    return [Crossing(ref, name, True) for ref in entered] + [Crossing(ref, name, False) for ref in left]


@once_for_catalog
def _belonging(catalog: Catalog, condition: Condition) -> Prepared:
    scope = Scope(catalog)
    belongs = compile_condition(condition, scope)
    return scope.prepared(select(member.c.bucket, member.c.id).where(in_given_keys(member), belongs))


# Two processes may look at the same member at the same time. Who writes it down has seen them cross; the other has not.
_OF_ROW = (segment_member.c.bucket, segment_member.c.member_id)
_HERE = in_given_keys(segment_member, "member_id") & (segment_member.c.segment == bindparam("of_segment"))
_INSIDE = select(*_OF_ROW).where(_HERE)
_TAKEN_OUT = delete(segment_member).where(_HERE).returning(*_OF_ROW)


def _put(connection: Connection, name: str, refs: Sequence[MemberRef], now: datetime) -> list[MemberRef]:
    rows = [{"bucket": ref.bucket, "member_id": ref.id, "segment": name, "entered_at": now} for ref in refs]
    if not rows:
        return []
    put = upsert(segment_member).on_conflict_do_nothing().returning(*_OF_ROW)
    return sorted(MemberRef(*row) for row in connection.execute(put, rows))


def _take_out(connection: Connection, name: str, refs: Sequence[MemberRef]) -> list[MemberRef]:
    if not refs:
        return []
    gone = connection.execute(_TAKEN_OUT, given_refs(refs) | {"of_segment": name})
    return sorted(MemberRef(*row) for row in gone)


# --- the passing of time ----------------------------------------------------------------------------------------


def _edges(catalog: Catalog, condition: Condition, since: datetime, now: datetime) -> list[Select[Any]]:
    """For each date in the condition, the members whose date crossed its threshold between the two moments."""
    edges: list[Select[Any]] = []
    for atom in atoms(condition):
        match atom:
            case Compare(subject=FieldValue() as subject, test=test):
                computed = catalog.fields[subject.name].computed
                if computed is None or computed.within is None:
                    edges += [_dates_crossing(catalog, subject, shift, since, now) for shift in _shifts(test)]
                else:
                    edges += _window_edges(computed.events, (computed.within, *_shifts(test)), since, now)
            case Compare(subject=RankValue(name=name)):
                computed = catalog.fields[name].computed
                if computed is not None and computed.within is not None:
                    edges += _window_edges(computed.events, (computed.within,), since, now)
            case Did(event=name, within=timedelta() as within):
                edges += _window_edges((name,), (within,), since, now)
            case _:
                pass
    return edges


def _window_edges(
    names: Sequence[str], shifts: Iterable[timedelta], since: datetime, now: datetime
) -> list[Select[Any]]:
    """Events that left their window or crossed a threshold in it, and those whose moment came: a sender's clock may be
    ahead of ours, and what has not happened yet is in no window."""
    came = _events_crossing(names, timedelta(0), since, now).where(event.c.recorded_at < event.c.at)
    return [came, *(_events_crossing(names, shift, since, now) for shift in shifts)]


def _shifts(test: object) -> tuple[timedelta, ...]:
    """A date matters when it becomes this much older (or, negative, this near)."""
    match test:
        case WithinLast(period):
            return (timedelta(0), period)
        case OverAgo(period):
            return (period,)
        case WithinNext(period):
            return (timedelta(0), -period)
        case _:
            return ()


def _dates_crossing(
    catalog: Catalog, subject: FieldValue, shift: timedelta, since: datetime, now: datetime
) -> Select[Any]:
    column: ColumnElement[Any] = VALUE_COLUMN[subject.type]
    low: Any = since - shift
    high: Any = now - shift
    if subject.type is ValueType.DATE:
        low, high = (day_of(catalog.timezone, moment, -shift) for moment in (since, now))
    crossed = (member_value.c.field == subject.name) & column.between(low, high)
    return select(member_value.c.bucket, member_value.c.member_id).where(crossed)


def _events_crossing(names: Sequence[str], shift: timedelta, since: datetime, now: datetime) -> Select[Any]:
    crossed = event.c.name.in_(names) & event.c.at.between(since - shift, now - shift)
    return select(event.c.bucket, event.c.member_id).where(crossed)
