"""Tasks for people, and the notices that tell a team about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, insert, select, update

from engage.store import reaching
from engage.store.database import take_ids, upsert
from engage.store.dialects import beside_index
from engage.store.keys import in_keys
from engage.store.members import MemberRef
from engage.store.tables import IS_UNTOLD, Instant, member, member_value, notice, task

T = task.c
N = notice.c
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewTask:
    member: MemberRef
    key: str  # opened once
    kind: str  # journey | inbox
    team: str | None
    words: str
    urgent: bool = False
    due_at: datetime | None = None
    enrolment_id: int | None = None
    journey_id: str | None = None
    step_id: str | None = None
    copy_to: tuple[str, ...] = ()


def open_task(connection: Connection, new: NewTask, now: datetime) -> int | None:
    """Open it and queue a notice to each team. None if it was opened before."""
    known = connection.scalar(select(T.id).where(T.bucket == new.member.bucket, T.key == new.key))
    if known is not None:
        return None
    (task_id,) = take_ids(connection, "task", 1)
    row = {"bucket": new.member.bucket, "id": task_id, "member_id": new.member.id, "kind": new.kind, "team": new.team}
    row |= {"words": new.words, "urgent": new.urgent, "opened_at": now, "due_at": new.due_at, "key": new.key}
    row |= {"enrolment_id": new.enrolment_id, "journey_id": new.journey_id, "step_id": new.step_id}
    connection.execute(insert(task).values(row))
    for team in dict.fromkeys([*([new.team] if new.team else []), *new.copy_to]):
        _queue_notice(connection, new.member.bucket, task_id, team, now)
    return task_id


def _queue_notice(connection: Connection, bucket: int, task_id: int, team: str, now: datetime) -> None:
    (notice_id,) = take_ids(connection, "notice", 1)
    row = {"bucket": bucket, "id": notice_id, "task_id": task_id, "team": team, "status": "pending", "due_at": now}
    connection.execute(upsert(notice).values(row).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class TaskRow:
    id: int
    member: MemberRef
    external_id: str | None
    name: str | None
    kind: str
    team: str | None
    words: str
    urgent: bool
    opened_at: datetime
    due_at: datetime | None
    enrolment_id: int | None
    journey_id: str | None
    step_id: str | None
    closed_at: datetime | None
    outcome: str | None


def _tasks(connection: Connection, *where: Any) -> list[TaskRow]:
    of_member = (member.c.bucket == T.bucket) & (member.c.id == T.member_id)
    v = member_value.c
    named = (v.bucket == T.bucket) & (v.member_id == T.member_id) & (v.field == "name")
    query = (
        select(task, member.c.external_id, v.text_value)
        .join_from(task, member, of_member)
        .outerjoin(member_value, named)
        .where(*where)
        .order_by(T.urgent.desc(), T.due_at.is_(None), T.due_at, T.id)
    )
    return [
        TaskRow(
            row.id, MemberRef(row.bucket, row.member_id), row.external_id, row.text_value, row.kind, row.team,
            row.words, row.urgent, row.opened_at, row.due_at, row.enrolment_id, row.journey_id, row.step_id,
            row.closed_at, row.outcome,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def open_tasks(connection: Connection, team: str | None = None) -> list[TaskRow]:
    """Urgent ones first, then by when they are due."""
    return _tasks(connection, T.closed_at.is_(None), *([T.team == team] if team else []))


def opened_since(connection: Connection, task_id: int) -> list[TaskRow]:
    """Open tasks that are newer than this one."""
    return _tasks(connection, beside_index(T.closed_at).is_(None), T.id > task_id)


def addresses(connection: Connection, rows: Sequence[TaskRow]) -> dict[MemberRef, tuple[str, str]]:
    """The (channel, address) that each member of these tasks wrote from last; any of theirs, if they never did."""
    points = reaching.contact_points(connection, [row.member for row in rows]).values()
    known = sorted((p for p in points if p["status"] == "active"), key=lambda p: p["last_inbound_at"] or _NEVER)
    return {MemberRef(p["bucket"], p["member_id"]): (p["channel"], p["address"]) for p in known}


def task_by_id(connection: Connection, task_id: int) -> TaskRow | None:
    return next(iter(_tasks(connection, T.id == task_id)), None)


def close(connection: Connection, row: TaskRow, outcome: str, by: str, now: datetime) -> bool:
    """False if somebody has closed it before."""
    here = (T.bucket == row.member.bucket) & (T.id == row.id) & T.closed_at.is_(None)
    changed = connection.execute(update(task).where(here).values(closed_at=now, closed_by=by, outcome=outcome))
    return changed.rowcount == 1


# --- notices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueNotice:
    bucket: int
    id: int
    team: str
    attempts: int
    task: TaskRow


_NOW = bindparam("now", type_=Instant())
_DUE_NOTICES = (
    select(notice).where(IS_UNTOLD, N.due_at <= _NOW).order_by(N.due_at, N.id).limit(bindparam("most", type_=Integer()))
)
_NEXT_NOTICE = select(func.min(N.due_at)).where(IS_UNTOLD, N.due_at > _NOW)


def due_notices(connection: Connection, now: datetime, limit: int) -> list[DueNotice]:
    rows = connection.execute(_DUE_NOTICES, {"now": now, "most": limit}).all()
    tasks = (
        {t.id: t for t in _tasks(connection, in_keys(task, ((row.bucket, row.task_id) for row in rows)))}
        if rows
        else {}
    )
    return [DueNotice(row.bucket, row.id, row.team, row.attempts, tasks[row.task_id]) for row in rows]


def settle_notices(connection: Connection, rows: Sequence[tuple[DueNotice, dict[str, Any]]]) -> None:
    for due, values in rows:
        connection.execute(update(notice).where(N.bucket == due.bucket, N.id == due.id).values(values))


def next_notice_due(connection: Connection, now: datetime) -> datetime | None:
    earliest: datetime | None = connection.scalar(_NEXT_NOTICE, {"now": now})
    return earliest
