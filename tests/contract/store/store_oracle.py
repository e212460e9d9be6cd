"""A plain Python reading of what conditions mean (docs/journeys.md, “Conditions”), for the SQL to be held against.

Nothing here is shared with the store: a person is a bag of facts, and each kind of line is read as its sentence says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    InShare,
    Known,
    Not,
    OneOf,
    OverAgo,
    RankValue,
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
    """Reads conditions about people. `in_run`: there is a run whose answers and start can be looked at. `everybody`:
    among whom ranks were worked out, at this very moment."""

    catalog: Catalog
    now: datetime
    in_run: bool = False
    everybody: Sequence[Person] = ()

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
            case Compare(RankValue(name), test):
                return self._stands(name, test, person)
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

    def _stands(self, field: str, test: Test, person: Person) -> bool:
        """In the top `p` percent are those of whom fewer than `p` percent of all ranked have more."""
        value = self._ranked(field, person)
        if isinstance(test, Unknown) or value is None:
            return isinstance(test, Unknown) and value is None
        others = [other for each in self.everybody if (other := self._ranked(field, each)) is not None]
        better = sum(other > value for other in others)
        match test:
            case InShare(above, to):
                beyond = above is None or better * 100 >= above * len(others)
                return beyond and (to is None or better * 100 < to * len(others))
            case _:
                return True

    def _ranked(self, field: str, person: Person) -> float | None:
        """Ranked is who has a value on file, or anything that was counted."""
        computed = self.catalog.fields[field].computed
        if computed is None:
            return person.values.get(field)
        counted = self._counted(computed, person.happened)
        return self._aggregate(computed, person.happened) if counted else None

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
            case RankValue():
                raise AssertionError("a rank is no value")
            case _:
                assert_never(subject)

    def _counted(self, computed: Computed, happened: Iterable[Happening]) -> list[Happening]:
        counted = [each for each in happened if each.name in computed.events]
        if computed.within is not None:
            counted = [each for each in counted if self.now - computed.within < each.at <= self.now]
        return counted

    def _aggregate(self, computed: Computed, happened: Iterable[Happening]) -> Anything:
        """A count or sum of nothing is 0; the first or last of nothing is missing."""
        counted = self._counted(computed, happened)
        match computed.aggregate:
            case Aggregate.COUNT:
                return len(counted)
            case Aggregate.SUM:
                amounts = [_number(each.payload.get(computed.key or "")) for each in counted]
                return sum((Decimal(str(amount)) for amount in amounts if amount is not None), Decimal(0))
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
                return _small(text) in _small(value)
            case Between(low, high):
                number = Decimal(str(value))
                return (low is None or low <= number) and (high is None or number <= high)
            case WithinLast() | OverAgo() | WithinNext() if type is ValueType.DATE:
                return self._fits_day(value, test)
            case WithinLast(period):
                return bool(self.now - period < value <= self.now)
            case OverAgo(period):
                return bool(value <= self.now - period)
            case WithinNext(period):
                return bool(self.now <= value < self.now + period)
            case Unknown() | InShare():
                return False
            case _:
                assert_never(test)

    def _fits_day(self, day: date, test: WithinLast | OverAgo | WithinNext) -> bool:
        """Days are leaves of the business's own calendar, however many hours each has: with `30d` the 30th leaf before
        today's is over 30 days ago. With hours, `1d12h`, today is what it was, or will be, so many hours from now."""
        days, hours = test.period // timedelta(days=1), test.period % timedelta(days=1)
        today = self._today(self.now)
        match test:
            case WithinLast():
                return (self._today(self.now - hours) - day).days < days and day <= today
            case OverAgo():
                return (self._today(self.now - hours) - day).days >= days
            case WithinNext():
                return today <= day and (day - self._today(self.now + hours)).days < days

    def _today(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.catalog.timezone)).date()


def _from_json(value: Anything, type: ValueType) -> Anything:
    """A value that is not of the type asked for is missing."""
    match type:
        case ValueType.NUMBER:
            return _number(value)
        case ValueType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case ValueType.DATE:
            is_day = isinstance(value, str) and [len(part) for part in value.split("-")] == [4, 2, 2]
            return date.fromisoformat(value) if is_day else None
        case _:
            return value if isinstance(value, str) else None


def _number(value: Anything) -> float | None:
    """JSON numbers, and text of plain digits with a point: no exponent, no separator, no leading zero, below 10^16."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _is_plain(value):
        return None
    number = float(value)
    return number if abs(number) < 1e16 else None


def _is_plain(text: str) -> bool:
    whole, point, part = text.removeprefix("-").partition(".")
    digits = [whole, part] if point else [whole]
    return all(each.isascii() and each.isdecimal() for each in digits) and (whole == "0" or not whole.startswith("0"))


def _small(text: str) -> str:
    return "".join(char.lower() if "A" <= char <= "Z" else char for char in text)
