"""What lets a member into a journey, keeps them from coming back, and lets them out: `start`, `per`, `reentry`,
`exit_if`, `goal`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from enum import StrEnum
from typing import TypeVar

from engage.core.catalog import Catalog
from engage.core.condition import Condition, ValueType
from engage.core.cron import CronDays
from engage.core.journey import guesses, misfits, mistakes, scalars, slips
from engage.core.journey.conditions import Scope, condition_option, read_condition, read_event_name
from engage.core.journey.cron import is_cron, read_cron
from engage.core.journey.model import (
    CalendarChoice,
    DayOfMonth,
    ExitOnCondition,
    ExitOnEvent,
    ExitRule,
    Feb29,
    Goal,
    LeapMonth,
    Manual,
    OnDate,
    OnEvent,
    OnSchedule,
    OnSegment,
    Reentry,
    Start,
)
from engage.core.journey.nodes import Listing, Node, Scalar, Table
from engage.core.journey.options import Options
from engage.core.problem import Problem, Said, Span
from engage.core.timing import DaySet

E = TypeVar("E", bound=StrEnum)

_KINDS = ("event", "segment", "date", "every")
_WANTED = Said(
    "{ event: … }, { segment: … }, { date: … }, { every: … } or manual",
    " { event: … }、{ segment: … }、{ date: … }、{ every: … } 或 manual",
)
# What a yearly date brings along, for templates and conditions.
_DATE_PAYLOAD = {"calendar": ValueType.TEXT, "lunar_text": ValueType.TEXT, "age": ValueType.NUMBER}


# --- start ------------------------------------------------------------------------------------------------------


def read_start(node: Node, scope: Scope, problems: list[Problem]) -> Start | None:
    if isinstance(node, Scalar) and node.text == "manual":
        return Manual()
    if isinstance(node, Scalar):
        problems.append(_one_word(node, scope))
        return None
    kind = next((kind for kind in _KINDS if isinstance(node, Table) and node.entry(kind)), None)
    match kind, node:
        case "event", Table():
            return _on_event(node, scope, problems)
        case "segment", Table():
            return _on_segment(node, scope, problems)
        case "date", Table():
            return _on_date(node, scope, problems)
        case "every", Table():
            return _on_schedule(node, problems)
        case _, Table() if node.entries:
            key = node.entries[0].key
            alone = Said("write  start: manual", "请写 start: manual") if key.text == "manual" else None
            problems.append(mistakes.unknown_option(key.span, key.text, _place("start"), _KINDS, alone))
        case _:
            problems.append(mistakes.wrong_shape(node.span, mistakes.word("start"), _WANTED))
    return None


def _one_word(found: Scalar, scope: Scope) -> Problem:
    """`start: order_paid`: what the one word may be the name of."""
    what = Said("a way to start", "开始的方式")
    meant = f"{{ event: {found.text} }}" if found.text in scope.events else None
    forms = ("manual", "{ event: … }", "{ segment: … }", "{ date: … }", "{ every: … }")
    return mistakes.not_one_of(found.span, found.text, what, forms, meant)


def _place(word: str) -> Said:
    return Said(f"`{word}`", f"`{word}` 里")


def _one_start(word: str) -> Said | None:
    """Of a second start beside the first."""
    return (
        Said(
            "a journey has one start; who may enter is said in `audience`",
            "一个旅程只有一种开始方式；谁可以进入，请写在 `audience` 里",
        )
        if word in _KINDS
        else None
    )


def _on_event(node: Table, scope: Scope, problems: list[Problem]) -> Start | None:
    options = Options(node, ("event", "where"), _place("start"), problems, _one_start)
    event = read_event(options, scope)
    where = read_where(options, (event,) if event else (), scope)
    return OnEvent(event, where) if event else None


def _on_segment(node: Table, scope: Scope, problems: list[Problem]) -> Start | None:
    options = Options(node, ("segment",), _place("start"), problems, _one_start)
    found = options.read("segment", lambda node, problems: scalars.scalar(node, mistakes.word("segment"), problems))
    return OnSegment(found.text) if found and scope.segment(found, problems) else None


def _on_date(node: Table, scope: Scope, problems: list[Problem]) -> Start | None:
    allowed = ("date", "at", "calendar", "offset", "feb29", "leap_month", "catch_up")
    options = Options(node, allowed, _place("start"), problems)
    options.require(
        "at", _key_span(node, "date"), Said("the time of day, e.g. at: 10:00", "一天中的时间，例如 at: 10:00")
    )
    field = options.read("date", lambda node, problems: _yearly_field(node, scope, problems))
    at = options.read("at", scalars.time_of_day)
    start = OnDate(
        field or "",
        at or time(),
        calendar=_choice(options, "calendar", CalendarChoice.AUTO),
        offset=options.read("offset", scalars.day_offset) or timedelta(0),
        feb29=_choice(options, "feb29", Feb29.FEB28),
        leap_month=_choice(options, "leap_month", LeapMonth.LEAP_THEN_PLAIN),
        catch_up=options.read("catch_up", scalars.duration) or timedelta(hours=12),
    )
    return start if field and at is not None else None


def _choice(options: Options, word: str, default: E) -> E:
    kind = type(default)
    return options.read(word, lambda node, problems: scalars.choice(node, kind, _a_value(word), problems)) or default


def _a_value(word: str) -> Said:
    return Said(f"a value of `{word}`", f"`{word}` 的值")


def _yearly_field(node: Node, scope: Scope, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("date"), problems)
    if found is None:
        return None
    field = scope.fields.get(found.text)
    yearly = [name for name, field in scope.fields.items() if field.type is ValueType.ANNIVERSARY]
    if field is None:
        problems.append(misfits.unknown("field", found.span, found.text, yearly))
    elif field.type is not ValueType.ANNIVERSARY:
        problems.append(misfits.wrong_type(found.span, found.text, field.type, mistakes.listed(yearly) or "birthday"))
    else:
        return field.name
    return None


def _on_schedule(node: Table, problems: list[Problem]) -> Start | None:
    options = Options(node, ("every", "at", "catch_up"), _place("start"), problems)
    every = options.node("every")
    with_cron = isinstance(every, Scalar) and is_cron(every.text)
    when = _by_cron(options) if with_cron else _by_days(node, options)
    catch_up = options.read("catch_up", scalars.duration) or timedelta(hours=12)
    return OnSchedule(*when, catch_up) if when else None


_When = tuple[DaySet | DayOfMonth | CronDays, tuple[time, ...]]


def _by_days(node: Table, options: Options) -> _When | None:
    options.require(
        "at", _key_span(node, "every"), Said("the time of day, e.g. at: 10:00", "一天中的时间，例如 at: 10:00")
    )
    every = options.node("every")
    days = _days(every, options.problems) if every is not None else None
    at = options.read("at", scalars.time_of_day)
    return (days, (at,)) if days and at is not None else None


def _by_cron(options: Options) -> _When | None:
    if "at" in options:
        said = Said("a cron line says the time of day itself", "cron 里已经写了时间")
        help = Said("remove `at`; its first two fields are minute and hour", "请删掉 `at`，cron 的前两段就是分钟和小时")
        options.problems.append(mistakes.contradiction(options.key_span("at"), said, help))
    return options.read("every", lambda node, problems: read_cron(node, problems) if isinstance(node, Scalar) else None)


def _days(node: Node, problems: list[Problem]) -> DaySet | DayOfMonth | None:
    found = scalars.scalar(node, mistakes.word("every"), problems)
    if found is None:
        return None
    month, _, day = slips.half_width(found.text[:40]).partition(" ")
    if month == "month" and day.isascii() and day.isdigit():
        if 1 <= int(day) <= 31:
            return DayOfMonth(int(day))
        problems.append(mistakes.out_of_range(found.span, found.text, "month 1", "month 31"))
        return None
    if found.text in set(DaySet):
        return DaySet(found.text)
    words = (*(day.value for day in DaySet), "month 1", 'cron "0 10 * * 1"')
    meant = guesses.day_set(found.text)
    problems.append(mistakes.not_one_of(found.span, found.text, _a_value("every"), words, meant))
    return None


def _key_span(node: Table, key: str) -> Span:
    entry = node.entry(key)
    return entry.key.span if entry else node.span


def start_scope(start: Start | None, scope: Scope, catalog: Catalog) -> Scope:
    """What every later condition of the journey can look at: `event.<key>` of the start, `var.<key>`."""
    scope = replace(scope, has_values=True)
    match start:
        case OnEvent(event):
            return replace(scope, event=catalog.events[event].payload, event_name=mistakes.word(event))
        case OnDate():
            return replace(scope, event=_DATE_PAYLOAD)
        case None:
            return replace(scope, start_known=False)
        case _:
            return scope


# --- events and what they carry ---------------------------------------------------------------------------------


def read_event(options: Options, scope: Scope) -> str | None:
    found = options.read("event", lambda node, problems: scalars.scalar(node, mistakes.word("event"), problems))
    return read_event_name(found, scope.events, options.problems) if found else None


def read_where(options: Options, events: tuple[str, ...], scope: Scope) -> Condition | None:
    """`where`, about any of the events: a key may be one that only some of them carry."""
    if not events:
        return None
    payload = {key: type for event in events for key, type in scope.events[event].payload.items()}
    named = mistakes.word(" / ".join(events))
    looking = replace(scope, event=payload, event_name=named, event_only=True, start_known=True)
    return condition_option(options, "where", looking)


# --- per, reentry -----------------------------------------------------------------------------------------------


def read_per(node: Node, start: Start | None, catalog: Catalog, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("per"), problems)
    if found is None:
        return None
    origin, _, key = found.text.partition(".")
    if origin != "event" or not key:
        wanted = Said("a key of the starting event: event.<key>", "开始事件的键：event.<键>")
        help = Said(f"write event.{found.text}", f"请写 event.{found.text}") if not origin or not key else None
        problems.append(mistakes.wrong_shape(found.span, mistakes.word("per"), wanted, help))
        return None
    if isinstance(start, OnEvent):
        payload = catalog.events[start.event].payload
        if key in payload:
            return key
        problems.append(misfits.unknown_key(found.span, key, mistakes.word(start.event), payload))
    elif start is not None:
        problems.append(misfits.no_event_starts(found.span, found.text))
    return None


def read_reentry(node: Node, problems: list[Problem]) -> Reentry | None:
    found = scalars.scalar(node, mistakes.word("reentry"), problems)
    if found is None:
        return None
    first, _, period = slips.half_width(found.text[:60]).partition(" ")
    if found.text == "never":
        return Reentry(never=True)
    if found.text == "always":
        return Reentry.always()
    if first == "after" and period:
        start = found.text.find(period)
        after = scalars.duration(Scalar(period, found.part(start, start + len(period))), problems)
        return Reentry(after=after) if after else None
    words = ("never", "always", "after 90d")
    problems.append(mistakes.not_one_of(found.span, found.text, _a_value("reentry"), words, _meant_reentry(found.text)))
    return None


def _meant_reentry(text: str) -> str | None:
    """`no`, `yes`, `90d`."""
    period = guesses.duration(text) or (text if scalars.bounded_duration(text) else None)
    if period:
        return f"after {period}"
    truth = scalars.parse_yes_no(text)
    return None if truth is None else "always" if truth else "never"


# --- exit_if, goal ----------------------------------------------------------------------------------------------


def read_exits(node: Node, scope: Scope, problems: list[Problem]) -> tuple[ExitRule, ...]:
    """One rule, or a list of them."""
    nodes = node.items if isinstance(node, Listing) else (node,)
    rules = (_exit(item, scope, problems) for item in nodes)
    return tuple(rule for rule in rules if rule is not None)


def _exit(node: Node, scope: Scope, problems: list[Problem]) -> ExitRule | None:
    if not isinstance(node, Table):
        wanted = Said("a condition, { event: … }, or a list of them", "条件、{ event: … }，或它们的列表")
        problems.append(mistakes.wrong_shape(node.span, mistakes.word("exit_if"), wanted, _as_event(node)))
        return None
    if node.entry("event") is None:
        return ExitOnCondition(read_condition(node, replace(scope, in_run=True), problems))
    options = Options(node, ("event", "where"), _place("exit_if"), problems)
    event = read_event(options, scope)
    where = read_where(options, (event,) if event else (), scope)
    return ExitOnEvent(event, where) if event else None


def _as_event(node: Node) -> Said | None:
    """`order_paid` alone."""
    return (
        Said(f"write {{ event: {node.text} }}", f"请写 {{ event: {node.text} }}") if isinstance(node, Scalar) else None
    )


def read_goal(node: Node, scope: Scope, problems: list[Problem]) -> Goal | None:
    if not isinstance(node, Table):
        wanted = Said("a mapping", "一组“键: 值”")
        problems.append(mistakes.wrong_shape(node.span, mistakes.word("goal"), wanted, _as_event(node)))
        return None
    options = Options(node, ("event", "where", "within", "count_from", "then"), _place("goal"), problems)
    options.require("event", node.entries[0].key.span if node.entries else node.span)
    event = read_event(options, scope)
    where = read_where(options, (event,) if event else (), scope)
    within = options.read("within", scalars.duration)
    from_entry = options.read(
        "count_from", lambda node, problems: _either(node, "count_from", "message", "entry", problems)
    )
    stays = options.read("then", lambda node, problems: _either(node, "then", "exit", "continue", problems))
    return Goal(event, within, where, bool(from_entry), not stays) if event else None


def _either(node: Node, option: str, usual: str, other: str, problems: list[Problem]) -> bool | None:
    """Whether it is `other`."""
    if isinstance(node, Scalar) and node.text in (usual, other):
        return node.text == other
    shown = node.text if isinstance(node, Scalar) else "…"
    problems.append(mistakes.not_one_of(node.span, shown, _a_value(option), (usual, other)))
    return None
