"""`engage apply`: from files that have been checked to what the daemon runs. All of it, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engage.content.project import Project
from engage.core.journey.model import OnSegment
from engage.core.journey.program import Program
from engage.runtime.applied import load_applied
from engage.runtime.enrol import BATCH, admit
from engage.store import events, journeys, segments, state
from engage.store.database import Database
from engage.store.enrolling import Entrant

_SETTLED = "settled_segments"
_COMPUTED = "computed_fields"


@dataclass(frozen=True, slots=True)
class Stranded:
    """Members stand at a step that the new files no longer have."""

    journey_id: str
    step_id: str
    members: int


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What changed. `stranded` is why nothing was applied."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    draining: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    other_files: int = 0
    stranded: tuple[Stranded, ...] = ()


def apply(database: Database, project: Project, now: datetime, *, existing: bool = False) -> ApplyReport:
    """Make the project what runs. Journeys marked `draft` stay out; journeys whose file is gone drain.

    Members who are in a segment already stay out of the new journeys that it starts, unless `existing`.
    """
    with database.write() as connection:
        before = journeys.applied(connection)
        stranded = _stranded(connection, project, before.versions)
        if stranded:
            return ApplyReport(stranded=tuple(stranded))
        running = {i: j for i, j in project.journeys.items() if not j.draft}
        drafts = tuple(sorted(set(project.journeys) - set(running)))
        files = {path: source for path, source in project.sources.items() if not _is_any(path, drafts)}
        other = sum(
            1 for path, source in files.items() if before.files.get(path) != source and not _is_any(path, running)
        )
        journeys.put_files(connection, files, now)
        versions = {i: _put(connection, project, i, now) for i in sorted(running)}
        gone = sorted(set(before.versions) - set(running))
        journeys.drain(connection, gone)
        _recount_changed_fields(connection, project, now)
        _settle_new_segments(connection, project, now)
        new = tuple(i for i in versions if i not in before.versions)
        if existing:
            _let_in_existing(connection, new, now)
    return ApplyReport(
        new=new,
        changed=tuple(i for i, version in versions.items() if before.versions.get(i, version) != version),
        unchanged=tuple(i for i, version in versions.items() if before.versions.get(i) == version),
        draining=tuple(gone),
        drafts=drafts,
        other_files=other,
    )


def differs(database: Database, files: Mapping[str, str]) -> list[str]:
    """Paths whose text is not what is applied, new and missing ones included."""
    with database.read() as connection:
        before = journeys.applied(connection).files
    return sorted(path for path in {*before, *files} if before.get(path) != files.get(path))


def _put(connection: Connection, project: Project, journey_id: str, now: datetime) -> int:
    source = project.sources[f"journeys/{journey_id}.yaml"]
    return journeys.put_version(connection, journey_id, project.journeys[journey_id].title, source, now)


def _is_any(path: str, journey_ids: Sequence[str] | Mapping[str, object]) -> bool:
    return path in {f"journeys/{journey_id}.yaml" for journey_id in journey_ids}


def _stranded(connection: Connection, project: Project, versions: Mapping[str, int]) -> list[Stranded]:
    found = []
    for journey_id in sorted(set(versions) & set(project.journeys)):
        known = set(Program(project.journeys[journey_id]).ids)
        for step_id, count in journeys.standing_at(connection, journey_id).items():
            if step_id is not None and step_id not in known:
                found.append(Stranded(journey_id, step_id, count))
    return found


def _recount_changed_fields(connection: Connection, project: Project, now: datetime) -> None:
    """A computed field that is new, or counts something else than before, is counted from the events on record."""
    known = state.get(connection, _COMPUTED) or {}
    meant = {name: repr(field.computed) for name, field in project.catalog.fields.items() if field.computed is not None}
    for name in sorted(name for name, computed in meant.items() if known.get(name) != computed):
        events.recount(connection, project.catalog, name)
    state.put(connection, _COMPUTED, meant, now)


def _settle_new_segments(connection: Connection, project: Project, now: datetime) -> None:
    """Whoever is in a segment when it is first applied is there silently: it is no news that starts a journey."""
    settled = set(state.get(connection, _SETTLED) or [])
    for name in sorted(set(project.catalog.segments) - settled):
        segments.settle(connection, project.catalog, name, now)
    state.put(connection, _SETTLED, sorted(settled | set(project.catalog.segments)), now)


def _let_in_existing(connection: Connection, journey_ids: Sequence[str], now: datetime) -> None:
    """Whoever is in the segment that starts a new journey enters it as if they had come into the segment now."""
    applied = load_applied(connection)
    after = events.last_id(connection)
    for active in (applied.journeys[journey_id] for journey_id in journey_ids):
        start = active.journey.start
        if not isinstance(start, OnSegment):
            continue
        inside = segments.members_of(connection, start.segment)
        context = {"event": {"segment": start.segment}, "var": {}}
        for batch in (inside[first : first + BATCH] for first in range(0, len(inside), BATCH)):
            entrants = [Entrant(ref, "existing", context, after) for ref in batch]
            admit(connection, applied, active, entrants, now)
