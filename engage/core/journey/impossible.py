"""Conditions that nobody can meet: two lines that no member fits both of. Only what is certain is said.

Looks at conditions, not at members: `points: 500..` and `points: ..100` side by side, a value and another value.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations

from engage.core.condition import (
    All,
    Any,
    Between,
    Compare,
    Condition,
    InSegment,
    Known,
    Not,
    OneOf,
    OverAgo,
    Test,
    Unknown,
    WithinLast,
)


def nobody_meets(condition: Condition) -> bool:
    """An empty `any` is what stands for a line that could not be read: nothing is said about it here."""
    match condition:
        case Any(parts):
            return bool(parts) and all(nobody_meets(part) for part in parts)
        case All():
            lines = list(_lines(condition))
            return any(nobody_meets(line) for line in lines if not isinstance(line, All)) or any(
                exclude_each_other(one, other) for one, other in combinations(lines, 2)
            )
        case InSegment(condition=inner):
            return nobody_meets(inner)
        case _:
            return False


def exclude_each_other(one: Condition, other: Condition) -> bool:
    if _unread(one) or _unread(other):
        return False
    if one == Not(other) or other == Not(one):
        return True
    same = isinstance(one, Compare) and isinstance(other, Compare) and one.subject == other.subject
    return same and _disjoint(one.test, other.test)  # type: ignore[union-attr]  # `same` says so


def always_with(condition: Condition, other: Condition) -> bool:
    """Whether everyone who meets `condition` meets `other`."""
    if _unread(condition) or _unread(other):
        return False
    return condition == other or other in list(_lines(condition))


def _unread(condition: Condition) -> bool:
    return condition == Any(())


def _lines(condition: Condition) -> Iterator[Condition]:
    """All that must hold, segments opened."""
    match condition:
        case All(parts):
            for part in parts:
                yield from _lines(part)
        case InSegment(condition=inner):
            yield condition
            yield from _lines(inner)
        case _:
            yield condition


def _disjoint(one: Test, other: Test) -> bool:
    """Of two tests of the same value."""
    match one, other:
        case (Unknown(), test) | (test, Unknown()):
            return not isinstance(test, Unknown)
        case (Known(), _) | (_, Known()):
            return False
        case OneOf(values), OneOf(others):
            return not set(values) & set(others)
        case (Between() as range_, OneOf(values)) | (OneOf(values), Between() as range_):
            return not any(isinstance(value, Decimal) and _within(value, range_) for value in values)
        case Between(low, high), Between(other_low, other_high):
            return _apart(high, other_low) or _apart(other_high, low)
        case (OverAgo(ago), WithinLast(last)) | (WithinLast(last), OverAgo(ago)):
            return ago > last  # the end of both is in both
        case _:
            return False


def _apart(high: Decimal | None, low: Decimal | None) -> bool:
    return high is not None and low is not None and high < low


def _within(value: Decimal, range_: Between) -> bool:
    return not _apart(value, range_.low) and not _apart(range_.high, value)
