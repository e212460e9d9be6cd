"""The condition tree → SQL. One meaning for every tool: daemon, tests, simulation and plan all ask the database.

Each atom is a boolean that is never NULL: missing data is simply false, so that `Not` is the plain opposite of what
stands under it. Only `Unknown` holds for what is not on file. A count or sum of nothing is 0, not missing. An EXISTS is
never NULL whatever is compared inside it, and bare comparisons there can use an index; all others are made so.

What the sentences mean to an author is in docs/journeys.md, “Conditions”.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any as Anything
from typing import assert_never

from sqlalchemy import (
    ColumnElement,
    Double,
    Numeric,
    Select,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from engage.core.catalog import Aggregate, Catalog, Computed
from engage.core.condition import (
    All,
    AnswerValue,
    Any,
    Between,
    Compare,
    Condition,
    Contains,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    InShare,
    Known,
    Not,
    OneOf,
    OverAgo,
    RankValue,
    Test,
    Unknown,
    ValueType,
    WithinLast,
    WithinNext,
)
from engage.store import answering
from engage.store.databases.dialects import contains, day_in, flag_in, number_in, text_in
from engage.store.statements.moments import Moments, Prepared
from engage.store.tables import anniversary, answer, event, member, member_value, rank_threshold, tag

Predicate = ColumnElement[bool]
# Where a value of each type is kept in `member_value`.
VALUE_COLUMN = {
    ValueType.TEXT: member_value.c.text_value,
    ValueType.NUMBER: member_value.c.number_value,
    ValueType.BOOLEAN: member_value.c.flag_value,
    ValueType.DATE: member_value.c.day_value,
    ValueType.INSTANT: member_value.c.at_value,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition may look at besides the member.

    `enrolment` is the enrolment table (or None before entry); `context` finds `event.x` and `var.x` as a JSON element,
    or None where there can be no such thing. `now` is for a statement that is made for one moment; one that is made
    once, and `prepared`, is told its moments whenever it is executed.
    """

    catalog: Catalog
    enrolment: Anything | None = None
    context: Callable[[str, str], Anything] | None = None
    now: InitVar[datetime | None] = None
    moments: Moments = field(init=False)

    def __post_init__(self, now: datetime | None) -> None:
        object.__setattr__(self, "moments", Moments(self.catalog.timezone, now))

    def prepared(self, statement: Anything) -> Prepared:
        """A statement with conditions that were compiled in this scope."""
        return Prepared(statement, self.moments)


def compile_condition(condition: Condition, scope: Scope) -> Predicate:
    """A predicate over `member` (and `enrolment`, if in scope) that is true or false, never NULL."""
    match condition:
        case All(parts):
            return and_(true(), *(compile_condition(part, scope) for part in parts))
        case Any(parts):
            return or_(false(), *(compile_condition(part, scope) for part in parts))
        case Not(part):
            return not_(compile_condition(part, scope))
        case InSegment(_, part):
            return compile_condition(part, scope)
        case HasTag(tags):
            return exists().where(_owned(tag), tag.c.tag.in_(tags))
        case Did():
            return _did(condition, scope)
        case Compare(subject=FieldValue() as subject, test=test):
            return _field(subject, test, scope)
        case Compare(subject=AnswerValue() as subject, test=test):
            return _answer(subject, test, scope)
        case Compare(subject=ContextValue() as subject, test=test):
            return _context(subject, test, scope)
        case Compare(subject=RankValue() as subject, test=test):
            return _rank(subject, test, scope)
        case _:
            raise AssertionError(condition)


# --- subjects ---------------------------------------------------------------------------------------------------


def _owned(table: Anything) -> Predicate:
    return and_(table.c.bucket == member.c.bucket, table.c.member_id == member.c.id)


def _field(subject: FieldValue, test: Test, scope: Scope) -> Predicate:
    computed = scope.catalog.fields[subject.name].computed
    if computed is not None and (computed.within or _is_total(computed)):
        return _compare(
            aggregate_of(subject.name, computed, scope.moments).scalar_subquery(), subject.type, test, scope
        )
    if subject.type is ValueType.ANNIVERSARY:
        on_file = exists().where(_owned(anniversary), anniversary.c.field == subject.name)
        return not_(on_file) if isinstance(test, Unknown) else on_file
    here = and_(_owned(member_value), member_value.c.field == subject.name)
    if isinstance(test, Unknown):
        return not_(exists().where(here))
    return exists().where(here, comparison(VALUE_COLUMN[subject.type], subject.type, test, scope))


def _is_total(computed: Computed) -> bool:
    return computed.aggregate in (Aggregate.COUNT, Aggregate.SUM)


def aggregate_of(name: str, computed: Computed, moments: Moments) -> Select[Anything]:
    """A computed field's value for the member in the outer query: kept in `member_value`, or read from the events of
    its window."""
    if computed.within is None:
        column = VALUE_COLUMN[ValueType.NUMBER if _is_total(computed) else ValueType.INSTANT]
        kept = and_(_owned(member_value), member_value.c.field == name)
        # At most one row; `max` makes a row of none, so that nothing on file is 0. (A subquery inside another would not
        # be tied to the outer query's member.)
        value = func.coalesce(func.max(column), 0) if column is member_value.c.number_value else column
        return select(value).where(kept)
    return _of_events(value_of_events(computed), and_(_owned(event), in_window(computed, moments)))


def in_window(computed: Computed, moments: Moments) -> Predicate:
    """The events that a computed field with a window counts: later than its beginning, not later than now."""
    within = [event.c.at > moments.instant(-computed.within)] if computed.within is not None else []
    return and_(event.c.name.in_(computed.events), *within, event.c.at <= moments.instant())


def value_of_events(computed: Computed) -> ColumnElement[Anything]:
    """What a computed field makes of the events it counts."""
    match computed.aggregate:
        case Aggregate.COUNT:
            return func.count()
        case Aggregate.SUM:
            return to_the_cent(func.coalesce(func.sum(number_in(event.c.payload[computed.key])), 0))
        case Aggregate.FIRST:
            return func.min(event.c.at)
        case Aggregate.LAST:
            return func.max(event.c.at)
        case _:
            assert_never(computed.aggregate)


def to_the_cent(amount: Anything) -> ColumnElement[Anything]:
    """A sum as its digits say: 0.1 + 0.2 is 0.3. Amounts are kept to four decimals, as `core.coerce.added` does."""
    return cast(func.round(cast(amount, Numeric), 4), Double)


def _of_events(value: Anything, where: Predicate) -> Select[Anything]:
    """Looks at events of its own, also inside a query that looks at an event already."""
    return select(value).select_from(event).where(where).correlate_except(event)


def _answer(subject: AnswerValue, test: Test, scope: Scope) -> Predicate:
    if scope.enrolment is None:
        return true() if isinstance(test, Unknown) else false()
    column, kind = {
        "score": (answer.c.score, ValueType.NUMBER),
        "choice": (answer.c.choice, ValueType.TEXT),
        "comment": (answer.c.comment, ValueType.TEXT),
    }[subject.part]
    given = and_(
        answer.c.bucket == scope.enrolment.c.bucket,
        answer.c.enrolment_id == scope.enrolment.c.id,
        answer.c.step_id == subject.step_id,
        column.is_not(None),
        answering.COUNTS,
    )
    if isinstance(test, Unknown):
        return not_(exists().where(given))
    return exists().where(given, comparison(column, kind, test, scope))


def _context(subject: ContextValue, test: Test, scope: Scope) -> Predicate:
    element = scope.context(subject.origin, subject.key) if scope.context is not None else None
    if element is None:
        return true() if isinstance(test, Unknown) else false()
    return _compare(_typed(element, subject.type), subject.type, test, scope)


def _typed(element: Anything, kind: ValueType) -> ColumnElement[Anything]:
    match kind:
        case ValueType.NUMBER:
            return number_in(element)
        case ValueType.BOOLEAN:
            return flag_in(element)
        case ValueType.DATE:
            return day_in(element)
        case _:
            return text_in(element)


def _rank(subject: RankValue, test: Test, scope: Scope) -> Predicate:
    """Members who have a value are ranked; it is held against what last night was the least of the share."""
    computed = scope.catalog.fields[subject.name].computed
    fits = partial(in_share, subject.name, test)
    if computed is None or computed.within is None:
        here = and_(_owned(member_value), member_value.c.field == subject.name)
        if isinstance(test, Unknown):
            return not_(exists().where(here))
        return exists().where(here, fits(member_value.c.number_value))
    counted = and_(_owned(event), in_window(computed, scope.moments))
    if isinstance(test, Unknown | Known):
        any_counted = exists().where(counted).correlate_except(event)
        return not_(any_counted) if isinstance(test, Unknown) else any_counted
    value = case((func.count() > 0, value_of_events(computed)))
    held: Predicate = func.coalesce(fits(_of_events(value, counted).scalar_subquery()), false())
    return held


def in_share(field: str, test: Test, value: Anything) -> Anything:
    """Bare SQL as well: NULL where the value is, or where nobody has been ranked yet."""
    if not isinstance(test, InShare):
        return value.is_not(None)
    better = value < _threshold(field, test.above) if test.above is not None else true()
    return and_(better, value >= _threshold(field, test.to) if test.to is not None else true())


def _threshold(field: str, percent: int) -> Anything:
    of_share = (rank_threshold.c.field == field) & (rank_threshold.c.percent == percent)
    return select(rank_threshold.c.value).where(of_share).correlate(None).scalar_subquery()


def _did(atom: Did, scope: Scope) -> Predicate:
    if atom.at_least == 1 and atom.at_most is None:
        return exists().where(_happened(atom, scope)).correlate_except(event)
    times = times_of(atom, scope)
    high = times <= atom.at_most if atom.at_most is not None else true()
    return and_(times >= atom.at_least, high)


def times_of(atom: Did, scope: Scope) -> Anything:
    """How often it happened, as the condition counts it."""
    return _of_events(func.count(), _happened(atom, scope)).scalar_subquery()


def _happened(atom: Did, scope: Scope) -> Predicate:
    happened = [_owned(event), event.c.name == atom.event]
    if atom.within is not None:
        happened += [event.c.at > scope.moments.instant(-atom.within), event.c.at <= scope.moments.instant()]
    if scope.enrolment is not None:
        if atom.since_start:
            happened.append(event.c.number > scope.enrolment.c.after_event)
        if scope.catalog.is_response(atom.event):
            happened.append(event.c.enrolment_id == scope.enrolment.c.id)
    return and_(*happened)


# --- tests ------------------------------------------------------------------------------------------------------


def _compare(value: Anything, kind: ValueType, test: Test, scope: Scope) -> Predicate:
    compared: Predicate = func.coalesce(comparison(value, kind, test, scope), false())
    return compared


def comparison(value: Anything, kind: ValueType, test: Test, scope: Scope) -> Anything:
    """The test of a value as bare SQL: an index can serve it, and it may be NULL where the value is."""

    def moment(shift: timedelta = timedelta(0)) -> Anything:
        """An instant, or for calendar days the business's own date."""
        return scope.moments.day(shift, value.type) if kind is ValueType.DATE else scope.moments.instant(shift)

    match test:
        case OneOf(values):
            return value.in_([_plain(v) for v in values])
        case Contains(text):
            return contains(value, text)
        case Between(low, high):
            return and_(
                value >= _plain(low) if low is not None else value.is_not(None),
                value <= _plain(high) if high is not None else true(),
            )
        case Known():
            return value.is_not(None)
        case Unknown():
            return value.is_(None)
        case WithinLast(period):
            return and_(value > moment(-period), value <= moment())
        case OverAgo(period):
            return value <= moment(-period)
        case WithinNext(period):
            return and_(value >= moment(), value < moment(period))
        case InShare():
            raise AssertionError("a share is tested of a rank only")
        case _:
            assert_never(test)


def _plain(value: Anything) -> Anything:
    """Numbers as the database keeps them: double precision, exact for amounts in cents up to 90 trillion."""
    return float(value) if isinstance(value, Decimal) else value
