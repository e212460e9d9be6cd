"""Queries of applying a plan: who stands where, and what an edit does to their runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from engage.core.condition import ValueType
from engage.store.advancing import save
from engage.store.holding import HAS_BEGUN
from engage.store.lanes import UNSENT
from engage.store.members import MemberRef
from engage.store.statements.conditions import VALUE_COLUMN
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import batches, given_keys, in_given_keys
from engage.store.statements.rows import add_rows
from engage.store.tables import IS_ENDED, IS_LIVE, delivery, enrolment, enrolment_move, member, member_value

E, M = enrolment.c, enrolment_move.c
_OF_MEMBER = (member.c.bucket == E.bucket) & (member.c.id == E.member_id)

RunKey = tuple[int, int]
"""(bucket, enrolment id)"""

_MOMENTS = frozenset({"step_started_at", "deadline_at", "due_at", "ended_at"})


# --- who is there -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many are in a journey: ever, now, and of those how many finish in an earlier version."""

    entered: int
    live: int
    pinned: int
    held_out: int  # ever


def crowd(connection: Connection, journey_id: str) -> Crowd:
    """Those who are there, and those who were; each by their own index."""
    there = E.journey_id == journey_id
    counts = [
        connection.execute(select(func.count(), func.count().filter(E.holdout)).where(*which)).one()
        for which in ((IS_LIVE, there), (IS_ENDED, HAS_BEGUN, there))
    ]
    entered, held_out = (sum(each) for each in zip(*counts, strict=True))
    pinned = connection.scalar(select(func.count()).where(IS_LIVE, there, E.pinned_version.is_not(None))) or 0
    return Crowd(entered, counts[0][0], pinned, held_out)


def standing_at(connection: Connection, journey_id: str) -> dict[str, int]:
    """How many live runs that follow the journey stand at each step."""
    query = select(E.step_id, func.count()).where(following(journey_id)).group_by(E.step_id)
    return {row.step_id: row[1] for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class StandingRun:
    """A run at a step that an edit changes."""

    id: int
    member: MemberRef
    step_id: str
    phase: str
    holdout: bool
    entered_at: datetime
    step_started_at: datetime | None
    step_after_event: int | None
    deadline_at: datetime | None
    due_at: datetime | None
    timezone: str | None
    last_event: int  # of their member, when this was read


_COLUMNS = (
    *(E.id, E.bucket, E.member_id, E.step_id, E.phase, E.holdout, E.entered_at, E.step_started_at),
    *(E.step_after_event, E.deadline_at, E.due_at, member.c.timezone, member.c.last_event),
)


def standing(connection: Connection, journey_id: str, step_ids: Iterable[str]) -> list[StandingRun]:
    """The live runs that follow the journey and stand at one of these steps; who entered first comes first."""
    here = following(journey_id) & E.step_id.in_(list(step_ids))
    rows = connection.execute(select(*_COLUMNS).join(member, _OF_MEMBER).where(here).order_by(E.id))
    return [StandingRun(i, MemberRef(bucket, member_id), *rest) for i, bucket, member_id, *rest in rows]


def everyone_in(connection: Connection, journey_id: str, *, pinned: bool) -> list[RunKey]:
    """Every live run that follows the journey; `pinned`: those that do not follow it any more, too."""
    here = everyone(journey_id, pinned=pinned)
    return [(row.bucket, row.id) for row in connection.execute(select(E.bucket, E.id).where(here).order_by(E.id))]


def everyone(journey_id: str, *, pinned: bool) -> Any:
    return and_(IS_LIVE, E.journey_id == journey_id) if pinned else following(journey_id)


def unsent(connection: Connection, journey_id: str, step_ids: Iterable[str]) -> dict[str, int]:
    """How many messages of these steps have not gone out yet."""
    u = UNSENT.c
    theirs = (u.journey_id == journey_id) & u.step_id.in_(list(step_ids)) & u.pinned_version.is_(None)
    rows = connection.execute(select(u.step_id, func.count()).where(theirs).group_by(u.step_id))
    return {row.step_id: row[1] for row in rows}


def field_dates(
    connection: Connection, journey_id: str, step_id: str, field: str, kind: ValueType
) -> dict[int, date | datetime]:
    """A date of each member who stands at the step, by run id."""
    value = VALUE_COLUMN[kind]
    joined = (member_value.c.bucket == E.bucket) & (member_value.c.member_id == E.member_id)
    here = following(journey_id) & (E.step_id == step_id) & (member_value.c.field == field) & value.is_not(None)
    rows = connection.execute(select(E.id, value).join(member_value, joined).where(here))
    return {row[0]: row[1] for row in rows}


def following(journey_id: str) -> Any:
    """Live, and not to finish in an earlier version."""
    return and_(IS_LIVE, E.journey_id == journey_id, E.pinned_version.is_(None))


# --- pinning ----------------------------------------------------------------------------------------------------


def pin_messages(connection: Connection, runs: Sequence[RunKey], version: int | None) -> None:
    """A run's messages are of the version that the run finishes in; None: of the journey's."""
    theirs = update(delivery).where(in_given_keys(delivery, "enrolment_id"))
    for some in batches(runs):
        connection.execute(theirs.values(pinned_version=version), given_keys(some))


def pinned_to(connection: Connection, journey_id: str, version: int) -> int:
    """How many live runs are to finish in that version, and messages are to go out by it: they may wait for the morning
    when their runs have ended."""
    live = (IS_LIVE, E.journey_id == journey_id, E.pinned_version == version)
    unsent = (UNSENT.c.journey_id == journey_id, UNSENT.c.pinned_version == version)
    counts = (select(func.count()).where(*live), select(func.count()).select_from(UNSENT).where(*unsent))
    return sum(connection.scalar(count) or 0 for count in counts)


def ended_with_messages(connection: Connection, journey_id: str) -> int:
    """Runs that have ended, and of which a message has not gone out yet: it will be judged by what the journey says.
    Asked so that the messages lead to the runs, never the index of all that have ended to the messages."""
    of_run = (UNSENT.c.bucket == E.bucket) & (UNSENT.c.enrolment_id == E.id)
    query = select(func.count(E.id.distinct())).select_from(UNSENT.join(enrolment, of_run))
    here = (UNSENT.c.journey_id == journey_id, E.status != "live", E.pinned_version.is_(None))
    return connection.scalar(query.where(*here)) or 0


# --- what was done to them --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """Columns of a run, as they were and as they are to be. `what`: of `core.moving`."""

    run: RunKey
    what: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def carry_out(connection: Connection, plan_id: str, moves: Sequence[Move]) -> None:
    """Move the runs, and keep what was done to each."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for move in moves:
        bucket, run_id = move.run
        by_columns[tuple(move.after)].append({"bucket": bucket, "id": run_id, **move.after})
    for rows in by_columns.values():
        save(connection, rows)
    for some in batches(moves):
        ids = take_ids(connection, "enrolment_move", len(some))
        rows = [_row(move, move_id, plan_id) for move, move_id in zip(some, ids, strict=True)]
        add_rows(connection, enrolment_move, rows)


def _row(move: Move, move_id: int, plan_id: str) -> dict[str, Any]:
    bucket, run_id = move.run
    kept = {"before": as_json(move.before), "after": as_json(move.after)}
    return {"bucket": bucket, "id": move_id, "enrolment_id": run_id, "plan_id": plan_id, "what": move.what, **kept}


@dataclass(frozen=True, slots=True)
class PastMove:
    """`stands`: the run is still where it was put."""

    move: Move
    stands: bool
    timezone: str | None


def moves_of(connection: Connection, plan_id: str, *, but: str) -> list[PastMove]:
    """What a plan did, but for one kind of move."""
    joined = (E.bucket == M.bucket) & (E.id == M.enrolment_id)
    query = select(enrolment_move, enrolment, member.c.timezone).join(enrolment, joined).join(member, _OF_MEMBER)
    rows = connection.execute(query.where(M.plan_id == plan_id, M.what != but).order_by(M.id)).mappings().all()
    return [_past_move(row) for row in rows]


def _past_move(row: Any) -> PastMove:
    move = Move((row[E.bucket], row[E.id]), row[M.what], _read(row[M.before]), _read(row[M.after]))
    stands = all(row[E[name]] == value for name, value in move.after.items())
    return PastMove(move, stands, row[member.c.timezone])


def as_json(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}


def _read(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in _MOMENTS and value is not None else value
        for name, value in columns.items()
    }
