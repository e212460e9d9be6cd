"""What is applied, ready to run: the catalog, each journey as a program, and the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from engage.content.library import Library
from engage.content.project import Project, read_project
from engage.core.catalog import Catalog, TopicClass
from engage.core.dependence import shares_in
from engage.core.journey.model import Ask, ExitOnCondition, ExitOnEvent, Journey, WaitFor
from engage.core.journey.program import Program
from engage.core.journey.reading import read_journey
from engage.errors import EngageError
from engage.store import journeys as store

# What wakes a run that stands at an ask.
_ANSWERS = frozenset({"answered", "replied"})


@dataclass(frozen=True, slots=True)
class Active:
    """One applied journey. `interests`: events that may move a run; a condition in `exit_if` makes every event one.
    `silent`: in a virtual world that is about another journey, its start brings nobody; `enroll` does."""

    journey: Journey
    program: Program
    version: int
    draining: bool
    since: datetime  # first applied; starts before that never were
    interests: frozenset[str]
    any_event: bool
    silent: bool = False

    @property
    def starts(self) -> bool:
        """Whether its start brings anybody."""
        return not (self.draining or self.silent)

    def minds(self, event: str) -> bool:
        return self.any_event or event in self.interests


@dataclass(frozen=True)
class Applied:
    catalog: Catalog
    journeys: Mapping[str, Active]
    library: Library
    mark: str
    pinned: Mapping[tuple[str, int], Active] = field(default_factory=dict)  # versions that runs are to finish in

    def followed_by(self, journey_id: str | None, pinned_version: int | None) -> Active | None:
        """What a run of this journey goes by: the version it is to finish in, else the one in force."""
        if pinned_version is not None:
            return self.pinned.get((journey_id or "", pinned_version))
        return self.journeys.get(journey_id or "")

    def versions_of(self, journey_id: str) -> Iterator[tuple[int | None, Active]]:
        """Every version that runs of this journey go by, each with the pin of those runs."""
        if journey_id in self.journeys:
            yield None, self.journeys[journey_id]
        yield from ((version, active) for (name, version), active in self.pinned.items() if name == journey_id)

    @cached_property
    def ranked_shares(self) -> frozenset[tuple[str, int]]:
        """(field, percent): all that is asked for by segments, and journeys in any version that runs go by. Looked for
        once: they are asked for at every bell."""
        running = [active.journey for active in (*self.journeys.values(), *self.pinned.values())]
        return frozenset(shares_in((self.catalog.segments, running)))

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


def load_applied(connection: Connection, just_read: Project | None = None) -> Applied:
    """Read what `engage apply` has stored. Raises EngageError if that is nothing, or nothing this version can run.
    `just_read`: the project, if the caller has it at hand; the same files are not read twice."""
    stored = store.applied(connection)
    if not stored.files:
        raise EngageError(
            "nothing has been applied yet; run `engage apply` first", "还没有发布过任何内容；请先运行 `engage apply`"
        )
    project = _project_of(stored, just_read)
    journeys = dict(project.journeys)
    for journey_id in stored.draining:
        source = store.source_of(connection, journey_id, stored.versions[journey_id]) or ""
        journeys[journey_id] = _read_version(journey_id, source, project.catalog)
    active = {
        journey_id: _activate(journey, stored, stored.versions[journey_id])
        for journey_id, journey in sorted(journeys.items())
        if journey_id in stored.versions
    }
    pinned = {
        (journey_id, version): _activate(_read_version(journey_id, source, project.catalog), stored, version)
        for journey_id, version, source in store.pinned_versions(connection)
    }
    return Applied(project.catalog, active, project.library, stored.mark, pinned)


def _project_of(stored: store.Applied, just_read: Project | None) -> Project:
    if just_read is not None and just_read.sources == stored.files:
        return just_read
    project, problems = read_project(stored.files)
    if project is None:
        raise EngageError(
            f"what is applied cannot be run by this version ({len(problems)} problems); run `engage apply`",
            f"已发布的内容有 {len(problems)} 处这个版本不能运行；请运行 `engage apply`",
        )
    return project


def _read_version(journey_id: str, source: str, catalog: Catalog) -> Journey:
    """A version that has no file any more. `apply` has seen to it that the catalog still has its words."""
    journey, _ = read_journey(source, f"journeys/{journey_id}.yaml", catalog)
    if journey is None:
        raise EngageError(
            f"the journey {journey_id} has no file any more, and its members still need its old catalog",
            f"旅程 {journey_id} 的文件已经不在了，而其中的会员还需要它原来的 catalog",
        )
    return journey


def _activate(journey: Journey, stored: store.Applied, version: int) -> Active:
    return activate(journey, version, draining=journey.id in stored.draining, since=stored.since[journey.id])


def activate(journey: Journey, version: int, *, draining: bool, since: datetime) -> Active:
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
        version=version,
        draining=draining,
        since=since,
        interests=frozenset(interests),
        any_event=any_event,
    )
