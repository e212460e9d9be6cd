"""The values of the language: durations, times, waits, percentages, yes/no, numbers, ranges, names, texts.

Every reader takes a node and the list of problems, and gives the value or None, having said why. Values typed with the
full-width characters of a Chinese keyboard are understood, so that the rest of the file can be checked, and reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from engage.core.duration import parse_duration, parse_time
from engage.core.journey import guesses, mistakes, slips
from engage.core.journey.model import Words
from engage.core.journey.nodes import Listing, Node, Scalar
from engage.core.problem import Problem, Said
from engage.core.timing import DaySet, For, ForWorkdays, UntilDays, UntilEntryDay, UntilField, UntilMoment, WaitSpec

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Problems = list[Problem]

LONGEST = timedelta(days=20 * 366)  # a slip of the keyboard otherwise, and date arithmetic must not overflow
NAME = re.compile(r"[\w-]{1,60}")

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_WHOLE = re.compile(r"[0-9]{1,9}")

# --- shapes -----------------------------------------------------------------------------------------------------

A_VALUE = Said("one value", "一个值")
TEXT = Said("text", "文字")
THIS = Said("this", "这里")


def scalar(node: Node, what: Said, problems: Problems, wanted: Said = A_VALUE) -> Scalar | None:
    """The node as a single value. Emptiness is the caller's affair: `Options` has reported it already."""
    if isinstance(node, Scalar):
        return node
    problems.append(mistakes.wrong_shape(node.span, what, wanted))
    return None


def text(node: Node, problems: Problems, *, limit: int = 2000) -> str | None:
    """Words that are not a template: titles, labels, reasons."""
    found = scalar(node, THIS, problems, TEXT)
    if found is None:
        return None
    if len(found.text) > limit:
        problems.append(mistakes.too_long(found.span, Said("this text", "这段文字"), limit))
    return found.text.strip()


def words(node: Node, problems: Problems) -> Words | None:
    """Words with variables. What the variables mean is checked where the templates are."""
    found = scalar(node, THIS, problems, TEXT)
    return Words(found.text, found.span) if found else None


def scalars(node: Node, what: Said, wanted: Said, problems: Problems) -> tuple[Scalar, ...] | None:
    """One value, or a list of them: `x` and `[x, y]`."""
    if isinstance(node, Scalar):
        return (node,)
    if isinstance(node, Listing) and node.items:
        found = tuple(item for item in node.items if isinstance(item, Scalar) and item.text.strip())
        if len(found) == len(node.items):
            return found
    problems.append(mistakes.wrong_shape(node.span, what, wanted))
    return None


def name(node: Node, what: Said, problems: Problems) -> Scalar | None:
    """An identifier: letters of any script, digits, `_`, `-`."""
    found = scalar(node, what, problems)
    if found is None or NAME.fullmatch(found.text):
        return found
    problems.append(mistakes.not_a_name(found.span, found.text, what))
    return None


# --- values with a grammar --------------------------------------------------------------------------------------


def _read(found: Scalar, parse: Callable[[str], T], problems: Problems) -> T | None:
    """Parse the half-width form, and say so where the author's differs. None: not such a value; nothing is said."""
    spelt = slips.half_width(found.text[:200])
    value = parse(spelt)
    if value is not None and spelt != found.text.strip():
        problems.append(slips.full_width_text(found.span, spelt))
    return value


def duration(node: Node, problems: Problems, *, zero: bool = False) -> timedelta | None:
    found = scalar(node, THIS, problems, Said("a duration", "一个时长"))
    if found is None:
        return None
    period = _read(found, bounded_duration, problems)
    if period is None:
        problems.append(mistakes.not_a_duration(found.span, found.text, guesses.duration(found.text)))
    elif period > LONGEST or (period == timedelta(0) and not zero):
        problems.append(mistakes.out_of_range(found.span, found.text, "1m", f"{LONGEST.days}d"))
        return None
    return period


def bounded_duration(spelt: str) -> timedelta | None:
    """`parse_duration`, for text of any length and script: it is meant for ASCII."""
    return parse_duration(spelt) if spelt.isascii() and len(spelt) <= 40 else None


def time_of_day(node: Node, problems: Problems) -> time | None:
    found = scalar(node, THIS, problems, Said("a time of day", "一天中的时间"))
    if found is None:
        return None
    at = _read(found, parse_clock, problems)
    if at is None:
        problems.append(mistakes.not_a_time(found.span, found.text, guesses.time_of_day(found.text)))
    return at


def parse_clock(spelt: str) -> time | None:
    return parse_time(spelt) if spelt.isascii() else None


def percent(node: Node, problems: Problems, *, low: int = 0, high: int = 100) -> int | None:
    def parse(spelt: str) -> int | None:
        return int(spelt[:-1]) if spelt.endswith("%") and _WHOLE.fullmatch(spelt[:-1]) else None

    kind = Said("a percentage", "百分比")
    return _bounded_whole(node, problems, parse, guesses.percent, kind, "10%", high, low)


def priority(node: Node, problems: Problems) -> int | None:
    return _bounded_whole(node, problems, _parse_whole, guesses.whole, Said("a priority", "优先级"), "50", 100)


def count(node: Node, problems: Problems, high: int) -> int | None:
    """How many: from 1 on."""
    return _bounded_whole(node, problems, _parse_whole, guesses.whole, Said("a whole number", "整数"), "1", high, low=1)


def _parse_whole(spelt: str) -> int | None:
    return int(spelt) if _WHOLE.fullmatch(spelt) else None


def _bounded_whole(
    node: Node,
    problems: Problems,
    parse: Callable[[str], int | None],
    guess: Callable[[str], str | None],
    kind: Said,
    example: str,
    high: int,
    low: int = 0,
) -> int | None:
    found = scalar(node, THIS, problems, kind)
    if found is None:
        return None
    number = _read(found, parse, problems)
    below = found.text.startswith("-") and parse(found.text[1:]) is not None
    if number is None and not below:
        problems.append(mistakes.not_a_number(found.span, found.text, kind, guess(found.text), example))
    elif number is None or not low <= number <= high:
        sign = "%" if example.endswith("%") else ""
        problems.append(mistakes.out_of_range(found.span, found.text, f"{low}{sign}", f"{high}{sign}"))
        return None
    return number


_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_YES_NO_GUESS = {
    **dict.fromkeys(("是", "对", "y", "on", "1"), "yes"),
    **dict.fromkeys(("否", "不", "n", "off", "0", "null", "~", "none"), "no"),
}


def guess_yes_no(text: str) -> str | None:
    return _YES_NO_GUESS.get(text.strip().lower())


def parse_yes_no(spelt: str) -> bool | None:
    return _YES_NO.get(spelt.lower())


def yes_no(node: Node, problems: Problems) -> bool | None:
    found = scalar(node, THIS, problems, Said("yes or no", " yes 或 no"))
    if found is None:
        return None
    value = _read(found, parse_yes_no, problems)
    if value is None:
        problems.append(mistakes.not_yes_or_no(found.span, found.text, guess_yes_no(found.text)))
    return value


def choice(node: Node, kind: type[E], what: Said, problems: Problems) -> E | None:
    """One of the fixed words of an enumeration."""
    allowed = tuple(member.value for member in kind)
    found = scalar(node, what, problems)
    if found is None:
        return None
    if found.text in allowed:
        return kind(found.text)
    problems.append(mistakes.not_one_of(found.span, found.text, what, allowed))
    return None


def number(found: Scalar, problems: Problems) -> Decimal | None:
    """None: it is not a number; nothing is said."""
    return _read(found, parse_number, problems)


def parse_number(spelt: str) -> Decimal | None:
    return Decimal(spelt) if _NUMBER.fullmatch(spelt) else None


def number_range(found: Scalar, problems: Problems) -> tuple[Decimal | None, Decimal | None] | None:
    """`500..`, `..6`, `7..8`. None: not a range; nothing is said."""
    return _read(found, parse_range, problems)


def parse_range(spelt: str) -> tuple[Decimal | None, Decimal | None] | None:
    low, dots, high = spelt.partition("..")
    if not dots or not (low or high):
        return None
    ends = parse_number(low) if low else None, parse_number(high) if high else None
    return None if (low and ends[0] is None) or (high and ends[1] is None) else ends


# --- waits ------------------------------------------------------------------------------------------------------

_AT = r"(?: at (?P<at>[0-9]{1,2}:[0-9]{2}))?"
_CLOCK = r"(?P<at>[0-9]{1,2}:[0-9]{2})"
_FOR = re.compile(rf"(?P<period>[0-9wdhm]{{2,40}}){_AT}")
_WORKDAYS = re.compile(rf"(?P<days>[0-9]{{1,3}}) workdays?{_AT}")
_UNTIL_DAYS = re.compile(rf"until (?:(?P<days>[a-z]+) )?{_CLOCK}")
_UNTIL_ENTRY_DAY = re.compile(rf"until day (?P<day>[0-9]{{1,4}}){_AT}")
_UNTIL_MOMENT = re.compile(rf"until (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}) {_CLOCK}")
_UNTIL_FIELD = re.compile(rf"until (?P<field>[^\s:+-][^\s:]*)(?: (?P<sign>[+-])(?P<offset>[0-9wdhm]{{2,40}}))?{_AT}")


def parse_wait(spelt: str) -> WaitSpec | None:
    """Any of the forms of `wait:`. A field's name is not looked up here."""
    for pattern, build in _WAIT_FORMS:
        if match := pattern.fullmatch(spelt):
            at = parse_time(match["at"]) if match["at"] else None
            return None if match["at"] and at is None else build(match, at)
    return None


def _for(match: re.Match[str], at: time | None) -> WaitSpec | None:
    period = parse_duration(match["period"])
    return For(period, at) if period is not None and period <= LONGEST else None


def _for_workdays(match: re.Match[str], at: time | None) -> WaitSpec | None:
    return ForWorkdays(int(match["days"]), at)


def _until_days(match: re.Match[str], at: time | None) -> WaitSpec | None:
    days = match["days"] or "day"
    return UntilDays(DaySet(days), at) if at and days in set(DaySet) else None


def _until_entry_day(match: re.Match[str], at: time | None) -> WaitSpec | None:
    return UntilEntryDay(int(match["day"]), at)


def _until_moment(match: re.Match[str], at: time | None) -> WaitSpec | None:
    try:
        day = datetime.strptime(match["date"], "%Y-%m-%d")  # noqa: DTZ007 - naive on purpose: the member's zone decides
    except ValueError:
        return None
    return UntilMoment(datetime.combine(day.date(), at)) if at else None


def _until_field(match: re.Match[str], at: time | None) -> WaitSpec | None:
    if match["field"] in set(DaySet):
        return None
    period = parse_duration(match["offset"]) if match["offset"] else timedelta(0)
    if period is None or period > LONGEST:
        return None
    return UntilField(match["field"], -period if match["sign"] == "-" else period, at)


_WAIT_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], time | None], WaitSpec | None]], ...] = (
    (_FOR, _for),
    (_WORKDAYS, _for_workdays),
    (_UNTIL_ENTRY_DAY, _until_entry_day),
    (_UNTIL_DAYS, _until_days),
    (_UNTIL_MOMENT, _until_moment),
    (_UNTIL_FIELD, _until_field),
)


def wait(node: Node, problems: Problems) -> WaitSpec | None:
    found = scalar(node, mistakes.word("wait"), problems, Said("one wait, e.g. 3d", "一个等待，例如 3d"))
    if found is None:
        return None
    spec = _read(found, parse_wait, problems)
    if spec is None and (period := bounded_duration(slips.half_width(found.text[:40]))) and period > LONGEST:
        problems.append(mistakes.out_of_range(found.span, found.text, "1m", f"{LONGEST.days}d"))
    elif spec is None:
        problems.append(not_a_wait(found))
    elif spec == For(timedelta(0)):
        problems.append(mistakes.out_of_range(found.span, found.text, "1m", f"{LONGEST.days}d"))
        return None
    return spec


def not_a_wait(found: Scalar) -> Problem:
    return mistakes.not_a_wait(found.span, found.text, guesses.wait(found.text, _is_plain_wait))


def _is_plain_wait(spelt: str) -> bool:
    """A field that happens to be called like a misspelt word is no guess."""
    return not isinstance(parse_wait(spelt), UntilField | None)


def day_offset(node: Node, problems: Problems) -> timedelta | None:
    """`-3d`, `1w`: whole days, before or after."""
    found = scalar(node, THIS, problems, Said("a number of days", "天数"))
    if found is None:
        return None
    period = _read(found, _parse_day_offset, problems)
    if period is None:
        sign = "-" if slips.half_width(found.text[:1]) == "-" else ""
        guess = guesses.whole_days(found.text.lstrip("+-－"))
        problems.append(mistakes.not_whole_days(found.span, found.text, guess and f"{sign}{guess}"))
    elif abs(period) > _FARTHEST:
        problems.append(mistakes.out_of_range(found.span, found.text, f"-{_FARTHEST.days}d", f"{_FARTHEST.days}d"))
        return None
    return period


_FARTHEST = timedelta(days=366)  # an offset beyond it would belong to another year's date


def _parse_day_offset(spelt: str) -> timedelta | None:
    period = bounded_duration(spelt.removeprefix("-").removeprefix("+"))
    if period is None or period % timedelta(days=1):
        return None
    return -period if spelt.startswith("-") else period
