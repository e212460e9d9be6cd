"""Ranks: what it takes to be among the top percent of all who have a value in a number field.

Worked out at night for the shares that something applied asks for, so that a condition is a comparison with a stored
number and can use the index of the field. The member's own value follows the events, as everywhere; only what it is
held against is of last night. Ties share the better rank: somebody is in the top `p` percent if fewer than `p` percent
of those ranked have more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, tuple_

from engage.core.catalog import Catalog
from engage.store.statements.conditions import in_window, value_of_events
from engage.store.statements.moments import Moments
from engage.store.statements.rows import put_rows
from engage.store.tables import event, member_value, rank_threshold

Share = tuple[str, int]
"""(field, percent): the top `percent` of those who have a value in the field."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least value in the top `percent`; None where nobody has one."""

    field: str
    percent: int
    value: float | None
    ranked: int  # how many members had a value
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """A threshold is another one than before: whoever stands between the two is on the other side now."""

    field: str
    percent: int
    before: float | None
    after: float | None


def work_out(connection: Connection, catalog: Catalog, shares: Iterable[Share], now: datetime) -> list[Threshold]:
    """Of these shares. Nothing is written: it takes as long as reading all who are ranked."""
    by_field: dict[str, list[int]] = {}
    for field, percent in sorted(set(shares)):
        by_field.setdefault(field, []).append(percent)
    return [t for field, percents in by_field.items() for t in _of_field(connection, catalog, field, percents, now)]


def replace(connection: Connection, found: Sequence[Threshold]) -> list[Moved]:
    """These are the thresholds from now on, and no others. Says which have moved."""
    before = {(t.field, t.percent): t.value for t in thresholds(connection)}
    gone = sorted(before.keys() - {(t.field, t.percent) for t in found})
    if gone:
        of_gone = tuple_(rank_threshold.c.field, rank_threshold.c.percent).in_(gone)
        connection.execute(delete(rank_threshold).where(of_gone))
    _put(connection, found)
    known = [t for t in found if (t.field, t.percent) in before]
    moved = [Moved(t.field, t.percent, before[t.field, t.percent], t.value) for t in known]
    return [each for each in moved if each.before != each.after]


def work_out_new(connection: Connection, catalog: Catalog, shares: Iterable[Share], now: datetime) -> None:
    """For what has just been applied: those that were never asked for do not wait for the night."""
    known = {(t.field, t.percent) for t in thresholds(connection)}
    _put(connection, work_out(connection, catalog, set(shares) - known, now))


def thresholds(connection: Connection) -> list[Threshold]:
    return [Threshold(**row) for row in connection.execute(_THRESHOLDS).mappings()]


_THRESHOLDS = select(rank_threshold).order_by(rank_threshold.c.field, rank_threshold.c.percent)


def on_another_side(catalog: Catalog, moved: Moved, now: datetime) -> Select[Any]:
    """(bucket, member id) of those whom a moved threshold has changed: all who are ranked, where there was none."""
    owner, value, query = _ranked(catalog, moved.field, now)
    between = []
    if moved.before is not None and moved.after is not None:
        low, high = sorted((moved.before, moved.after))
        between = [value >= low, value < high]
    columns = query.with_only_columns(owner.c.bucket, owner.c.member_id)
    return columns.where(*between) if owner is member_value else columns.having(*between)


def _put(connection: Connection, found: Iterable[Threshold]) -> None:
    put_rows(connection, rank_threshold, [asdict(threshold) for threshold in found])


def _of_field(
    connection: Connection, catalog: Catalog, field: str, percents: list[int], now: datetime
) -> list[Threshold]:
    _, value, query = _ranked(catalog, field, now)
    values = query.with_only_columns(value.label("value")).subquery()
    ranked = connection.scalar(select(func.count()).select_from(values)) or 0
    last_of = {percent: -(-percent * ranked // 100) for percent in percents}  # the place of the last one in the share
    place = func.row_number().over(order_by=values.c.value.desc())
    placed = select(values.c.value, place.label("place")).subquery()
    wanted = select(placed.c.place, placed.c.value).where(placed.c.place.in_(sorted(set(last_of.values()))))
    at_place = {row.place: row.value for row in connection.execute(wanted)}
    return [Threshold(field, percent, at_place.get(last), ranked, now) for percent, last in last_of.items()]


def _ranked(catalog: Catalog, field: str, now: datetime) -> tuple[Any, Any, Select[Any]]:
    """Where the values of a number field are, and the query over those who have one."""
    computed = catalog.fields[field].computed
    if computed is None or computed.within is None:
        value = member_value.c.number_value
        return member_value, value, select(member_value).where(member_value.c.field == field, value.is_not(None))
    moments = Moments(catalog.timezone, now)
    counted = select(event.c.bucket).where(in_window(computed, moments)).group_by(event.c.bucket, event.c.member_id)
    return event, value_of_events(computed), counted
