"""Where steps lead: loops without a bound or a wait, steps nobody ever reaches.

A way round is looked for in the program's own successors, so that nesting and jumps are followed as a run follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from engage.core.journey import wrong_turns
from engage.core.journey.model import (
    SCORE_RANGE,
    Ask,
    Branch,
    Exit,
    Goto,
    OptionCase,
    ScoreCase,
    Split,
    Step,
    Switch,
    Wait,
    WaitFor,
    blocks_of,
)
from engage.core.journey.program import Program
from engage.core.problem import Problem


def path_problems(program: Program) -> Iterator[Problem]:
    steps = {step_id: program.step(step_id) for step_id in program.ids}
    jumps = [step for step in steps.values() if isinstance(step, Goto)]
    for jump in jumps:
        yield from _jump(jump, program, steps)
    yield from _unreachable(program.journey.steps, frozenset(jump.target for jump in jumps))


# --- goto -------------------------------------------------------------------------------------------------------


def _jump(jump: Goto, program: Program, steps: Mapping[str, Step]) -> Iterator[Problem]:
    target = steps.get(jump.target)
    if target is None or not program.is_behind(jump.target, jump.id):
        return  # a target that does not exist was reported when the step was read
    if jump.at_most is None:
        yield wrong_turns.backward_without_bound(jump.span, jump.target, target.span)
    if _comes_round_at_once(jump, program, steps):
        yield wrong_turns.loop_without_wait(jump.span, jump.target, target.span)


def _comes_round_at_once(jump: Goto, program: Program, steps: Mapping[str, Step]) -> bool:
    """Whether a run can come from the target back to the `goto` without anything that takes time."""
    seen: set[str] = set()
    ahead = [jump.target]
    while ahead:
        step_id = ahead.pop()
        if step_id == jump.id:
            return True
        if step_id not in seen and step_id in steps:
            seen.add(step_id)
            ahead += _onward_at_once(steps[step_id], program)
    return False


def _onward_at_once(step: Step, program: Program) -> Iterator[str]:
    """Where a run may stand next without having waited."""
    after = program.after(step.id)
    onward = {after} if step.only_if is not None else set()
    match step:
        case Exit() | Wait() | WaitFor() | Ask():
            pass
        case Goto(target=target, at_most=at_most):
            onward |= {target} if at_most is None else {target, after}
        case Branch(arms=arms):
            onward |= {program.enter(arm.steps, step.id) for arm in arms}
            onward |= {after} if arms[-1].condition is not None else set()
        case Switch(cases=cases, no_answer=no_answer, otherwise=otherwise):
            blocks = [*(case.steps for case in cases), no_answer]
            blocks += [] if _takes_every_answer(step, program) else [otherwise]
            onward |= {program.enter(block, step.id) for block in blocks}
        case Split(ways=ways):
            onward |= {program.enter(way.steps, step.id) for way in ways}
        case _:
            onward.add(after)
    return (step_id for step_id in onward if step_id is not None)


def _takes_every_answer(step: Switch, program: Program) -> bool:
    ask = program.asks.get(step.answer)
    named = {case.option for case in step.cases if isinstance(case, OptionCase)}
    return _all_scores(step.cases) or (ask is not None and bool(named) and named == set(ask.options))


# --- steps nobody reaches ---------------------------------------------------------------------------------------


def _unreachable(steps: tuple[Step, ...], targets: frozenset[str]) -> Iterator[Problem]:
    """The first step of each list that stands after everyone has left, and that no `goto` leads to."""
    for step, following in pairwise(steps):
        if everyone_leaves(step, targets) and not _holds_any(following, targets):
            yield wrong_turns.unreachable(following.span, step.span)
            break
    for step in steps:
        for _, block in blocks_of(step):
            yield from _unreachable(block, targets)


def everyone_leaves(step: Step, targets: frozenset[str] = frozenset()) -> bool:
    """Whether no run goes on to what stands below this step."""
    if step.only_if is not None:
        return False
    match step:
        case Exit():
            return True
        case Goto(at_most=at_most):
            return at_most is None
        case Branch(arms=arms):
            complete = bool(arms) and arms[-1].condition is None
            return complete and all(_block_leaves(arm.steps, targets) for arm in arms)
        case Switch(cases=cases, no_answer=no_answer, otherwise=otherwise):
            covered = _all_scores(cases) or _block_leaves(otherwise, targets)
            ways = [*(case.steps for case in cases), no_answer]
            return bool(cases) and covered and all(_block_leaves(way, targets) for way in ways)
        case _:
            blocks = blocks_of(step)
            return bool(blocks) and all(_block_leaves(block, targets) for _, block in blocks)


def _block_leaves(steps: tuple[Step, ...], targets: frozenset[str]) -> bool:
    """A `goto` from elsewhere may lead back in below an exit."""
    left = False
    for step in steps:
        left = everyone_leaves(step, targets) or (left and not _holds_any(step, targets))
    return left


def _holds_any(step: Step, targets: frozenset[str]) -> bool:
    """Whether a target is this step, or lies in it."""
    return step.id in targets or any(_holds_any(each, targets) for _, block in blocks_of(step) for each in block)


def _all_scores(cases: Iterable[object]) -> bool:
    """Whether the cases alone take every score of some survey."""
    scores = {score for case in cases if isinstance(case, ScoreCase) for score in range(case.low, case.high + 1)}
    return any(set(range(low, high + 1)) == scores for low, high in SCORE_RANGE.values())
