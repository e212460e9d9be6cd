"""Where an index knows who can meet a condition at all: the few members from whom a query over all of them can start.

PostgreSQL finds that by itself. SQLite never turns an EXISTS around: it would ask every member whether they live in
Shanghai, where the index has a list of those who do.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any as Anything

from sqlalchemy import Select, and_, select, union

from engage.core.condition import (
    All,
    Any,
    Between,
    Compare,
    Condition,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    InShare,
    OneOf,
    RankValue,
    Test,
    ValueType,
    WithinLast,
    WithinNext,
)
from engage.store.statements.conditions import VALUE_COLUMN, Scope, comparison, in_share
from engage.store.tables import event, member_value, tag


class _Breadth(IntEnum):
    """How many one expects to be left, the fewest first. Guessed from the kind of line: nobody counts beforehand. Lines
    that hold for many (`known`, `over 90d ago`, an event without a period) are no start: a walk is quicker."""

    ONE_VALUE = 1
    TAG = 2
    PERIOD = 3
    RANGE = 4


@dataclass(frozen=True, slots=True)
class _Start:
    breadth: _Breadth
    members: Select[Anything]  # (bucket, member_id), each once


def candidates(condition: Condition, scope: Scope) -> Select[Anything] | None:
    """(bucket, member_id) of all who can meet the condition, and perhaps of others. None: it may be anybody."""
    start = _start(condition, scope)
    return start.members if start is not None else None


def _start(condition: Condition, scope: Scope) -> _Start | None:
    match condition:
        case All(parts):
            starts = [start for part in parts if (start := _start(part, scope)) is not None]
            return min(starts, key=lambda start: start.breadth, default=None)
        case Any(parts):
            return _of_any([_start(part, scope) for part in parts])
        case InSegment(_, part):
            return _start(part, scope)
        case HasTag(tags):
            having = select(tag.c.bucket, tag.c.member_id).where(tag.c.tag.in_(tags))
            return _Start(_Breadth.TAG, having.distinct())
        case Did():
            return _of_events(condition, scope)
        case Compare(subject=FieldValue() as subject, test=test):
            return _of_values(subject, test, scope)
        case Compare(subject=RankValue(name=name), test=InShare() as test) if _is_kept(name, scope):
            share = in_share(name, test, member_value.c.number_value)
            return _Start(_Breadth.RANGE, _having(name).where(share))
        case _:
            return None


def _of_any(starts: list[_Start | None]) -> _Start | None:
    known = [start for start in starts if start is not None]
    if not known or len(known) < len(starts):
        return None
    together = union(*(start.members for start in known)).subquery()
    return _Start(max(start.breadth for start in known), select(together.c.bucket, together.c.member_id))


def _of_events(did: Did, scope: Scope) -> _Start | None:
    if did.at_least < 1 or did.within is None:
        return None
    lately = and_(event.c.at > scope.moments.instant(-did.within), event.c.at <= scope.moments.instant())
    happened = select(event.c.bucket, event.c.member_id).where(event.c.name == did.event, lately)
    return _Start(_Breadth.PERIOD, happened.distinct())


def _of_values(subject: FieldValue, test: Test, scope: Scope) -> _Start | None:
    if (
        not _is_kept(subject.name, scope)
        or subject.type is ValueType.BOOLEAN
        or _holds_for_nothing(subject, test, scope)
    ):
        return None
    breadth = _breadth(test)
    if breadth is None:
        return None
    fits = comparison(VALUE_COLUMN[subject.type], subject.type, test, scope)
    return _Start(breadth, _having(subject.name).where(fits))


def _breadth(test: Test) -> _Breadth | None:
    match test:
        case OneOf():
            return _Breadth.ONE_VALUE
        case WithinLast() | WithinNext():
            return _Breadth.PERIOD
        case Between():
            return _Breadth.RANGE
        case _:
            return None


def _holds_for_nothing(subject: FieldValue, test: Test, scope: Scope) -> bool:
    """Whether it can hold for members who have no row: a count or a sum of nothing is 0."""
    if subject.type is not ValueType.NUMBER or scope.catalog.fields[subject.name].computed is None:
        return False
    match test:
        case OneOf(values):
            return Decimal(0) in values
        case Between(low, high):
            return (low is None or low <= 0) and (high is None or high >= 0)
        case _:
            return False


def _is_kept(name: str, scope: Scope) -> bool:
    """On file in `member_value`; what has a window is counted when it is read."""
    computed = scope.catalog.fields[name].computed
    return computed is None or computed.within is None


def _having(name: str) -> Select[Anything]:
    return select(member_value.c.bucket, member_value.c.member_id).where(member_value.c.field == name)
