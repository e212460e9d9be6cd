"""What is applied, ready to run: the catalog, each journey as a program, and the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engage.content.library import Library
from engage.content.project import read_project
from engage.core.catalog import Catalog, TopicClass
from engage.core.journey.model import Ask, ExitOnCondition, ExitOnEvent, Journey, WaitFor
from engage.core.journey.program import Program
from engage.core.journey.reading import read_journey
from engage.errors import EngageError
from engage.store import journeys as store

# What wakes a run that stands at an ask.
_ANSWERS = frozenset({"answered", "replied"})


@dataclass(frozen=True, slots=True)
class Active:
    """One applied journey. `interests`: events that may move a run; a condition in `exit_if` makes every event one."""

    journey: Journey
    program: Program
    version: int
    draining: bool
    since: datetime  # first applied; starts before that never were
    interests: frozenset[str]
    any_event: bool

    def minds(self, event: str) -> bool:
        return self.any_event or event in self.interests


@dataclass(frozen=True, slots=True)
class Applied:
    catalog: Catalog
    journeys: Mapping[str, Active]
    library: Library
    mark: str

    def topic_class(self, topic: str) -> TopicClass:
        """A topic that has left the catalog keeps the stricter rule."""
        known = self.catalog.topics.get(topic)
        return known.topic_class if known is not None else TopicClass.MARKETING

    @property
    def refusable_topics(self) -> list[str]:
        """What an opt-out covers: all that is not service."""
        return [name for name, topic in self.catalog.topics.items() if topic.topic_class is not TopicClass.SERVICE]

    @property
    def service_topic(self) -> str:
        services = [name for name, topic in self.catalog.topics.items() if topic.topic_class is TopicClass.SERVICE]
        return services[0] if services else "service"


def load_applied(connection: Connection) -> Applied:
    """Read what `engage apply` has stored. Raises EngageError if that is nothing, or nothing this version can run."""
    stored = store.applied(connection)
    if not stored.files:
        raise EngageError("nothing has been applied yet; run `engage apply` first")
    project, problems = read_project(stored.files)
    if project is None:
        raise EngageError(
            f"what is applied cannot be run by this version ({len(problems)} problems); run `engage apply`"
        )
    journeys = dict(project.journeys)
    for journey_id in stored.draining:
        journeys[journey_id] = _read_drained(connection, journey_id, stored.versions[journey_id], project.catalog)
    active = {
        journey_id: _activate(journey, stored)
        for journey_id, journey in sorted(journeys.items())
        if journey_id in stored.versions
    }
    return Applied(project.catalog, active, project.library, stored.mark)


def _read_drained(connection: Connection, journey_id: str, version: int, catalog: Catalog) -> Journey:
    source = store.source_of(connection, journey_id, version) or ""
    journey, _ = read_journey(source, f"journeys/{journey_id}.yaml", catalog)
    if journey is None:
        raise EngageError(f"the journey {journey_id} has no file any more, and its members still need its old catalog")
    return journey


def _activate(journey: Journey, stored: store.Applied) -> Active:
    program = Program(journey)
    interests = {rule.event for rule in journey.exit_if if isinstance(rule, ExitOnEvent)}
    if journey.goal is not None:
        interests.add(journey.goal.event)
    for step_id in program.ids:
        match program.step(step_id):
            case WaitFor(events=events):
                interests.update(events)
            case Ask():
                interests |= _ANSWERS
            case _:
                pass
    any_event = any(isinstance(rule, ExitOnCondition) for rule in journey.exit_if)
    return Active(
        journey=journey,
        program=program,
        version=stored.versions[journey.id],
        draining=journey.id in stored.draining,
        since=stored.since[journey.id],
        interests=frozenset(interests),
        any_event=any_event,
    )
