"""Checks across files: journeys against templates and against each other; `paths` adds where steps lead.

What one file and the catalog can tell is checked while the file is read; this is the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from engage.core.catalog import Catalog, TopicClass
from engage.core.journey import misfits, nobody, wrong_turns
from engage.core.journey.editing import was_twice
from engage.core.journey.model import (
    Ask,
    ChannelPolicy,
    Enroll,
    Goto,
    Journey,
    Notify,
    OnAmbiguous,
    Send,
    Split,
    Step,
    Survey,
    Webhook,
    WinBy,
    blocks_of,
)
from engage.core.journey.never_comes import waits_for_nothing, waits_for_the_past
from engage.core.journey.paths import path_problems
from engage.core.journey.program import Program
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


def check_journeys(
    journeys: Iterable[Journey], catalog: Catalog, templates: TemplateIndex, faulty: Collection[str] = ()
) -> list[Problem]:
    """In the order of the journeys and, within each, of the file. `faulty`: ids of journeys whose own file has errors,
    which are told there; nobody is told on their account that they are unknown, or drafts."""
    journeys = tuple(journeys)
    known = {journey.id: journey for journey in journeys}
    problems: list[Problem] = []
    for journey in journeys:
        found = [problem for step in every_step(journey.steps) for problem in _step(step, journey, catalog, templates)]
        found += _enrolments(journey, known, faulty)
        found += was_twice(every_step(journey.steps))
        program = Program(journey)
        found += path_problems(program)
        jumps = any(isinstance(step, Goto) for step in every_step(journey.steps))
        found += waits_for_the_past(journey.steps) if not jumps else ()  # a jump may lead past a wait
        found += waits_for_nothing(program) if journey.id not in faulty else ()
        problems += sorted(found, key=lambda problem: (problem.span, problem.code))
    return problems


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps and all that is nested in them, in file order."""
    for step in steps:
        yield step
        for _, block in blocks_of(step):
            yield from every_step(block)


def webhooks_called(journeys: Iterable[Journey]) -> dict[str, list[str]]:
    """By name, the journeys that call it."""
    callers: dict[str, list[str]] = {}
    for journey in journeys:
        for name in sorted({step.name for step in every_step(journey.steps) if isinstance(step, Webhook)}):
            callers.setdefault(name, []).append(journey.id)
    return dict(sorted(callers.items()))


# --- words for every message ------------------------------------------------------------------------------------


def _step(step: Step, journey: Journey, catalog: Catalog, templates: TemplateIndex) -> Iterator[Problem]:
    if isinstance(step, Send) and step.on_ambiguous is OnAmbiguous.REPEAT:
        topic = catalog.topics.get(step.topic or journey.topic)
        if topic is not None and topic.topic_class is not TopicClass.SERVICE:
            yield misfits.only_service_repeats(step.span, topic.name)
    match step:
        case Send(template=str(name)):
            if written := templates.channels_of(name):
                yield from _channels(step, name, step.channels or journey.channels, written)
            else:
                yield misfits.unknown("template", step.span, name, templates.names())
        case Send():
            yield from _channels(step, step.id, step.channels or journey.channels, INLINE_TEXT_CHANNELS)
        case Ask():
            words = templates.ask_channels(step.id, step.survey)
            yield from _channels(step, step.id, step.channels or journey.channels, words)
        case Notify(team=name, copy_to=copies):
            for team in (name, *copies):
                if (known := catalog.teams.get(team)) and not known.webhook and not known.email:
                    yield misfits.nobody_is_told(step.span, team)
        case Split(winner=rule) if rule is not None and rule.by is WinBy.GOAL and journey.goal is None:
            yield wrong_turns.winner_without_goal(step.span)
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


def _enrolments(journey: Journey, known: Mapping[str, Journey], faulty: Collection[str]) -> Iterator[Problem]:
    titles = {other.title: other.id for other in known.values()}
    for step in every_step(journey.steps):
        if not isinstance(step, Enroll) or (step.journey in faulty and step.journey != journey.id):
            continue
        target = known.get(step.journey)
        if target is None:
            yield misfits.unknown("journey", step.span, step.journey, sorted(known), titles)
        elif target is journey:
            yield nobody.enrols_itself(step.span)
        elif target.draft and not journey.draft:
            yield nobody.enrols_in_a_draft(step.span, step.journey)
