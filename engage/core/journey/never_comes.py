"""Waits for what cannot come: a click before anything is sent, a task's end before anybody is told, an event that
lacks what `where` asks of it, a day that is over. Only what is certain is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engage.core.catalog import RESPONSE_EVENTS, Event
from engage.core.condition import All, Any, Compare, Condition, ContextValue, Unknown
from engage.core.journey.mistakes import listed
from engage.core.journey.model import Ask, Branch, Exit, Goto, Notify, Send, Step, Wait, WaitFor, blocks_of
from engage.core.journey.program import Program
from engage.core.problem import Problem, Said, Severity, Span
from engage.core.timing import UntilEntryDay

_Kinds = frozenset[type[Step]]

_BRINGS: Mapping[str, _Kinds] = {
    **{event: frozenset({Send, Ask}) for event in RESPONSE_EVENTS},
    "answered": frozenset({Ask}),
    "task_done": frozenset({Notify}),
}


def waits_for_nothing(program: Program) -> Iterator[Problem]:
    """Responses count only for the run's own messages and tasks: some step before the wait must bring them."""
    steps = (program.step(step_id) for step_id in program.ids)
    waits = [step for step in steps if isinstance(step, WaitFor) and not _BRINGS.keys().isdisjoint(step.events)]
    before = _kinds_before(program) if waits else {}
    for wait in waits:
        for event in wait.events:
            passed = before.get(wait.id)  # None: nobody gets there, which `paths` tells
            if event in _BRINGS and passed is not None and passed.isdisjoint(_BRINGS[event]):
                yield _nothing_brings(wait.span, event, _BRINGS[event])


def _kinds_before(program: Program) -> Mapping[str, _Kinds]:
    """What kinds of steps a run may have passed before it comes to a step, on any way."""
    before: dict[str, _Kinds] = {}
    ahead: list[tuple[str | None, _Kinds]] = [(program.first, frozenset())]
    while ahead:
        step_id, passed = ahead.pop()
        if step_id is None or (step_id in before and passed <= before[step_id]):
            continue
        step = program.step(step_id)
        before[step_id] = before.get(step_id, frozenset()) | passed
        ahead += [(onward, before[step_id] | {type(step)}) for onward in _onward(step, program)]
    return before


def _onward(step: Step, program: Program) -> Iterator[str | None]:
    blocks = blocks_of(step)
    for _, block in blocks:
        yield program.enter(block, step.id)
    if isinstance(step, Goto) and step.target in program.ids:  # else it was reported when the step was read
        yield step.target
    leaves = isinstance(step, Exit) or (isinstance(step, Goto) and step.at_most is None)
    complete = bool(blocks) and not (isinstance(step, Branch) and step.arms[-1].condition is not None)
    if step.only_if is not None or not (leaves or complete):
        yield program.after(step.id)


def _nothing_brings(span: Span, event: str, kinds: _Kinds) -> Problem:
    verbs = listed(f"`{kind.__name__.lower()}`" for kind in (Send, Ask, Notify) if kind in kinds)
    return Problem(
        "E319",
        span,
        Said(
            f"`{event}` cannot come: no step before this one brings it",
            f"`{event}` 不会发生：这一步之前没有能引起它的步骤",
        ),
        notes=(
            Said(
                "it counts only for messages and tasks of this journey's own run",
                "只有这个旅程自己发出的消息和任务才算",
            ),
        ),
        help=(Said(f"put it below a step with {verbs}", f"请放在 {verbs} 步骤之后"),),
        severity=Severity.WARNING,
    )


# --- days that are over -----------------------------------------------------------------------------------------


def waits_for_the_past(steps: Sequence[Step], passed: int = -1) -> Iterator[Problem]:
    """`passed`: the day that every run has waited for above these steps."""
    for step in steps:
        if isinstance(step, Wait) and isinstance(step.until, UntilEntryDay):
            if step.until.day < passed:
                yield _over_already(step.span, step.until.day, passed)
            elif step.only_if is None:
                passed = step.until.day
        for _, block in blocks_of(step):
            yield from waits_for_the_past(block, passed)


def _over_already(span: Span, day: int, passed: int) -> Problem:
    return Problem(
        "E341",
        span,
        Said(
            f"day {day} is over here: a step above waits until day {passed}",
            f"到这里第 {day} 天已经过了：上面的步骤要等到第 {passed} 天",
        ),
        notes=(Said("days are counted from when the member entered", "天数从会员进入旅程时算起"),),
        help=(
            Said(
                f"for {day} days after the step above write  wait: {day}d",
                f"如果是上一步之后再等 {day} 天，请写  wait: {day}d",
            ),
        ),
        severity=Severity.WARNING,
    )


# --- `where` ----------------------------------------------------------------------------------------------------


def lacks_what_is_asked(span: Span, condition: Condition, events: Mapping[str, Event]) -> Iterator[Problem]:
    """Of several events that one `where` is about: those that can never meet it."""
    for event in events.values():
        missing = next(_asked_in_vain(condition, event), None)
        if missing is not None:
            yield _never_meets(span, event.name, missing)


def _asked_in_vain(condition: Condition, event: Event) -> Iterator[str]:
    """The keys that the event lacks and the condition cannot do without. What is missing meets `unknown` only."""
    match condition:
        case Compare(ContextValue("event", key), test) if key not in event.payload and not isinstance(test, Unknown):
            yield key
        case All(parts):
            for part in parts:
                yield from _asked_in_vain(part, event)
        case Any(parts):
            keys = [next(_asked_in_vain(part, event), None) for part in parts]
            yield from (key for key in keys[:1] if key is not None and None not in keys)
        case _:
            pass


def _never_meets(span: Span, event: str, key: str) -> Problem:
    either = f"any: [ {{ event.{key}: … }}, {{ event.{key}: unknown }} ]"
    return Problem(
        "E313",
        span,
        Said(
            f"`{event}` does not carry `{key}`, so it would never count here",
            f"`{event}` 没有带 `{key}`，所以在这里永远不算数",
        ),
        help=(
            Said(
                f"leave `{event}` out, or let it count as it is: {either}",
                f"请去掉 `{event}`；如果它不看这个条件也算，请写 {either}",
            ),
        ),
    )
