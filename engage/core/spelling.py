"""A condition in the words of the journey language again, line by line, for people who ask what it asks.

What is written here reads back as the same condition. Nothing is decided: whether a line holds, the database says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from engage.core.catalog import RANK
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
    WithinLast,
    WithinNext,
)
from engage.core.duration import format_duration


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a condition, and how deep it stands. `condition`: what this line asks, all that is under it
    included."""

    depth: int
    text: str
    condition: Condition


def lines(condition: Condition, depth: int = 0) -> Iterator[Line]:
    """Top to bottom, as an author would write it. What all must hold has no line of its own."""
    match condition:
        case All(parts):
            for part in parts:
                yield from lines(part, depth)
        case Any(parts):
            yield Line(depth, "any:", condition)
            for part in parts:
                yield from lines(part, depth + 1)
        case Not(Compare() | HasTag() | Did() as atom):
            yield Line(depth, f"not: {{ {spell(atom)} }}", condition)
        case Not(part):
            yield Line(depth, "not:", condition)
            yield from lines(part, depth + 1)
        case InSegment(name, part):
            yield Line(depth, f"segment: {name}", condition)
            yield from lines(part, depth + 1)
        case Compare() | HasTag() | Did():
            yield Line(depth, spell(condition), condition)
        case _:
            assert_never(condition)


def spell(atom: Compare | HasTag | Did) -> str:
    """`orders: 2..`"""
    match atom:
        case Compare(subject, test):
            return f"{_subject(subject)}: {_test(test)}"
        case HasTag(tags):
            return f"tag: {_listed(tags)}"
        case Did():
            return f"did: {_did(atom)}"
        case _:
            assert_never(atom)


def _subject(subject: Subject) -> str:
    match subject:
        case FieldValue(name, _):
            return name
        case RankValue(name):
            return f"{name}{RANK}"
        case AnswerValue(step_id, part):
            return f"{step_id}.{part}"
        case ContextValue(origin, key, _):
            return f"{origin}.{key}"
        case _:
            assert_never(subject)


def _test(test: Test) -> str:
    match test:
        case OneOf(values):
            return _listed([_value(value) for value in values])
        case Contains(text):
            return f"contains {text}"
        case Between(low, high):
            return _range("" if low is None else _value(low), "" if high is None else _value(high))
        case InShare(above, to):
            return _range("" if above is None else f"{above}%", "" if to is None else f"{to}%")
        case Known():
            return "known"
        case Unknown():
            return "unknown"
        case WithinLast(period):
            return f"last {format_duration(period)}"
        case OverAgo(period):
            return f"over {format_duration(period)} ago"
        case WithinNext(period):
            return f"next {format_duration(period)}"
        case _:
            assert_never(test)


def _did(atom: Did) -> str:
    options = []
    if (atom.at_least, atom.at_most) != (1, None):
        options.append(f"times: {_times(atom.at_least, atom.at_most)}")
    if atom.within is not None:
        options.append(f"within: {format_duration(atom.within)}")
    if atom.since_start:
        options.append("since: start")
    return f"{{ {atom.event}: {{ {', '.join(options)} }} }}" if options else atom.event


def _times(low: int, high: int | None) -> str:
    return str(low) if low == high else _range(str(low), "" if high is None else str(high))


def _range(low: str, high: str) -> str:
    return f"{low}..{high}"


def _value(value: str | Decimal | bool) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value.normalize():f}"
        case str():
            return value


def _listed(values: list[str] | tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"
