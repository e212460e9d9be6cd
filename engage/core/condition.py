"""The condition tree: one way to say who and when.

A condition is data. `store.conditions` compiles it to SQL; nothing else evaluates it in production. Missing data
never satisfies an atom (only `Unknown` and `Never` do), and `Not` is the plain opposite of what stands under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

# --- what is looked at ------------------------------------------------------------------------------------------


class ValueType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"  # a calendar day, no time
    INSTANT = "instant"  # a moment; what `first` and `last` computed fields hold
    ANNIVERSARY = "anniversary"


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A member field of the catalog, computed ones included."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class AnswerValue:
    """`<step id>.score` or `<step id>.comment` of an ask in the same enrolment."""

    step_id: str
    part: str


@dataclass(frozen=True, slots=True)
class ContextValue:
    """`event.<key>` (payload of the event that started the run) or `var.<key>` (passed by `enroll … with`)."""

    origin: str  # "event" | "var"
    key: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class RankValue:
    """`<field>_rank`: where a member stands among all who have a value in a number field, the highest first."""

    name: str  # of the field that is ranked


Subject = FieldValue | AnswerValue | ContextValue | RankValue

# --- what is asked of it ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OneOf:
    """Equal to one of the values: text, number or yes/no, by the subject's type."""

    values: tuple[str | Decimal | bool, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """`low..high`, both ends included; None is open."""

    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True, slots=True)
class Known:
    pass


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing on file. Spelt `unknown`, or `never` for dates."""


@dataclass(frozen=True, slots=True)
class WithinLast:
    """`last 30d`: between `now - period` and `now`."""

    period: timedelta


@dataclass(frozen=True, slots=True)
class OverAgo:
    """`over 90d ago`: at or before `now - period`. Someone with no date on file does not match."""

    period: timedelta


@dataclass(frozen=True, slots=True)
class WithinNext:
    """`next 7d`: between `now` and `now + period`."""

    period: timedelta


@dataclass(frozen=True, slots=True)
class InShare:
    """Of a rank, in percent of those who are ranked: `..20%` is the top fifth, `50%..` the lower half. In the top `to`
    percent, and not in the top `above` percent, so that shares side by side never overlap. None is open."""

    above: int | None
    to: int | None


Test = OneOf | Contains | Between | Known | Unknown | WithinLast | OverAgo | WithinNext | InShare

# --- the tree ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    subject: Subject
    test: Test


@dataclass(frozen=True, slots=True)
class HasTag:
    """Has any of these tags."""

    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InSegment:
    """The segment's own condition is kept with it: what a segment means is decided when the file is read."""

    name: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Did:
    """The event happened between `at_least` and `at_most` times, within a period or since the run started."""

    event: str
    at_least: int = 1
    at_most: int | None = None
    within: timedelta | None = None
    since_start: bool = False


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


Condition = Compare | HasTag | InSegment | Did | All | Any | Not


def atoms(condition: Condition) -> Iterator[Compare | HasTag | Did]:
    """Every leaf, those inside segments included."""
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from atoms(part)
        case Not(part) | InSegment(_, part):
            yield from atoms(part)
        case Compare() | HasTag() | Did():
            yield condition
