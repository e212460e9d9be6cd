"""How each line of a condition reads for one member: whether it holds, and what is on file.

The same SQL that decides, one column for each line: no second reading of what a condition means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, String, cast, func, literal, null, select

from engage.core import spelling
from engage.core.catalog import Catalog
from engage.core.condition import (
    AnswerValue,
    Compare,
    Condition,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    Not,
    RankValue,
    Subject,
    ValueType,
)
from engage.store import answering
from engage.store.advancing import RunRow, given_runs, of_given_runs, run_context
from engage.store.enrolling import GIVEN_EVENTS, payload
from engage.store.members import MemberRef, given_refs
from engage.store.statements.conditions import VALUE_COLUMN, Scope, aggregate_of, compile_condition, times_of
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.moments import Prepared, once_for_catalog
from engage.store.tables import anniversary, answer, enrolment, member, member_value, tag

_BETWEEN_TAGS = "\x1f"  # no tag has it


class Reading(NamedTuple):
    """One line of a condition. `value`: what is on file, as JSON has it; None if nothing is, or if the line is not
    about one thing (`about` is False)."""

    depth: int
    line: str
    holds: bool
    about: bool = False
    value: Any = None

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"line": self.line, "holds": self.holds}
        if self.depth:
            data["depth"] = self.depth
        return data | {"is": self.value} if self.about else data


class Read(NamedTuple):
    """A whole condition for one member, run or event. Its lines are spelt only for those who ask."""

    holds: bool
    asked: _Asked
    values: Sequence[Any]  # whether each line holds, then what the lines look at

    @property
    def lines(self) -> tuple[Reading, ...]:
        lines, about = self.asked.lines, self.asked.about
        truths, on_file = self.values[: len(lines)], self.values[len(lines) :]
        return tuple(
            Reading(line.depth, line.text, bool(truth), is_about, _as_data(line.condition, value))
            for line, truth, is_about, value in zip(lines, truths, about, on_file, strict=True)
        )

    def as_data(self) -> list[dict[str, Any]]:
        """As it is kept with a decision."""
        return [line.as_data() for line in self.lines]


def reading_of(data: Mapping[str, Any]) -> Reading:
    """As it was written down with a decision."""
    return Reading(data.get("depth", 0), data["line"], data["holds"], "is" in data, data.get("is"))


def of_members(
    connection: Connection, catalog: Catalog, condition: Condition, refs: Sequence[MemberRef], now: datetime
) -> dict[int, Read]:
    """By member id, before they enter anything."""
    return _read(connection, _of_members(catalog, condition), now, given_refs(refs))


def of_events(
    connection: Connection, catalog: Catalog, where: Condition, events: Sequence[tuple[int, int]], now: datetime
) -> dict[int, Read]:
    """By event id: the `where` of a start. Events are (bucket, id)."""
    return _read(connection, _of_events(catalog, where), now, given_keys(events))


def of_the_runs(
    connection: Connection, catalog: Catalog, condition: Condition, runs: Sequence[RunRow], now: datetime
) -> dict[int, Read]:
    """By run id."""
    return _read(connection, _of_the_runs(catalog, condition), now, given_runs(runs))


# --- the queries ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """Each line of a condition, whether it is about one thing, and the query that reads them all: whether the condition
    holds, then each line but one that says all of it, then what the lines look at."""

    lines: tuple[spelling.Line, ...]
    about: tuple[bool, ...]
    in_a_line: bool
    query: Prepared


@once_for_catalog
def _of_members(catalog: Catalog, condition: Condition) -> _Asked:
    return _asked(select(member.c.id).where(in_given_keys(member)), condition, Scope(catalog))


@once_for_catalog
def _of_events(catalog: Catalog, where: Condition) -> _Asked:
    return _asked(GIVEN_EVENTS, where, Scope(catalog, context=payload))


@once_for_catalog
def _of_the_runs(catalog: Catalog, condition: Condition) -> _Asked:
    scope = Scope(catalog, enrolment=enrolment, context=run_context)
    return _asked(of_given_runs(select(enrolment.c.id)), condition, scope)


def _asked(query: Select[Any], condition: Condition, scope: Scope) -> _Asked:
    lines = tuple(spelling.lines(condition))
    about = [_on_file(line.condition, scope) for line in lines]
    in_a_line = [line.condition for line in lines] == [condition]
    asked = [condition] if in_a_line else [condition, *(line.condition for line in lines)]
    columns = [*(compile_condition(c, scope) for c in asked), *(null() if value is None else value for value in about)]
    labelled = [column.label(f"c{number}") for number, column in enumerate(columns)]
    made = scope.prepared(query.add_columns(*labelled))
    return _Asked(lines, tuple(value is not None for value in about), in_a_line, made)


def _read(connection: Connection, asked: _Asked, now: datetime, given: Mapping[str, str]) -> dict[int, Read]:
    after_key = 1 if asked.in_a_line else 2  # a condition of one line is not asked twice
    rows = asked.query.execute(connection, now, **given).all()
    return {row[0]: Read(bool(row[1]), asked, row[after_key:]) for row in rows}


# --- what is on file --------------------------------------------------------------------------------------------


def _on_file(condition: Condition, scope: Scope) -> Any:
    """What a line looks at, as SQL; None for a line that only holds others together."""
    match condition:
        case Not(Compare() | HasTag() | Did() as atom):
            return _on_file(atom, scope)
        case HasTag():
            listed = func.aggregate_strings(tag.c.tag, _BETWEEN_TAGS)
            return select(listed).where(_owned(tag)).scalar_subquery()
        case Did():
            return times_of(condition, scope)
        case Compare(subject, _):
            return _value(subject, scope)
        case _:
            return None


def _owned(table: Any) -> Any:
    return (table.c.bucket == member.c.bucket) & (table.c.member_id == member.c.id)


def _value(subject: Subject, scope: Scope) -> Any:
    match subject:
        case FieldValue(name, type):
            return _field(name, type, scope)
        case RankValue(name):
            return _field(name, ValueType.NUMBER, scope)
        case AnswerValue(step_id, part):
            return _answer(step_id, part, scope)
        case ContextValue(origin, key, _):
            element = scope.context(origin, key) if scope.context is not None else None
            return literal(None, String) if element is None else element.as_string()


def _field(name: str, type: ValueType, scope: Scope) -> Any:
    computed = scope.catalog.fields[name].computed
    if computed is not None:
        return aggregate_of(name, computed, scope.moments).scalar_subquery()
    if type is ValueType.ANNIVERSARY:
        a = anniversary.c
        spelt = a.calendar + " " + cast(a.month, String) + "-" + cast(a.day, String)
        return select(spelt).where(_owned(anniversary), a.field == name).scalar_subquery()
    return select(VALUE_COLUMN[type]).where(_owned(member_value), member_value.c.field == name).scalar_subquery()


def _answer(step_id: str, part: str, scope: Scope) -> Any:
    if scope.enrolment is None:
        return literal(None, String)
    here = (answer.c.bucket == scope.enrolment.c.bucket) & (answer.c.enrolment_id == scope.enrolment.c.id)
    return select(answer.c[part]).where(here, answer.c.step_id == step_id, answering.COUNTS).scalar_subquery()


def _as_data(condition: Condition, value: Any) -> Any:
    """As JSON has it: it is kept with the decision."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case float() if value.is_integer():
            return int(value)
        case str() if isinstance(condition, HasTag | Not):
            return sorted(value.split(_BETWEEN_TAGS)) if _about_tags(condition) else value
        case _:
            return value


def _about_tags(condition: HasTag | Not) -> bool:
    return isinstance(condition, HasTag) or isinstance(condition.part, HasTag)
