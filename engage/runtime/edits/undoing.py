"""Taking back what was applied last: the files as they were, and every run that still stands where the plan has put it
back where it was. Who has gone on since stays; where the step is gone again, the structural rule says where to.

What was said is not unsaid: messages that were sent, or cancelled, stay so. An undo is itself a version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.core.moving import What
from engage.core.quiet import zone_of
from engage.core.release import Release, release_moments
from engage.core.turn import Phase
from engage.runtime.edits.applying import carry_out, project_with, saved
from engage.runtime.edits.plan import Plan, Rules, Terms
from engage.runtime.edits.planning import Names, make_plan
from engage.store import journeys, trail
from engage.store.databases.database import Database
from engage.store.edits import moving, plans
from engage.store.edits.moving import Move, PastMove
from engage.store.edits.plans import SavedPlan


@dataclass(frozen=True, slots=True)
class Undone:
    """`restored`: runs that are back where they were; `gone_on`: runs that had moved on, and stay."""

    plan: Plan
    restored: int
    gone_on: int


@dataclass(frozen=True, slots=True)
class NeverApplied:
    """There is no such plan, or it was only shown."""


@dataclass(frozen=True, slots=True)
class UndoneBefore:
    by: str


@dataclass(frozen=True, slots=True)
class NotTheLast:
    """Something else was applied since."""


@dataclass(frozen=True, slots=True)
class NothingBefore:
    """It was the first one."""


@dataclass(frozen=True, slots=True)
class CannotGoBack:
    """See the plan's refusals."""

    plan: Plan


Undoing = Undone | NeverApplied | UndoneBefore | NotTheLast | NothingBefore | CannotGoBack


def undo(database: Database, plan_id: str, now: datetime, terms: Terms, rules: Rules) -> Undoing:
    with database.write() as connection:
        journeys.hold_alone(connection)
        known = plans.get(connection, plan_id)
        if known is None or known.applied_at is None:
            return NeverApplied()
        if known.undone_by is not None:
            return UndoneBefore(known.undone_by)
        if not journeys.follows(known.mark, journeys.mark(connection)):
            return NotTheLast()
        if not any(known.before.values()) and known.mark == journeys.NEVER:
            return NothingBefore()
        return _undo(connection, known, now, terms, rules)


def _undo(connection: Connection, known: SavedPlan, now: datetime, terms: Terms, rules: Rules) -> Undoing:
    done = moving.moves_of(connection, known.id, but=What.RENAMED)  # the names go back by themselves, like any others
    standing = [past for past in done if past.stands]
    project = project_with(connection, known.before)
    planned = make_plan(
        connection,
        project,
        now,
        Terms(terms.release),
        rules,
        names=_names_back(connection, known.id),
        but=frozenset(past.move.run[1] for past in standing),
    )
    made = planned.plan
    if made.refusals:
        return CannotGoBack(made)
    plans.save(connection, saved(made))
    carry_out(connection, planned, now)
    _put_back(connection, made, known.id, standing, project.catalog.timezone, now)
    plans.note_undone(connection, known.id, made.id)
    return Undone(made, len(standing), len(done) - len(standing))


def _names_back(connection: Connection, plan_id: str) -> Names:
    """Of each journey that the plan brought to a new version: what its steps were called in the one before."""
    brought = journeys.names_brought_by(connection, plan_id)
    return {journey_id: {new: old for old, new in names.items()} for journey_id, names in brought.items()}


# --- positions --------------------------------------------------------------------------------------------------


def _put_back(
    connection: Connection, made: Plan, undone: str, standing: Sequence[PastMove], zone_name: str, now: datetime
) -> None:
    moments = _moments(made, [past for past in standing if _is_over(past, now)], zone_name, now)
    moves = []
    for past in standing:
        back = dict(past.move.before)
        if _is_over(past, now) and made.terms.release is Release.DAY:
            back["deadline_at"] = back["due_at"] = next(moments[zone_of(past.timezone, zone_name)])
        moves.append(Move(past.move.run, What.RESTORED, past.move.after, back))
    moving.carry_out(connection, made.id, moves)
    unpinned = [past.move.run for past in standing if past.move.what == What.PINNED]
    moving.pin_messages(connection, unpinned, None)
    trail.note(connection, [_line(move, made.id, undone) for move in moves], now)


def _moments(made: Plan, over: Sequence[PastMove], zone_name: str, now: datetime) -> Mapping[Any, Any]:
    """Whose old wait is over by now is not let go in one burst, either."""
    counts = Counter(zone_of(past.timezone, zone_name) for past in over)
    return {zone: release_moments(n, len(over), now, zone, made.rules.pace) for zone, n in counts.items()}


def _is_over(past: PastMove, now: datetime) -> bool:
    before = past.move.before
    deadline = before.get("deadline_at")
    return before.get("phase") == Phase.WAITING and deadline is not None and deadline <= now


def _line(move: Move, plan_id: str, undone: str) -> trail.Line:
    bucket, run_id = move.run
    told = {"plan": plan_id, "edit": What.RESTORED, "undoes": undone, "from": move.before.get("step_id")}
    return bucket, run_id, move.after.get("step_id"), "moved", told
