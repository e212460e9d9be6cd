"""The right-hand side of a condition line: `500..`, `[上海, 北京]`, `over 90d ago`, by the type of what is tested."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from engage.core.condition import (
    Between,
    Contains,
    FieldValue,
    InShare,
    Known,
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
from engage.core.journey import broken, guesses, misfits, scalars, slips
from engage.core.journey.nodes import Listing, Node, Scalar
from engage.core.problem import Problem

_COMPARISON = re.compile(r"(?:>=|<=|=>|=<|==|!=|≥|≤|>|<|=)\s*-?[0-9][0-9.]*")
_NO_OPERATOR = re.compile(r"(?:!=|==|<>|≠)\s*\S.*")
_DATE_TEST = re.compile(r"(last|next|over) (\S+?)( ago)?")
_SHARE = re.compile(r"(?:(\d{1,3})%?)?\.\.(?:(\d{1,3})%)?")
_NOTHING = ("null", "~", "none", "nil", "空")  # what other languages write for nothing on file
_IS_DATES = (ValueType.DATE, ValueType.INSTANT)


@dataclass(frozen=True, slots=True)
class Target:
    """What a test is about, and the values it can have."""

    subject: Subject
    name: str  # as the author wrote it
    type: ValueType
    values: tuple[str, ...] = ()  # the only ones, if not empty
    bounds: tuple[Decimal, Decimal] | None = None  # of a score

    @property
    def ranked(self) -> bool:
        """Whether it has a rank beside it: the number fields of members do."""
        return isinstance(self.subject, FieldValue)


def read_test(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    """None: it does not fit the target, which has been reported."""
    if isinstance(node, Scalar):
        special = _known_or_not(node, target)
        if special is not None:
            return special
        if (slip := _comparison(node)) is not None:
            problems.append(slip)
            return None
    if isinstance(target.subject, RankValue):
        return _share(node, target, problems)
    match target.type:
        case ValueType.TEXT:
            return _text(node, target, problems)
        case ValueType.NUMBER:
            return _number(node, target, problems)
        case ValueType.BOOLEAN:
            return _boolean(node, target, problems)
        case ValueType.DATE | ValueType.INSTANT:
            return _date(node, target, problems)
        case ValueType.ANNIVERSARY:
            problems.append(misfits.wrong_type(node.span, target.name, target.type))
            return None


def _known_or_not(node: Scalar, target: Target) -> Test | None:
    match slips.half_width(node.text[:20]):
        case "known":
            return Known()
        case "unknown":
            return Unknown()
        case "never" if target.type in (*_IS_DATES, ValueType.ANNIVERSARY):
            return Unknown()
    return None


def _comparison(node: Scalar) -> Problem | None:
    """`<= 6` is text to YAML, and `> 5` the head of a text block; `!= 上海` is text, too."""
    if match := _NO_OPERATOR.fullmatch(node.text[:100]):
        return slips.comparison(node.span, match[0], *broken.as_range(match[0]))
    if match := _COMPARISON.fullmatch(slips.half_width(node.text[:40])):
        return slips.comparison(node.span, match[0], *broken.as_range(match[0]))
    return None


def _text(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    if isinstance(node, Scalar) and node.text.startswith("contains") and not target.values:
        return _contains(node, target, problems)
    found = _values(node, target, problems)
    if found is None:
        return None
    wrong = [problem for item in found if (problem := _no_such_text(item, target)) is not None]
    problems.extend(wrong)
    return None if wrong else OneOf(tuple(item.text.strip() for item in found))


def _no_such_text(item: Scalar, target: Target) -> Problem | None:
    text = item.text.strip()
    if target.values:
        return None if text in target.values else misfits.never_this_value(item.span, target.name, text, target.values)
    if _looks_otherwise(text):
        return misfits.wrong_type(item.span, target.name, target.type)
    if item.style:  # in quotation marks: whatever it is, it is meant
        return None
    if text.lower() in _NOTHING:
        return misfits.wrong_type(item.span, target.name, target.type, guess="unknown")
    if ", " in text:
        several = f"[{text}]"
        return misfits.wrong_type(item.span, target.name, target.type, guess=several)
    return misfits.words_around_values(item.span, target.name, text) or slips.in_word(text, item.span, several=True)


def _looks_otherwise(text: str) -> bool:
    """`500..` or `over 90d ago` as a city is a line that was meant for another field."""
    return scalars.parse_range(text) is not None or _parse_date_test(text) is not None


def _contains(node: Scalar, target: Target, problems: list[Problem]) -> Test | None:
    part = node.text.removeprefix("contains")
    if part.strip() and part[0].isspace():
        return Contains(part.strip())
    problems.append(misfits.wrong_type(node.span, target.name, target.type))
    return None


def _values(node: Node, target: Target, problems: list[Problem]) -> tuple[Scalar, ...] | None:
    if isinstance(node, Scalar):
        return (node,)
    if isinstance(node, Listing) and node.items and all(isinstance(item, Scalar) for item in node.items):
        return tuple(item for item in node.items if isinstance(item, Scalar))
    problems.append(misfits.wrong_type(node.span, target.name, target.type))
    return None


def _number(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    found = _values(node, target, problems)
    if found is None:
        return None
    if len(found) == 1 and (ends := scalars.number_range(found[0], problems)) is not None:
        return _between(found[0], ends, target, problems)
    numbers = [(item, scalars.number(item, problems)) for item in found]
    for item, value in numbers:
        if value is None and "%" in slips.half_width(item.text[:20]):
            problems.append(misfits.percent_of_a_number(item.span, target.name, ranked=target.ranked))
        elif value is None:
            guess = guesses.number_range(item.text)
            problems.append(misfits.wrong_type(item.span, target.name, target.type, guess=guess))
        elif _outside(value, target):
            problems.append(_out_of_bounds(item, target))
    values = tuple(value for _, value in numbers if value is not None and not _outside(value, target))
    return OneOf(values) if len(values) == len(found) else None


def _between(
    item: Scalar, ends: tuple[Decimal | None, Decimal | None], target: Target, problems: list[Problem]
) -> Test | None:
    low, high = ends
    if low is not None and high is not None and low > high:
        problems.append(misfits.empty_range(item.span, item.text))
        return None
    if any(end is not None and _outside(end, target) for end in ends):
        problems.append(_out_of_bounds(item, target))
        return None
    return Between(low, high)


def _outside(value: Decimal, target: Target) -> bool:
    return target.bounds is not None and not target.bounds[0] <= value <= target.bounds[1]


def _out_of_bounds(item: Scalar, target: Target) -> Problem:
    low, high = target.bounds or (Decimal(0), Decimal(0))
    return misfits.score_out_of_range(item.span, target.name, int(low), int(high))


def _share(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    """`..20%`, `20%..50%`, `50%..`."""
    spelt = slips.half_width(node.text[:20]) if isinstance(node, Scalar) else ""
    match = _SHARE.fullmatch(spelt)
    above, to = (int(end) if end else None for end in match.groups()) if match else (None, None)
    if any(end is not None and not 0 < end < 100 for end in (above, to)) or (above is None and to is None):
        problems.append(misfits.not_a_share(node.span, target.name))
        return None
    if above is not None and to is not None and above >= to:
        problems.append(misfits.empty_range(node.span, spelt))
        return None
    if isinstance(node, Scalar) and spelt != node.text.strip():
        problems.append(slips.full_width_text(node.span, spelt))
    return InShare(above, to)


def _boolean(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    if isinstance(node, Scalar) and (value := scalars.parse_yes_no(slips.half_width(node.text[:20]))) is not None:
        return OneOf((value,))
    guess = scalars.guess_yes_no(node.text) if isinstance(node, Scalar) else None
    problems.append(misfits.wrong_type(node.span, target.name, target.type, guess=guess))
    return None


def _date(node: Node, target: Target, problems: list[Problem]) -> Test | None:
    if isinstance(node, Scalar) and len(node.text) < 60:
        spelt = slips.half_width(node.text)
        test = _parse_date_test(spelt)
        if test is not None and spelt != node.text.strip():
            problems.append(slips.full_width_text(node.span, spelt))
        if test is not None:
            return test
    guess = guesses.date_test(node.text) if isinstance(node, Scalar) else None
    problems.append(misfits.wrong_type(node.span, target.name, target.type, guess=guess))
    return None


def _parse_date_test(spelt: str) -> Test | None:
    match = _DATE_TEST.fullmatch(spelt)
    period = scalars.bounded_duration(match[2]) if match else None
    if match is None or period is None or not timedelta(0) < period <= scalars.LONGEST:
        return None
    match match[1], match[3]:
        case "last", None:
            return WithinLast(period)
        case "next", None:
            return WithinNext(period)
        case "over", " ago":
            return OverAgo(period)
    return None
