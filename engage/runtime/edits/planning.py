"""Planning: files that have been checked, against what runs and who is on the way. Reads only.

Everything is worked out as `apply` will do it: the runs that move, and where to. A plan is what is told of that;
whoever applies takes the same work and carries it out, in the transaction in which it was worked out.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from engage.content.project import CATALOG, Project, read_project
from engage.content.template import problems_stop
from engage.core.catalog import Catalog
from engage.core.journey.alignment import is_anonymous_wait
from engage.core.journey.diff import Fate, Gone, JourneyDiff, Kept, diff
from engage.core.journey.model import Journey, Manual, OnEdit
from engage.core.journey.program import Program
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.moving import What
from engage.core.problem import Problem, Severity
from engage.runtime.edits.moving import Moved, Mover, messages_ahead, who
from engage.runtime.edits.plan import (
    Change,
    FileStays,
    Homeless,
    JourneyPlan,
    NeedsDraft,
    NotRunning,
    Plan,
    Refusal,
    Rules,
    SmallerHoldout,
    StepPlan,
    Terms,
    Unreadable,
)
from engage.runtime.edits.settling import would_enter
from engage.store import journeys as store
from engage.store.edits import moving, plans
from engage.store.edits.moving import RunKey
from engage.store.insight import overview

Names = Mapping[str, Mapping[str, str]]
"""By journey, which old step is which new one, where that is known and not to be found out."""


@dataclass(frozen=True, slots=True)
class Work:
    """What applying does to the runs of one journey. `names`: of old steps that live on, the new ids; `record`: under
    which names what is on record about steps goes on; `renamed`: steps that are only called otherwise; `before`: the
    version by which members enter until then."""

    plan: JourneyPlan
    names: Mapping[str, str] | None = None
    record: Mapping[str, str] = field(default_factory=dict)
    mover: Mover | None = None
    renamed: Sequence[Kept] = ()
    moved: Sequence[Moved] = ()
    pinned: Sequence[RunKey] = ()
    stopped: Sequence[RunKey] = ()
    before: Journey | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan
    project: Project
    running: Mapping[str, Journey]
    works: tuple[Work, ...]


def make_plan(
    connection: Connection,
    project: Project,
    now: datetime,
    terms: Terms,
    rules: Rules,
    *,
    names: Names | None = None,
    but: frozenset[int] = frozenset(),
) -> Planned:
    """`names`, `but`: of an undo, which knows what became of the steps, and puts some runs back itself."""
    return _Planning(connection, project, now, terms, rules, names, but).result()


def with_entrants(connection: Connection, planned: Planned) -> Plan:
    """The plan, and how many would enter its new journeys if everybody in their segments were let in. That is tried
    out, which takes a transaction that writes."""
    made = planned.plan
    would = {
        journey_id: would_enter(connection, planned.project, planned.running[journey_id], made.made_at)
        for journey_id in made.those(Change.NEW)
    }
    return replace(made, journeys=tuple(replace(one, would_enter=would.get(one.id)) for one in made.journeys))


def running_files(project: Project) -> dict[str, str]:
    """Without the drafts."""
    drafts = {path_of(journey.id) for journey in project.journeys.values() if journey.draft}
    return {path: source for path, source in project.sources.items() if path not in drafts}


def path_of(journey_id: str) -> str:
    return f"journeys/{journey_id}.yaml"


class _Planning:
    def __init__(
        self,
        connection: Connection,
        project: Project,
        now: datetime,
        terms: Terms,
        rules: Rules,
        names: Names | None,
        but: frozenset[int],
    ) -> None:
        self._connection, self._project, self._now = connection, project, now
        self._terms, self._rules, self._names, self._but = terms, rules, names, but
        self._undoes = names is not None
        self._before = store.applied(connection)
        self._running = {i: j for i, j in sorted(project.journeys.items()) if not j.draft}
        self._old_catalog = _catalog_of(self._before.files) or project.catalog

    def result(self) -> Planned:
        files = running_files(self._project)
        differing = sorted(p for p in {*self._before.files, *files} if self._before.files.get(p) != files.get(p))
        works = tuple(self._works())
        plan = Plan(
            id="",
            digest="",
            made_at=self._now,
            mark=self._before.mark,
            before={path: self._before.files.get(path) for path in differing},
            files={path: files.get(path) for path in differing},
            terms=self._terms,
            rules=self._rules,
            journeys=tuple(work.plan for work in works),
            unchanged=tuple(sorted(set(self._running) - {work.plan.id for work in works})),
            drafts=tuple(sorted(set(self._project.journeys) - set(self._running))),
            refusals=tuple(self._refusals(files, works)),
            pauses=tuple(overview.pauses(self._connection)),
        )
        digest = _digest(plan)
        plan = replace(plan, id=plans.free_id(self._connection, digest), digest=digest)
        return Planned(plan, self._project, self._running, works)

    # --- each journey -------------------------------------------------------------------------------------------

    def _works(self) -> Iterator[Work]:
        for journey_id, journey in self._running.items():
            version = self._before.versions.get(journey_id)
            if version is None:
                yield Work(self._plan(journey, Change.NEW, None, 1))
            elif self._source(journey_id, version) != self._project.sources[path_of(journey_id)]:
                yield self._changed(journey, version)
            elif journey_id in self._before.draining:
                yield Work(self._plan(journey, Change.RETURNED, version, version))
        for journey_id in sorted(set(self._before.versions) - set(self._running)):
            version = self._before.versions[journey_id]
            if journey_id in self._terms.stop:
                yield self._stopped(self._old(journey_id, version), version)
            elif journey_id not in self._before.draining:
                yield Work(self._plan(self._old(journey_id, version), Change.DRAINED, version, version))

    def _plan(self, journey: Journey, change: Change, before: int | None, after: int) -> JourneyPlan:
        crowd = moving.crowd(self._connection, journey.id)
        return JourneyPlan(journey.id, journey.title, change, before, after, crowd)

    def _stopped(self, journey: Journey, version: int) -> Work:
        runs = moving.everyone_in(self._connection, journey.id, pinned=True)
        plan = self._plan(journey, Change.STOPPED, version, version)
        return Work(replace(plan, stops=len(runs), who=who(runs)), stopped=runs)

    def _changed(self, journey: Journey, version: int) -> Work:
        old = self._old(journey.id, version)
        known = self._names.get(journey.id) if self._names is not None else None
        edit = diff(old, journey, known)
        before = old if journey.id not in self._before.draining else None
        plan = self._plan(journey, Change.CHANGED, version, version + 1)
        plan = replace(plan, keys=edit.changed, added=edit.added)
        if journey.on_edit is OnEdit.PIN and not self._undoes:
            runs = moving.everyone_in(self._connection, journey.id, pinned=False)
            steps = tuple(StepPlan(fate, 0, {}) for fate in edit.fates.values() if fate.is_news)
            plan = replace(plan, pins=len(runs), who=who(runs), steps=steps)
            return Work(plan, edit.names, self._record(edit, old, version), pinned=runs, before=before)
        fates = self._fates_of_all(edit, journey)
        mover = self._mover(journey.id)
        renamed = mover.renamed(fates.values())
        moved = mover.work_out(fates.values(), self._but)
        plan = replace(
            plan,
            steps=tuple(self._steps(journey.id, fates, renamed, moved)),
            next_messages=messages_ahead(Program(journey), moved),
            who=who(one.key for one in moved),
        )
        return Work(plan, edit.names, self._record(edit, old, version), mover, renamed, moved, before=before)

    def _record(self, edit: JourneyDiff, old: Journey, version: int) -> dict[str, str]:
        """On record, a step that is gone becomes the step of its last version, `gift@7`: its name may stand for another
        step, now or in years. An undo gives it its name back. Of a nameless wait nothing is on record."""
        before = Program(old)
        names = {step: edit.names.get(step, f"{step}@{version}") for step in edit.fates}
        given_back = {f"{new}@{version - 1}": new for new in edit.added} if self._undoes else {}
        return {step: name for step, name in names.items() if not is_anonymous_wait(before.step(step))} | given_back

    def _mover(self, journey_id: str) -> Mover:
        catalog = self._project.catalog
        return Mover(self._connection, journey_id, catalog, self._terms.release, self._rules, self._now)

    def _fates_of_all(self, edit: JourneyDiff, journey: Journey) -> dict[str, Fate]:
        """With steps that neither version knows, and members stand at all the same."""
        fates = dict(edit.fates)
        here = set(Program(journey).ids)
        for step_id in moving.standing_at(self._connection, journey.id):
            if step_id not in fates:
                named = journey.moved_to.get(step_id)
                strange = Gone(step_id, named, named=named is not None, homeless=named is None)
                fates[step_id] = Kept(step_id, step_id) if step_id in here else strange
        return fates

    def _steps(
        self, journey_id: str, fates: Mapping[str, Fate], renamed: Sequence[Kept], moved: Sequence[Moved]
    ) -> Iterator[StepPlan]:
        standing = Counter(moving.standing_at(self._connection, journey_id))
        gone = [fate.old for fate in fates.values() if isinstance(fate, Gone)]
        unsent = moving.unsent(self._connection, journey_id, gone)
        for fate in fates.values():
            if fate.is_news:
                counts = Counter(one.what for one in moved if one.fate.old == fate.old)
                if any(fate.old == one.old for one in renamed):
                    counts[What.RENAMED] = standing[fate.old]
                yield StepPlan(fate, standing[fate.old], dict(+counts), unsent.get(fate.old, 0))

    def _source(self, journey_id: str, version: int) -> str:
        return store.source_of(self._connection, journey_id, version) or ""

    def _old(self, journey_id: str, version: int) -> Journey:
        """The version in force; without what this Engage cannot read of it any more."""
        journey, _ = read_journey(self._source(journey_id, version), path_of(journey_id), self._old_catalog)
        return journey or Journey(id=journey_id, title=journey_id, start=Manual(), steps=())

    # --- what stands in the way ---------------------------------------------------------------------------------

    def _refusals(self, files: Mapping[str, str], works: Sequence[Work]) -> Iterator[Refusal]:
        yield from self._stops_refused()
        if files.keys() != self._project.sources.keys():
            _, problems = read_project(files)
            if problems_stop(problems):
                yield NeedsDraft(next(problem for problem in problems if problem.severity is Severity.ERROR))
        for work in works:
            if not self._undoes:
                yield from _homeless(work.plan)
                yield from self._smaller_holdout(work.plan)
        yield from self._unreadable(works)

    def _stops_refused(self) -> Iterator[Refusal]:
        for journey_id in self._terms.stop:
            if journey_id in self._running:
                yield FileStays(journey_id)
            elif journey_id not in self._before.versions:
                yield NotRunning(journey_id)

    def _smaller_holdout(self, plan: JourneyPlan) -> Iterator[Refusal]:
        """It may be given up; made smaller, it would go on measuring members against themselves."""
        if "holdout" not in plan.keys or plan.before is None:
            return
        before, after = self._old(plan.id, plan.before).holdout, self._running[plan.id].holdout
        if 0 < after < before and plan.crowd.held_out:
            yield SmallerHoldout(plan.id, before, after, plan.crowd.held_out)

    def _unreadable(self, works: Sequence[Work]) -> Iterator[Refusal]:
        """Versions without a file that members are to finish in, read with the new catalog."""
        for journey_id, version, source, members in self._to_be_finished(works):
            _, problems = read_journey(source, path_of(journey_id), self._project.catalog)
            if members and (problem := _first_error(problems)) is not None:
                yield Unreadable(journey_id, version, members, problem)

    def _to_be_finished(self, works: Sequence[Work]) -> Iterator[tuple[str, int, str, int]]:
        for journey_id, version, source in store.pinned_versions(self._connection):
            yield journey_id, version, source, moving.pinned_to(self._connection, journey_id, version)
        for work in works:
            if work.pinned and work.plan.before is not None:
                version = work.plan.before
                yield work.plan.id, version, self._source(work.plan.id, version), len(work.pinned)
        for journey_id in sorted(set(self._before.versions) - set(self._running) - set(self._terms.stop)):
            version = self._before.versions[journey_id]
            crowd = moving.crowd(self._connection, journey_id)
            left = moving.ended_with_messages(self._connection, journey_id)
            yield journey_id, version, self._source(journey_id, version), crowd.live - crowd.pinned + left


def in_force(connection: Connection, ids: Iterable[str]) -> tuple[Catalog | None, list[Journey | None]]:
    """The catalog as it was applied last, and those of the journeys that were applied before, also if they take nobody
    new any more. None: there is none, or this Engage cannot read it any more."""
    before = store.applied(connection)
    catalog = _catalog_of(before.files)
    sources = {i: store.source_of(connection, i, before.versions[i]) or "" for i in ids if i in before.versions}
    return catalog, [read_journey(src, path_of(i), catalog)[0] if catalog else None for i, src in sources.items()]


def _homeless(plan: JourneyPlan) -> Iterator[Refusal]:
    for step in plan.steps:
        if isinstance(step.fate, Gone) and step.fate.homeless and step.standing:
            yield Homeless(plan.id, step.fate.old, step.standing, step.fate.perhaps)


def _catalog_of(files: Mapping[str, str]) -> Catalog | None:
    return read_catalog(files[CATALOG], CATALOG)[0] if CATALOG in files else None


def _first_error(problems: Sequence[Problem]) -> Problem | None:
    return next((problem for problem in problems if problem.severity is Severity.ERROR), None)


def _digest(plan: Plan) -> str:
    told = [plan.mark, dict(plan.files), plan.terms.as_data(), plan.effect()]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
