"""Checks across files: journeys against templates and against each other, and paths that lead nowhere.

What one file and the catalog can tell is checked while the file is read; this is the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from engage.core.catalog import Catalog
from engage.core.journey import misfits
from engage.core.journey.model import (
    SCORE_RANGE,
    Ask,
    Branch,
    ChannelPolicy,
    Enroll,
    Exit,
    Journey,
    Notify,
    ScoreCase,
    Send,
    Step,
    Survey,
    Switch,
    WaitFor,
    blocks_of,
)
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem

# SMS providers send approved templates only, so words written in a journey cannot go out by SMS.
INLINE_TEXT_CHANNELS = frozenset({"wechat", "email"})


class TemplateIndex(Protocol):
    """What the templates on disk offer."""

    def names(self) -> Iterable[str]: ...

    def channels_of(self, name: str) -> frozenset[str]:
        """The channels a template is written for; empty for an unknown name."""
        ...

    def ask_channels(self, step_id: str, survey: Survey) -> frozenset[str]:
        """The channels a question can be put on, by its own template or the shipped one."""
        ...


def check_journeys(journeys: Iterable[Journey], catalog: Catalog, templates: TemplateIndex) -> list[Problem]:
    """In the order of the journeys and, within each, of the file."""
    journeys = tuple(journeys)
    known = sorted(journey.id for journey in journeys)
    problems: list[Problem] = []
    for journey in journeys:
        found = [problem for step in every_step(journey.steps) for problem in _step(step, journey, catalog, templates)]
        found += _unknown_journeys(journey, known)
        found += _unreachable(journey.steps)
        problems += sorted(found, key=lambda problem: (problem.span, problem.code))
    return problems


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps and all that is nested in them, in file order."""
    for step in steps:
        yield step
        for _, block in blocks_of(step):
            yield from every_step(block)


# --- words for every message ------------------------------------------------------------------------------------


def _step(step: Step, journey: Journey, catalog: Catalog, templates: TemplateIndex) -> Iterator[Problem]:
    match step:
        case Send(template=str(name)):
            if name not in set(templates.names()):
                yield misfits.unknown("template", step.span, name, templates.names())
            else:
                yield from _channels(step, name, step.channels or journey.channels, templates.channels_of(name))
        case Send():
            yield from _channels(step, step.id, step.channels or journey.channels, INLINE_TEXT_CHANNELS)
        case Ask():
            words = templates.ask_channels(step.id, step.survey)
            yield from _channels(step, step.id, step.channels or journey.channels, words)
        case Notify(team=name, copy_to=copies):
            for team in (name, *copies):
                if (known := catalog.teams.get(team)) and not known.webhook and not known.email:
                    yield misfits.nobody_is_told(step.span, team)
        case _:
            pass


def _channels(step: Step, name: str, policy: ChannelPolicy, written: frozenset[str]) -> Iterator[Problem]:
    """No words at all is an error; a channel asked for by name and never usable deserves a word."""
    may = policy.order or CHANNELS
    if not written.intersection(may):
        yield misfits.no_usable_channel(step.span, name, may, sorted(written))
        return
    for channel in policy.order or ():
        if channel not in written:
            yield misfits.channel_without_words(step.span, name, channel)


# --- the other journeys -----------------------------------------------------------------------------------------


def _unknown_journeys(journey: Journey, known: list[str]) -> Iterator[Problem]:
    for step in every_step(journey.steps):
        if isinstance(step, Enroll) and step.journey not in known:
            yield misfits.unknown("journey", step.span, step.journey, known)


# --- paths that lead nowhere ------------------------------------------------------------------------------------


def _unreachable(steps: tuple[Step, ...]) -> Iterator[Problem]:
    """The first step of each list that stands after everyone has left."""
    for position, step in enumerate(steps[:-1]):
        if everyone_leaves(step):
            yield misfits.unreachable(steps[position + 1].span, step.span)
            break
    for step in steps:
        for _, block in blocks_of(step):
            yield from _unreachable(block)


def everyone_leaves(step: Step) -> bool:
    """Whether no run goes on after this step."""
    if step.only_if is not None:
        return False
    match step:
        case Exit():
            return True
        case Branch(arms=arms):
            return arms[-1].condition is None and all(_block_leaves(arm.steps) for arm in arms) if arms else False
        case WaitFor(then=then, otherwise=otherwise):
            return _block_leaves(then) and _block_leaves(otherwise)
        case Switch(cases=cases, no_answer=no_answer, otherwise=otherwise):
            ways = [case.steps for case in cases]
            covered = _all_scores(cases) or _block_leaves(otherwise)
            return bool(ways) and covered and all(map(_block_leaves, [*ways, no_answer]))
        case _:
            return False


def _block_leaves(steps: tuple[Step, ...]) -> bool:
    return any(everyone_leaves(step) for step in steps)


def _all_scores(cases: Iterable[object]) -> bool:
    """Whether the cases alone take every score of some survey."""
    scores = {score for case in cases if isinstance(case, ScoreCase) for score in range(case.low, case.high + 1)}
    return any(set(range(low, high + 1)) == scores for low, high in SCORE_RANGE.values())
