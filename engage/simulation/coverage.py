"""Which ways through a journey the tests have walked, and which not: every arm of every choice, both ways of every wait
and of every `only_if`, answered and not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engage.core.journey.check import every_step
from engage.core.journey.model import (
    Ask,
    Branch,
    Goto,
    Journey,
    Split,
    Step,
    Switch,
    WaitFor,
    case_name,
)
from engage.core.problem import Span
from engage.core.testfile.model import Verb
from engage.simulation.playing import Played
from engage.simulation.timeline import Happening

Walked = frozenset[tuple[str, str, str]]
"""(journey, step, arm)"""

_HELD, _HELD_NOT = "only_if: yes", "only_if: no"
_NONE_HOLDS = "none holds"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way through one step."""

    journey: str
    step_id: str
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one journey."""

    journey: str
    arms: Sequence[Arm]
    missing: Sequence[Arm]

    @property
    def percent(self) -> int:
        """100 only if nothing is missing."""
        return 100 * (len(self.arms) - len(self.missing)) // len(self.arms) if self.arms else 100


def coverage_of(journeys: Iterable[Journey], played: Iterable[Played]) -> list[Coverage]:
    """A journey is also walked by the tests of others that enroll into it."""
    walked = frozenset(arm for done in played if not done.case.holdout for arm in _walked(done.timeline))
    found = []
    for journey in journeys:
        arms = [Arm(journey.id, step.id, name, step.span) for step in every_step(journey.steps) for name in _arms(step)]
        missing = [arm for arm in arms if (arm.journey, arm.step_id, arm.name) not in walked]
        found.append(Coverage(journey.id, arms, missing))
    return found


def _arms(step: Step) -> Iterator[str]:
    if step.only_if is not None:
        yield from (_HELD, _HELD_NOT)
    match step:
        case Ask():
            yield from ("answered", "no_answer")
        case WaitFor():
            yield from ("then", "else")
        case Branch(arms=arms):
            yield from (arm.name for arm in arms)
            if arms[-1].condition is not None:
                yield _NONE_HOLDS
        case Switch(cases=cases, otherwise=otherwise):
            yield from (*(case_name(case) for case in cases), "no_answer")
            if otherwise:
                yield "else"
        case Split(ways=ways):
            yield from (way.name for way in ways if way.share > 0)
        case Goto(at_most=int()):
            yield from ("jumps", "goes on")
        case _:
            pass


def _walked(timeline: Iterable[Happening]) -> Iterator[tuple[str, str, str]]:
    for line in timeline:
        if line.journey is not None and line.step_id is not None:
            yield from ((line.journey, line.step_id, arm) for arm in _arms_walked(line))


def _arms_walked(line: Happening) -> Iterator[str]:
    if line.verb == Verb.PASSED_OVER:
        yield _HELD_NOT
        return
    yield _HELD
    match line.verb:
        case Verb.ANSWERED | Verb.NO_ANSWER:
            yield line.verb
        case "happened":
            yield "then"
        case "timeout":
            yield "else"
        case "branch":
            yield line.detail or _NONE_HOLDS
        case "switch":
            yield line.detail or ""
        case Verb.SPLIT:
            yield line.words or ""
        case "goto":
            yield "jumps"
        case "goto_used_up":
            yield "goes on"
        case _:
            pass
