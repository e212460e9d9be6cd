"""Applying: from files that have been checked to what the daemon runs, and members on their way to where the edit
leaves them. All of it in one transaction, or none.

`apply` plans and applies at once. `apply_plan` applies the plan that somebody has looked at: its files as they were
read then, and only as long as it says what it said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.content.project import Project, read_project
from engage.core.moving import What
from engage.core.turn import EndKind
from engage.errors import EngageError
from engage.runtime.applied import load_applied
from engage.runtime.edits import approving
from engage.runtime.edits.plan import Change, Plan, Rules, Terms
from engage.runtime.edits.planning import Planned, Work, make_plan, path_of, running_files, with_entrants
from engage.runtime.edits.settling import let_in_existing, settle
from engage.runtime.enrolling.calendar_starts import note_owed
from engage.store import advancing, holding, journeys
from engage.store.databases.database import Database
from engage.store.edits import moving, plans, renaming
from engage.store.edits.moving_together import Together, move_everyone
from engage.store.edits.plans import SavedPlan
from engage.store.journeys import Version

STOPPED = "stopped"  # why a run has ended that nobody let finish


@dataclass(frozen=True, slots=True)
class Done:
    """It is done."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was applied: see the plan's refusals."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Unseen:
    """Nothing was applied: members on their way would notice, and nobody has looked at the plan, which is saved."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Unapproved:
    """Nothing was applied: the policy asks for so many people to approve it. The plan is saved."""

    plan: Plan
    approved_by: Sequence[str]
    needed: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """Nothing was applied: another plan was, since this one was made."""


@dataclass(frozen=True, slots=True)
class WorldMoved:
    """Nothing was applied: the plan does not say any more what would happen. `plan` does, and is saved. `shown`: the
    effect that was shown."""

    plan: Plan
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoSuchPlan:
    """`done`: it was applied before."""

    done: bool = False


Outcome = Done | Refused | Unseen | Unapproved | Superseded | WorldMoved | NoSuchPlan


def plan(database: Database, project: Project, now: datetime, terms: Terms, rules: Rules) -> Plan:
    """What applying the project would do. Kept, so that it can be applied as it was shown. It is worked out without
    holding anybody up: should somebody move meanwhile, applying it will tell."""
    with database.read() as connection:
        planned = make_plan(connection, project, now, terms, rules)
    with database.write() as connection:
        made = with_entrants(connection, planned)
        made = replace(made, id=plans.free_id(connection, made.digest))
        if not made.is_empty and not made.refusals:
            plans.save(connection, saved(made))
        return made


def apply(
    database: Database,
    project: Project,
    now: datetime,
    terms: Terms | None = None,
    rules: Rules | None = None,
    *,
    unseen: bool = True,
) -> Outcome:
    """Make the project what runs. Journeys marked `draft` stay out; journeys whose file is gone drain. `unseen`: also
    if members on their way notice, and nobody has looked at the plan."""
    with database.write() as connection:
        journeys.hold_alone(connection)
        planned = make_plan(connection, project, now, terms or Terms(), rules or Rules())
        made = planned.plan
        if made.refusals:
            return Refused(with_entrants(connection, planned))
        if made.is_empty:
            return Done(made)
        plans.save(connection, saved(made))
        if made.needs_a_look and not unseen:
            return Unseen(with_entrants(connection, planned))
        return _unapproved(connection, planned) or _carried_out(connection, planned, now)


def apply_plan(database: Database, plan_id: str, now: datetime, rules: Rules) -> Outcome:
    """Exactly this plan, or nothing."""
    with database.write() as connection:
        journeys.hold_alone(connection)
        known = plans.get(connection, plan_id)
        if known is None or known.applied_at is not None:
            return NoSuchPlan(done=known is not None)
        if known.mark != journeys.mark(connection):
            return Superseded()
        project = project_with(connection, known.files)
        planned = make_plan(connection, project, now, Terms.from_data(known.options), rules)
        made = planned.plan
        if made.refusals:
            return Refused(made)
        if made.effect() != known.effect:
            plans.save(connection, saved(made))
            return WorldMoved(made, known.effect)
        planned = replace(planned, plan=replace(made, id=plan_id))
        return _unapproved(connection, planned) or _carried_out(connection, planned, now)


def _unapproved(connection: Connection, planned: Planned) -> Unapproved | None:
    needed = approving.needed_for(connection, planned)
    if needed == 0:
        return None
    by = holding.approved_by(connection, approving.PLAN, approving.digest_of(planned.plan))
    return Unapproved(planned.plan, by, needed) if len(by) < needed else None


def _carried_out(connection: Connection, planned: Planned, now: datetime) -> Done:
    carry_out(connection, planned, now)
    return Done(planned.plan)


def saved(made: Plan) -> SavedPlan:
    return SavedPlan(
        id=made.id,
        digest=made.digest,
        made_at=made.made_at,
        mark=made.mark,
        before=made.before,
        files=made.files,
        options=made.terms.as_data(),
        effect=made.effect(),
    )


def project_with(connection: Connection, files: plans.Files) -> Project:
    """What is applied, with these files instead."""
    there = {**journeys.applied(connection).files, **files}
    project, problems = read_project({path: text for path, text in there.items() if text is not None})
    if project is None:
        raise EngageError(
            f"the files of this plan cannot be read by this version ({len(problems)} problems)",
            f"这个版本读不了该计划的文件（{len(problems)} 处问题）",
        )
    return project


def differs(database: Database, files: Mapping[str, str]) -> list[str]:
    """Paths whose text is not what is applied, new and missing ones included."""
    with database.read() as connection:
        before = journeys.applied(connection).files
    return sorted(path for path in {*before, *files} if before.get(path) != files.get(path))


# --- carried out ------------------------------------------------------------------------------------------------


def carry_out(connection: Connection, planned: Planned, now: datetime) -> None:
    made, project = planned.plan, planned.project
    journeys.put_files(connection, running_files(project), now)
    works = {work.plan.id: work for work in planned.works}
    for journey_id, journey in planned.running.items():
        version = Version(journey_id, journey.title, project.sources[path_of(journey_id)])
        if journey_id in works:
            version = replace(version, names=works[journey_id].names, record=works[journey_id].record)
        journeys.put_version(connection, version, made.id, now)
    edits = [(work.before, planned.running[work.plan.id]) for work in planned.works if work.before is not None]
    note_owed(connection, edits, project.catalog, made.rules.calendar, now)
    journeys.drain(connection, list(made.those(Change.DRAINED, Change.STOPPED)))
    for work in planned.works:
        _move_members(connection, made.id, work, now)
    _forget_old_pins(connection)
    settle(connection, project.catalog, planned.running, now)
    if made.terms.existing:
        let_in_existing(connection, load_applied(connection), made.those(Change.NEW), now, made.rules.policy)
    plans.note_applied(connection, made.id, now)


def _move_members(connection: Connection, plan_id: str, work: Work, now: datetime) -> None:
    if work.pinned and work.plan.before is not None:
        _pin(connection, plan_id, work, work.plan.before, now)
    if work.stopped:
        _stop(connection, plan_id, work, now)
    renaming.rename_steps(connection, work.plan.id, work.record, now)
    if work.mover is not None:
        work.mover.carry_out(plan_id, work.renamed, work.moved)


def _pin(connection: Connection, plan_id: str, work: Work, version: int, now: datetime) -> None:
    journeys.set_pinned(connection, work.plan.id, version, True)
    pin = Together(What.PINNED, {"pinned_version": None}, {"pinned_version": version})
    move_everyone(connection, plan_id, work.plan.id, pin, now, pinned=False)
    moving.pin_messages(connection, work.pinned, version)


def _forget_old_pins(connection: Connection) -> None:
    """Versions in which the last one has finished."""
    for journey_id, version, _ in journeys.pinned_versions(connection):
        if not moving.pinned_to(connection, journey_id, version):
            journeys.set_pinned(connection, journey_id, version, False)


def _stop(connection: Connection, plan_id: str, work: Work, now: datetime) -> None:
    ended = {"status": "ended", "end_kind": EndKind.EXIT.value, "end_reason": STOPPED, "ended_at": now}
    live = {"status": "live", "end_kind": None, "end_reason": None, "ended_at": None}
    told = {"kind": EndKind.EXIT, "reason": STOPPED, "plan": plan_id}
    stop = Together(What.STOPPED, live, ended, line="exit", told=told)
    move_everyone(connection, plan_id, work.plan.id, stop, now, pinned=True)
    advancing.cancel_messages(connection, work.stopped, f"the run ended: {STOPPED}", only_follow_ups=False)
