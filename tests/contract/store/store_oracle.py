"""A plain Python reading of what conditions mean (journey-language §2, §11, §13), for the SQL to be held against.

Nothing here is shared with the store: a person is a bag of facts, and each kind of line is read as its sentence says.
Spans of time are half open: `last 3d` is later than three days ago and not later than now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any as Anything
from typing import assert_never
from zoneinfo import ZoneInfo

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
    Known,
    Not,
    OneOf,
    OverAgo,
    Subject,
    Test,
    Unknown,
    ValueType,
    WithinLast,
    WithinNext,
)


@dataclass
class Happening:
    name: str
    at: datetime
    payload: Mapping[str, Anything] = field(default_factory=dict)
    in_run: bool = False  # recorded after the run began
    of_run: bool = False  # and a response to the run's own message


@dataclass
class Person:
    values: dict[str, Anything] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    happened: list[Happening] = field(default_factory=list)
    answers: dict[str, dict[str, Anything]] = field(default_factory=dict)  # by step id; only where there is a run
    event: Mapping[str, Anything] = field(default_factory=dict)
    var: Mapping[str, Anything] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Reads conditions about people. `in_run`: there is a run whose answers and start can be looked at."""

    catalog: Catalog
    now: datetime
    in_run: bool = False

    def holds(self, condition: Condition, person: Person) -> bool:
        match condition:
            case All(parts):
                return all(self.holds(part, person) for part in parts)
            case Any(parts):
                return any(self.holds(part, person) for part in parts)
            case Not(part):
                return not self.holds(part, person)
            case InSegment(_, part):
                return self.holds(part, person)
            case HasTag(tags):
                return any(tag in person.tags for tag in tags)
            case Did():
                return self._did(condition, person)
            case Compare(subject, test):
                value, type = self._value(subject, person)
                missing = value is None
                return missing if isinstance(test, Unknown) else not missing and self._fits(value, type, test)
            case _:
                assert_never(condition)

    def _did(self, did: Did, person: Person) -> bool:
        times = 0
        for each in person.happened:
            recent = did.within is None or self.now - did.within < each.at <= self.now
            begun = each.in_run or not (self.in_run and did.since_start)
            mine = (each.in_run and each.of_run) or not (self.in_run and self.catalog.is_response(did.event))
            times += each.name == did.event and recent and begun and mine
        return did.at_least <= times and (did.at_most is None or times <= did.at_most)

    # --- values -------------------------------------------------------------------------------------------------

    def _value(self, subject: Subject, person: Person) -> tuple[Anything, ValueType]:
        match subject:
            case FieldValue(name, type):
                computed = self.catalog.fields[name].computed
                value = person.values.get(name) if computed is None else self._aggregate(computed, person.happened)
                return value, type
            case AnswerValue(step_id, part):
                type = ValueType.NUMBER if part == "score" else ValueType.TEXT
                return person.answers.get(step_id, {}).get(part) if self.in_run else None, type
            case ContextValue(origin, key, type):
                value = (person.event if origin == "event" else person.var).get(key) if self.in_run else None
                return _from_json(value, type), type
            case _:
                assert_never(subject)

    def _aggregate(self, computed: Computed, happened: Iterable[Happening]) -> Anything:
        """A count or sum of nothing is 0; the first or last of nothing is missing."""
        counted = [each for each in happened if each.name in computed.events]
        if computed.within is not None:
            counted = [each for each in counted if self.now - computed.within < each.at <= self.now]
        match computed.aggregate:
            case Aggregate.COUNT:
                return len(counted)
            case Aggregate.SUM:
                return sum(_number(each.payload.get(computed.key or "")) or 0 for each in counted)
            case Aggregate.FIRST:
                return min((each.at for each in counted), default=None)
            case Aggregate.LAST:
                return max((each.at for each in counted), default=None)
            case _:
                assert_never(computed.aggregate)

    # --- tests --------------------------------------------------------------------------------------------------

    def _fits(self, value: Anything, type: ValueType, test: Test) -> bool:
        match test:
            case Known():
                return True
            case OneOf(values):
                return (Decimal(str(value)) if type is ValueType.NUMBER else value) in values
            case Contains(text):
                return text.lower() in value.lower()
            case Between(low, high):
                number = Decimal(str(value))
                return (low is None or low <= number) and (high is None or number <= high)
            case WithinLast(period):
                return bool(self._moment(type, -period) < value <= self._moment(type))
            case OverAgo(period):
                return bool(value <= self._moment(type, -period))
            case WithinNext(period):
                return bool(self._moment(type) <= value < self._moment(type, period))
            case Unknown():
                return False
            case _:
                assert_never(test)

    def _moment(self, type: ValueType, shift: timedelta = timedelta(0)) -> Anything:
        """Dates are the business's own calendar days."""
        moment = self.now + shift
        return moment if type is ValueType.INSTANT else moment.astimezone(ZoneInfo(self.catalog.timezone)).date()


def _from_json(value: Anything, type: ValueType) -> Anything:
    match type:
        case ValueType.NUMBER:
            return _number(value)
        case ValueType.DATE:
            return date.fromisoformat(value) if value is not None else None
        case _:
            return value


def _number(value: Anything) -> float | None:
    """JSON numbers, and words that are one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
