"""`every: cron "0 10 * * 1"`: five fields, as in crontab: minute, hour, day of the month, month, weekday.

Lists, ranges, steps and English names; Sunday is 0 or 7. What is wrong is said at the field that is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from itertools import product

from engage.core.cron import CronDays
from engage.core.journey import mistakes, slips
from engage.core.journey.nodes import Scalar
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Problem, Said, Span


@dataclass(frozen=True, slots=True)
class _Field:
    what: Said
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first one is `low`

    def number(self, text: str) -> int | None:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field(Said("minute", "分钟"), 0, 59),
    _Field(Said("hour", "小时"), 0, 23),
    _Field(Said("day of the month", "日期"), 1, 31),
    _Field(Said("month", "月份"), 1, 12, _MONTHS),
    _Field(Said("weekday", "星期"), 0, 7, _WEEKDAYS),
)
_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LINE = re.compile(r"""cron\s+(?P<quote>["']?)(?P<fields>.*?)(?P=quote)""")
_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\w+))?")


def is_cron(text: str) -> bool:
    return slips.half_width(text[:40]).split(" ", 1)[0].lower() == "cron"


def read_cron(found: Scalar, problems: list[Problem]) -> tuple[CronDays, tuple[time, ...]] | None:
    """The days, and the times of day in their order; None if it is no cron line, which has then been reported."""
    parts = _five_parts(found, problems)
    if parts is None:
        return None
    read = [_read_field(text, field, span, problems) for (text, span), field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = read
    if minutes is None or hours is None or days is None or months is None or weekdays is None:
        return None
    _, _, by_number, _, by_name = (not text.startswith("*") for text, _ in parts)
    named = frozenset(number % 7 for number in weekdays)
    wanted = CronDays(frozenset(days), frozenset(months), named, either=by_number and by_name)
    if wanted.never:
        text, span = parts[2]
        problems.append(_no_such_day(span, text))
        return None
    return wanted, tuple(time(hour, minute) for hour, minute in product(sorted(hours), sorted(minutes)))


def _five_parts(found: Scalar, problems: list[Problem]) -> list[tuple[str, Span]] | None:
    """Each field and its place."""
    spelt = slips.half_width(found.text[:300])
    if spelt != found.text:
        problems.append(slips.full_width_text(found.span, spelt))
        return None
    if spelt.count('"') == 1:
        problems.append(_cut_off(found.span))
        return None
    line = _LINE.fullmatch(spelt)
    begin = line.start("fields") if line else 0
    parts = [
        (part[0], found.part(begin + part.start(), begin + part.end()))
        for part in re.finditer(r"\S+", line["fields"] if line else "")
    ]
    if len(parts) != len(_FIELDS):
        problems.append(_not_five_fields(found.span, [text for text, _ in parts]))
        return None
    return parts


def _read_field(text: str, field: _Field, span: Span, problems: list[Problem]) -> set[int] | None:
    """The numbers that a list of items names."""
    numbers: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        read = _read_item(match, field) if match else _not_a_value(item, field)
        if isinstance(read, range):
            numbers.update(read)
        else:
            problems.append(mistakes.not_cron(span, *read))
            return None
    return numbers


_Wrong = tuple[Said, Said]  # what is wrong, and what to do


def _read_item(item: re.Match[str], field: _Field) -> range | _Wrong:
    step = _step(item["step"] or "1", field)
    if step is None:
        return _not_a_value(item["step"], field)
    if item["first"] == "*":
        last_one = 6 if field.names == _WEEKDAYS else field.high  # Sunday once
        return _not_a_value(item[0], field) if item["last"] else range(field.low, last_one + 1, step)
    if item["step"] is not None and item["last"] is None:
        return _step_needs_a_range(item, field)
    return _span(item, field, step)


def _step(text: str, field: _Field) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    return number if 0 < number <= field.high else None


def _span(item: re.Match[str], field: _Field, step: int) -> range | _Wrong:
    ends = []
    for written in (item["first"], item["last"] or item["first"]):
        number = field.number(written)
        if number is None:
            return _not_a_value(written, field)
        if not field.low <= number <= field.high:
            return _out_of_range(written, field)
        ends.append(number)
    first, last = ends
    if last == 0 < first and field.names == _WEEKDAYS:
        last = 7  # fri-sun
    return range(first, last + 1, step) if first <= last else _backwards(item, field)


# --- what can be wrong ------------------------------------------------------------------------------------------


def _cut_off(span: Span) -> Problem:
    said = Said("inside { … } a comma ends the value", "在 { … } 里，逗号会把值截断")
    help = Said("write `every:` on a line of its own below `start:`", "请把 `every:` 单独写一行，放在 `start:` 下面")
    return mistakes.not_cron(span, said, help)


def _not_five_fields(span: Span, parts: list[str]) -> Problem:
    said = Said("a cron line has five fields", "cron 要写五段")
    if len(parts) == 1 and (full := _SHORTHANDS.get(parts[0].lower())):
        return mistakes.not_cron(span, said, Said(f'write cron "{full}"', f'请写 cron "{full}"'))
    example = 'cron "0 10 * * 1"'
    help = Said(
        f"minute, hour, day, month, weekday: {example} is Mondays at 10:00",
        f"分钟、小时、日期、月份、星期：{example} 就是每周一 10:00",
    )
    return mistakes.not_cron(span, said, help)


def _not_a_value(text: str, field: _Field) -> _Wrong:
    said = Said(f"“{text}” is not a {field.what.en} in a cron line", f"“{text}”不是 cron 里的{field.what.zh}")
    meant = "*" if text == "?" else nearest(text.lower(), field.names)
    if meant is not None:
        return said, Said(f"did you mean `{meant}`?", f"您想写的是 `{meant}` 吗？")
    names = f", {field.names[0]}-{field.names[-1]}" if field.names else ""
    span = f"{field.low}-{field.high}{names}"
    return said, Said(f"write {span}, *, a list 1,3, a range 1-3 or a step */2", f"可以写 {span}、*、1,3、1-3、*/2")


def _out_of_range(text: str, field: _Field) -> _Wrong:
    return (
        Said(f"{text} is out of range for the {field.what.en}", f"{text} 超出了{field.what.zh}的范围"),
        Said(f"between {field.low} and {field.high}", f"请写 {field.low} 到 {field.high} 之间的值"),
    )


def _step_needs_a_range(item: re.Match[str], field: _Field) -> _Wrong:
    spelt = f"{item['first']}-{field.high}/{item['step']}"
    return (
        Said("a step goes over a range", "步长要写在一个范围后面"),
        Said(f"write {spelt}, or */{item['step']}", f"请写 {spelt}，或者 */{item['step']}"),
    )


def _backwards(item: re.Match[str], field: _Field) -> _Wrong:
    spelt = f"{item['first']}-{field.high},{field.low}-{item['last']}"
    return (
        Said(f"the range {item[0]} runs backwards", f"{item[0]} 这个范围是反的"),
        Said(f"write {spelt}", f"请写 {spelt}"),
    )


def _no_such_day(span: Span, text: str) -> Problem:
    said = Said(f"none of these months has a day {text}", f"这些月份都没有 {text} 日")
    help = Said("`every: month 31` is the last day of each month", "每月最后一天可以写 `every: month 31`")
    return mistakes.not_cron(span, said, help)
