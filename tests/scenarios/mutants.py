"""Mutants of a journey: each as its author might get it wrong in one place, and what was changed there.

Made on the frozen model, so that hundreds of them cost nothing to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any

from engage.core.condition import All, Between, Compare, Condition, Did, Not, OneOf, OverAgo, Test, WithinLast
from engage.core.condition import Any as AnyOf
from engage.core.journey.model import (
    Ask,
    Branch,
    ChannelPolicy,
    Enroll,
    Exit,
    ExitOnCondition,
    ExitOnEvent,
    Goal,
    Journey,
    Notify,
    OnDate,
    OnEvent,
    OnFail,
    OnSchedule,
    Reentry,
    ScoreCase,
    Send,
    Split,
    Step,
    Switch,
    Update,
    Wait,
    WaitFor,
    Webhook,
)
from engage.core.timing import For, UntilDays, UntilEntryDay, WaitSpec

ONE_DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Mutant:
    what: str  # "welcome: wait>welcome_guide: a day longer"
    step_id: str | None  # where; None for the journey as a whole
    journey: Journey


def mutants_of(journey: Journey) -> Iterator[Mutant]:
    for what, changed in _of_top(journey):
        yield Mutant(f"{journey.id}: {what}", None, changed)
    for step_id, what, steps in _of_block(journey.steps):
        yield Mutant(f"{journey.id}: {step_id}: {what}", step_id, replace(journey, steps=steps))


# --- the top of the file ----------------------------------------------------------------------------------------


def _of_top(journey: Journey) -> Iterator[tuple[str, Journey]]:
    for what, start in _of_start(journey.start):
        yield f"start {what}", replace(journey, start=start)
    for name in ("audience", "exclude"):
        condition = getattr(journey, name)
        if condition is not None:
            yield f"{name} negated", replace(journey, **{name: Not(condition)})
            yield f"{name} removed", replace(journey, **{name: None})
            for number, without in enumerate(_without_one(condition), start=1):
                yield f"{name} without line {number}", replace(journey, **{name: without})
            for what, other in _of_numbers(condition):
                yield f"{name} {what}", replace(journey, **{name: other})
    for number, rule in enumerate(journey.exit_if):
        rest = journey.exit_if[:number] + journey.exit_if[number + 1 :]
        yield f"exit_if {number + 1} removed", replace(journey, exit_if=rest)
        if isinstance(rule, ExitOnCondition):
            negated = (ExitOnCondition(Not(rule.condition)),)
            yield f"exit_if {number + 1} negated", replace(journey, exit_if=rest + negated)
            for what, other in _of_numbers(rule.condition):
                yield f"exit_if {number + 1} {what}", replace(journey, exit_if=(*rest, ExitOnCondition(other)))
        elif isinstance(rule, ExitOnEvent):
            yield f"exit_if {number + 1} another event", replace(journey, exit_if=(*rest, ExitOnEvent("store_visited")))
    if journey.goal is not None:
        yield from ((f"goal {what}", replace(journey, goal=goal)) for what, goal in _of_goal(journey.goal))
    if journey.holdout:
        yield "holdout removed", replace(journey, holdout=0)
    yield "another topic", replace(journey, topic="service" if journey.topic != "service" else "marketing")
    for what, policy in _of_policy(journey.channels):
        yield what, replace(journey, channels=policy)
    reentry = Reentry.always() if journey.reentry != Reentry.always() else Reentry(never=True)
    yield "another reentry", replace(journey, reentry=reentry)
    if journey.reentry.after is not None:
        yield "reentry a year later", replace(journey, reentry=Reentry(after=timedelta(days=365)))
    yield "lowest priority", replace(journey, priority=0)
    if journey.per is not None:
        yield "per removed", replace(journey, per=None)


def _of_start(start: Any) -> Iterator[tuple[str, Any]]:
    match start:
        case OnEvent(where=where) if where is not None:
            yield "where negated", replace(start, where=Not(where))
            yield "where removed", replace(start, where=None)
            for number, without in enumerate(_without_one(where), start=1):
                yield f"where without line {number}", replace(start, where=without)
            for what, other in _of_numbers(where):
                yield f"where {what}", replace(start, where=other)
        case OnDate(at=at, offset=offset):
            yield "an hour later", replace(start, at=_later(at))
            yield "a day later", replace(start, offset=offset + ONE_DAY)
            yield "without offset", replace(start, offset=timedelta(0))
        case OnSchedule(times=times):
            yield "an hour later", replace(start, times=tuple(_later(at) for at in times))
        case _:
            pass


def _of_goal(goal: Goal) -> Iterator[tuple[str, Goal | None]]:
    yield "removed", None
    yield "then continue", replace(goal, then_exit=not goal.then_exit)
    yield "within an hour", replace(goal, within=HOUR)
    if goal.within is not None:
        yield "within a third", replace(goal, within=goal.within / 3)
    if goal.where is not None:
        yield "where removed", replace(goal, where=None)
        yield "where negated", replace(goal, where=Not(goal.where))


def _of_policy(policy: ChannelPolicy | None) -> Iterator[tuple[str, ChannelPolicy]]:
    if policy is None:
        return
    for channel in policy.order or ():
        yield f"without {channel}", replace(policy, order=tuple(c for c in policy.order or () if c != channel))
    if policy.fallback is not None:
        yield "without fallback", replace(policy, fallback=None)
        later = replace(policy.fallback, after=policy.fallback.after + ONE_DAY)
        yield "fallback a day later", replace(policy, fallback=later)


def _without_one(condition: Condition) -> Iterator[Condition]:
    parts = getattr(condition, "parts", ())
    if len(parts) > 1:
        yield from (type(condition)(parts[:i] + parts[i + 1 :]) for i in range(len(parts)))  # type: ignore[call-arg]


def _of_numbers(condition: Condition) -> Iterator[tuple[str, Condition]]:
    """Every number and period in it a little smaller, and a little larger."""
    match condition:
        case All(parts) | AnyOf(parts):
            for place, part in enumerate(parts):
                yield from ((what, type(condition)(_put(parts, place, other))) for what, other in _of_numbers(part))
        case Not(part):
            yield from ((what, Not(other)) for what, other in _of_numbers(part))
        case Compare(_, test):
            yield from ((what, replace(condition, test=other)) for what, other in _of_test(test))
        case Did(at_least=times, within=within):
            yield f"did {times + 1} times", replace(condition, at_least=times + 1)
            if within is not None:
                yield f"did within twice {within}", replace(condition, within=2 * within)
                yield f"did within half {within}", replace(condition, within=within / 2)
        case _:
            pass


def _of_test(test: Test) -> Iterator[tuple[str, Test]]:
    match test:
        case Between(low, high):
            for end, value in (("low", low), ("high", high)):
                step = max(1, int(value / 10)) if value is not None else 0
                if value is not None:
                    yield f"{_spelt(test)} {end} - {step}", replace(test, **{end: value - step})
                    yield f"{_spelt(test)} {end} + {step}", replace(test, **{end: value + step})
        case WithinLast(period) | OverAgo(period):
            yield f"twice {period}", replace(test, period=2 * period)
            yield f"half of {period}", replace(test, period=period / 2)
        case OneOf(values) if len(values) > 1:
            yield from ((f"without {value}", OneOf(tuple(v for v in values if v != value))) for value in values)
        case _:
            pass


def _spelt(test: Between) -> str:
    low, high = ("" if end is None else str(end) for end in (test.low, test.high))
    return f"{low}..{high}"


def _later(at: time) -> time:
    return at.replace(hour=(at.hour + 1) % 24)


# --- steps ------------------------------------------------------------------------------------------------------

Changed = tuple[str, str, tuple[Step, ...]]
"""(step id, what, the block with the change)"""


def _of_block(steps: tuple[Step, ...]) -> Iterator[Changed]:
    for place, step in enumerate(steps):
        before, after = steps[:place], steps[place + 1 :]
        for what, changed in _of_step(step):
            yield step.id, what, (*before, changed, *after)
        yield step.id, "removed", (*before, *after)
        for step_id, what, inner in _inside(step):
            yield step_id, what, (*before, inner, *after)


def _of_step(step: Step) -> Iterator[tuple[str, Step]]:
    if step.only_if is not None:
        yield "only_if removed", replace(step, only_if=None)
        yield "only_if negated", replace(step, only_if=Not(step.only_if))
        for what, other in _of_numbers(step.only_if):
            yield f"only_if {what}", replace(step, only_if=other)
    match step:
        case Send() | Ask():
            yield from _of_message(step)
        case Wait():
            yield from ((what, replace(step, until=until)) for what, until in _of_wait(step.until))
        case WaitFor():
            yield "up_to a day longer", replace(step, up_to=step.up_to + ONE_DAY)
            yield "up_to an hour shorter", replace(step, up_to=step.up_to - HOUR)
            if step.then or step.otherwise:
                yield "then and else swapped", replace(step, then=step.otherwise, otherwise=step.then)
            if len(step.events) > 1:
                yield from (
                    (f"without {event}", replace(step, events=tuple(e for e in step.events if e != event)))
                    for event in step.events
                )
        case Branch():
            for place, arm in enumerate(step.arms):
                if arm.condition is not None:
                    negated = replace(arm, condition=Not(arm.condition))
                    yield f"{arm.name} negated", replace(step, arms=_put(step.arms, place, negated))
                    for what, other in _of_numbers(arm.condition):
                        changed = replace(arm, condition=other)
                        yield f"{arm.name} {what}", replace(step, arms=_put(step.arms, place, changed))
            if len(step.arms) > 2:
                first, second, *rest = step.arms
                yield "arms in another order", replace(step, arms=(second, first, *rest))
        case Switch():
            yield from _of_switch(step)
        case Split():
            ways = tuple(
                replace(way, steps=other.steps) for way, other in zip(step.ways, reversed(step.ways), strict=True)
            )
            yield "ways swapped", replace(step, ways=ways)
        case Notify():
            if step.due is not None:
                yield "due a day later", replace(step, due=step.due + ONE_DAY)
            yield "urgent or not", replace(step, urgent=not step.urgent)
        case Webhook():
            yield from ((f"on_fail {other}", replace(step, on_fail=other)) for other in OnFail if other != step.on_fail)
        case Update() | Enroll():
            pass
        case Exit():
            yield "another reason", replace(step, reason="别的原因")
        case _:
            pass


def _of_message(step: Send | Ask) -> Iterator[tuple[str, Step]]:
    for what, policy in _of_policy(step.channels):
        yield what, replace(step, channels=policy)
    if isinstance(step, Send):
        if step.topic is not None:
            yield "topic of the journey", replace(step, topic=None)
        if step.late is not None:
            yield "late removed", replace(step, late=None)
        return
    yield "another topic", replace(step, topic="service")
    yield "answer_within a day longer", replace(step, answer_within=step.answer_within + ONE_DAY)
    yield "answer_within a day shorter", replace(step, answer_within=step.answer_within - ONE_DAY)
    if step.remind is not None:
        yield "remind removed", replace(step, remind=None)
        yield "remind a day later", replace(step, remind=step.remind + ONE_DAY)
    if step.comment is not None:
        yield "comment removed", replace(step, comment=None)


def _of_wait(until: WaitSpec) -> Iterator[tuple[str, WaitSpec]]:
    match until:
        case For(period=period, at=at):
            yield "a day longer", replace(until, period=period + ONE_DAY)
            yield "an hour longer", replace(until, period=period + HOUR)
            if at is not None:
                yield "an hour later", replace(until, at=_later(at))
                yield "without at", replace(until, at=None)
        case UntilEntryDay(day=day, at=at):
            yield "a day longer", replace(until, day=day + 1)
            if at is not None:
                yield "an hour later", replace(until, at=_later(at))
        case UntilDays(at=at):
            yield "an hour later", replace(until, at=_later(at))
        case _:
            pass


def _of_switch(step: Switch) -> Iterator[tuple[str, Step]]:
    for place, case in enumerate(step.cases):
        if not isinstance(case, ScoreCase) or place + 1 == len(step.cases):
            continue
        following = step.cases[place + 1]
        if isinstance(following, ScoreCase):
            wider = (replace(case, high=case.high + 1), replace(following, low=following.low + 1))
            narrower = (replace(case, high=case.high - 1), replace(following, low=following.low - 1))
            swapped = (replace(case, steps=following.steps), replace(following, steps=case.steps))
            for what, pair in (("one more", wider), ("one less", narrower), ("swapped", swapped)):
                cases = (*step.cases[:place], *pair, *step.cases[place + 2 :])
                yield f"case {place + 1} {what}", replace(step, cases=cases)


def _put(parts: tuple[Any, ...], place: int, changed: Any) -> tuple[Any, ...]:
    return (*parts[:place], changed, *parts[place + 1 :])


# --- steps within steps -----------------------------------------------------------------------------------------


def _inside(step: Step) -> Iterator[tuple[str, str, Step]]:
    for rebuild, block in _blocks(step):
        for step_id, what, changed in _of_block(block):
            yield step_id, what, rebuild(changed)


def _blocks(step: Step) -> Iterator[tuple[Callable[[tuple[Step, ...]], Step], tuple[Step, ...]]]:
    match step:
        case WaitFor():
            yield lambda block: replace(step, then=block), step.then
            yield lambda block: replace(step, otherwise=block), step.otherwise
        case Branch(arms=parts):
            name = "arms"
        case Switch(cases=parts):
            name = "cases"
            yield lambda block: replace(step, no_answer=block), step.no_answer
            yield lambda block: replace(step, otherwise=block), step.otherwise
        case Split(ways=parts):
            name = "ways"
        case _:
            return
    if isinstance(step, Branch | Switch | Split):
        for place, part in enumerate(parts):
            yield _in_part(step, name, parts, place), part.steps


def _in_part(step: Step, name: str, parts: tuple[Any, ...], place: int) -> Callable[[tuple[Step, ...]], Step]:
    return lambda block: replace(step, **{name: _put(parts, place, replace(parts[place], steps=block))})
