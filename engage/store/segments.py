"""Segments: who is in them, kept fresh by what changes and by the passing of time, never by rescanning everybody.

A member is looked at again when something happened to them, or when a date in the segment's condition has just crossed
its threshold; both are index look-ups whose cost does not depend on how many members there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, delete, select, union

from engage.core.catalog import Catalog
from engage.core.condition import (
    Compare,
    Condition,
    Did,
    FieldValue,
    OverAgo,
    ValueType,
    WithinLast,
    WithinNext,
    atoms,
)
from engage.store.conditions import VALUE_COLUMN, Scope, compile_condition
from engage.store.database import upsert
from engage.store.members import MemberRef, in_refs
from engage.store.tables import event, member, member_value, segment_member


@dataclass(frozen=True, slots=True)
class Crossing:
    """A member entered or left a segment."""

    member: MemberRef
    segment: str
    entered: bool


def refresh(connection: Connection, catalog: Catalog, refs: Sequence[MemberRef], now: datetime) -> list[Crossing]:
    """Look at these members again, in every segment, and write down who entered and left."""
    if not refs:
        return []
    crossings = []
    for name, condition in catalog.segments.items():
        crossings += _refresh_one(connection, catalog, name, condition, refs, now)
    return crossings


def settle(connection: Connection, catalog: Catalog, name: str, now: datetime) -> int:
    """Put everybody who belongs into a new segment, without that being news. Returns how many."""
    belongs = compile_condition(catalog.segments[name], Scope(catalog, now))
    inside = [MemberRef(*row) for row in connection.execute(select(member.c.bucket, member.c.id).where(belongs))]
    _put(connection, name, inside, now)
    return len(inside)


def members_of(connection: Connection, name: str) -> list[MemberRef]:
    """Who is in it, as far as it has been looked at."""
    here = segment_member.c.segment == name
    query = select(segment_member.c.bucket, segment_member.c.member_id).where(here)
    return [MemberRef(*row) for row in connection.execute(query.order_by(segment_member.c.member_id))]


def refresh_by_time(connection: Connection, catalog: Catalog, since: datetime, now: datetime) -> list[Crossing]:
    """Members for whom some date in a segment's condition crossed its threshold after `since`, up to `now`."""
    crossings = []
    for name, condition in catalog.segments.items():
        edges = _edges(catalog, condition, since, now)
        if edges:
            refs = sorted(MemberRef(*row) for row in connection.execute(union(*edges)))
            for start in range(0, len(refs), 500):
                crossings += _refresh_one(connection, catalog, name, condition, refs[start : start + 500], now)
    return crossings


def _refresh_one(
    connection: Connection, catalog: Catalog, name: str, condition: Condition, refs: Sequence[MemberRef], now: datetime
) -> list[Crossing]:
    belongs = compile_condition(condition, Scope(catalog, now))
    columns = (member.c.bucket, member.c.id)
    inside = {
        MemberRef(*row) for row in connection.execute(select(*columns).where(in_refs(member, refs, "id"), belongs))
    }
    here = in_refs(segment_member, refs) & (segment_member.c.segment == name)
    known = (segment_member.c.bucket, segment_member.c.member_id)
    before = {MemberRef(*row) for row in connection.execute(select(*known).where(here))}
    entered, left = sorted(inside - before), sorted(before - inside)
    _put(connection, name, entered, now)
    if left:
        gone = in_refs(segment_member, left) & (segment_member.c.segment == name)
        connection.execute(delete(segment_member).where(gone))
    return [Crossing(ref, name, True) for ref in entered] + [Crossing(ref, name, False) for ref in left]


def _put(connection: Connection, name: str, refs: Iterable[MemberRef], now: datetime) -> None:
    rows = [{"bucket": ref.bucket, "member_id": ref.id, "segment": name, "entered_at": now} for ref in refs]
    if rows:
        connection.execute(upsert(segment_member).on_conflict_do_nothing(), rows)


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
        zone = ZoneInfo(catalog.timezone)
        low, high = low.astimezone(zone).date(), high.astimezone(zone).date()
    crossed = (member_value.c.field == subject.name) & column.between(low, high)
    return select(member_value.c.bucket, member_value.c.member_id).where(crossed)


def _events_crossing(names: Sequence[str], shift: timedelta, since: datetime, now: datetime) -> Select[Any]:
    crossed = event.c.name.in_(names) & event.c.at.between(since - shift, now - shift)
    return select(event.c.bucket, event.c.member_id).where(crossed)
