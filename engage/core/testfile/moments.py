"""Moments as test files write them: `day 2 09:00`, `95d ago`, `in 30d`, `now`, `2026-11-23 10:00`."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from engage.core.duration import parse_time
from engage.core.journey import scalars, slips
from engage.core.journey.nodes import Node
from engage.core.problem import Problem, Said
from engage.core.testfile import mistakes
from engage.core.testfile.model import DayTime

_DAY_TIME = re.compile(r"day ([0-9]{1,4}) ([0-9]{1,2}:[0-9]{2})")
_DAY = re.compile(r"(?:day )?([0-9]{1,4})")
_RELATIVE = re.compile(r"(?:(?P<ago>[0-9wdhm]{2,40}) ago|in (?P<ahead>[0-9wdhm]{2,40}))")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: ([0-9]{1,2}:[0-9]{2}))?")
_YEARS = range(1901, 2100)  # those whose lunar dates are known, and the year after as well
_A_MOMENT = Said("a moment", "一个时间")


def read_day_time(node: Node, problems: list[Problem]) -> DayTime | None:
    found = scalars.scalar(node, scalars.THIS, problems, _A_MOMENT)
    if found is None:
        return None
    match = _DAY_TIME.fullmatch(slips.half_width(found.text[:40]))
    at = parse_time(match[2]) if match else None
    if match is None or at is None:
        problems.append(mistakes.not_a_day_time(found.span, found.text))
        return None
    return DayTime(int(match[1]), at)


def read_day(node: Node, problems: list[Problem]) -> int | None:
    """`day 30`."""
    found = scalars.scalar(node, scalars.THIS, problems, _A_MOMENT)
    if found is None:
        return None
    match = _DAY.fullmatch(slips.half_width(found.text[:40]))
    if match is None:
        problems.append(mistakes.not_a_day_time(found.span, found.text))
        return None
    return int(match[1])


def read_clock(node: Node, zone: ZoneInfo, problems: list[Problem]) -> datetime | None:
    found = scalars.scalar(node, scalars.THIS, problems, _A_MOMENT)
    if found is None:
        return None
    moment = _absolute(slips.half_width(found.text[:40]), zone)
    if moment is None:
        problems.append(mistakes.not_a_clock(found.span, found.text))
    return moment


def read_when(node: Node, clock: datetime, problems: list[Problem]) -> datetime | None:
    """A moment before or after the clock, or a date that is one."""
    found = scalars.scalar(node, scalars.THIS, problems, _A_MOMENT)
    if found is None:
        return None
    moment = parse_when(slips.half_width(found.text[:60]), clock)
    if moment is None:
        problems.append(mistakes.not_a_when(found.span, found.text))
    return moment


def parse_when(spelt: str, clock: datetime) -> datetime | None:
    if spelt == "now":
        return clock
    match = _RELATIVE.fullmatch(spelt)
    if match is None:
        return _absolute(spelt, clock.tzinfo if isinstance(clock.tzinfo, ZoneInfo) else ZoneInfo("UTC"))
    period = scalars.bounded_duration(match["ago"] or match["ahead"])
    if period is None or period > scalars.LONGEST:
        return None
    return clock - period if match["ago"] else clock + period


def _absolute(spelt: str, zone: ZoneInfo) -> datetime | None:
    match = _DATE.fullmatch(spelt)
    at = parse_time(match[2]) if match and match[2] else time()
    if match is None or at is None:
        return None
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        return None
    return datetime.combine(day, at, zone) if day.year in _YEARS else None
