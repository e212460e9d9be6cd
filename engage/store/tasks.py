"""Tasks for people, and the notices that tell a team about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from engage.store import reaching
from engage.store.databases.dialects import beside_index
from engage.store.members import MemberRef
from engage.store.statements.claims import Claim
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.rows import add_rows, change_rows
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


def open_all(connection: Connection, wanted: Sequence[NewTask], now: datetime) -> list[int]:
    """Open those that were not opened before, and queue a notice to each of their teams. Returns the new ones' ids."""
    new = _never_opened(connection, wanted)
    if not new:
        return []
    ids = take_ids(connection, "task", len(new))
    add_rows(connection, task, [_row(each, task_id, now) for each, task_id in zip(new, ids, strict=True)])
    _queue_notices(
        connection,
        [
            (each.member.bucket, task_id, team)
            for each, task_id in zip(new, ids, strict=True)
            for team in dict.fromkeys([*([each.team] if each.team else []), *each.copy_to])
        ],
        now,
    )
    return list(ids)


def _never_opened(connection: Connection, wanted: Sequence[NewTask]) -> list[NewTask]:
    if not wanted:
        return []
    asked = given_keys((each.member.bucket, each.key) for each in wanted)
    known = {(bucket, key) for bucket, key in connection.execute(_KNOWN, asked)}
    by_key: dict[tuple[int, str], NewTask] = {}
    for each in wanted:
        by_key.setdefault((each.member.bucket, each.key), each)
    return [each for key, each in by_key.items() if key not in known]


_KNOWN = select(T.bucket, T.key).where(in_given_keys(task, "key"))


def _row(new: NewTask, task_id: int, now: datetime) -> dict[str, Any]:
    row = {"bucket": new.member.bucket, "id": task_id, "member_id": new.member.id, "kind": new.kind, "team": new.team}
    row |= {"words": new.words, "urgent": new.urgent, "opened_at": now, "due_at": new.due_at, "key": new.key}
    return row | {"enrolment_id": new.enrolment_id, "journey_id": new.journey_id, "step_id": new.step_id}


def _queue_notices(connection: Connection, told: Sequence[tuple[int, int, str]], now: datetime) -> None:
    """Of each: the bucket, the task, and the team."""
    if told:
        ids = take_ids(connection, "notice", len(told))
        due = {"status": "pending", "due_at": now}
        rows = [
            {"bucket": bucket, "id": i, "task_id": task_id, "team": team, **due}
            for i, (bucket, task_id, team) in zip(ids, told, strict=True)
        ]
        add_rows(connection, notice, rows)


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


def _tasks(connection: Connection, query: Any, **given: Any) -> list[TaskRow]:
    return [
        TaskRow(
            row.id, MemberRef(row.bucket, row.member_id), row.external_id, row.text_value, row.kind, row.team,
            row.words, row.urgent, row.opened_at, row.due_at, row.enrolment_id, row.journey_id, row.step_id,
            row.closed_at, row.outcome,
        )
        for row in connection.execute(query, given)
    ]  # fmt: skip


_OF_MEMBER = (member.c.bucket == T.bucket) & (member.c.id == T.member_id)
_V = member_value.c
_NAME = (_V.bucket == T.bucket) & (_V.member_id == T.member_id) & (_V.field == "name")
_TASKS = (
    select(task, member.c.external_id, _V.text_value)
    .join_from(task, member, _OF_MEMBER)
    .outerjoin(member_value, _NAME)
    .order_by(T.urgent.desc(), T.due_at.is_(None), T.due_at, T.id)
)
_OPEN = _TASKS.where(T.closed_at.is_(None))
_OPEN_OF_TEAM = _OPEN.where(T.team == bindparam("of_team"))
_OPENED_SINCE = _TASKS.where(beside_index(T.closed_at).is_(None), T.id > bindparam("known"))
_TASK = _TASKS.where(T.id == bindparam("wanted"))
_THESE = _TASKS.where(in_given_keys(task))


def open_tasks(connection: Connection, team: str | None = None) -> list[TaskRow]:
    """Urgent ones first, then by when they are due."""
    return _tasks(connection, _OPEN_OF_TEAM, of_team=team) if team else _tasks(connection, _OPEN)


def opened_since(connection: Connection, task_id: int) -> list[TaskRow]:
    """Open tasks that are newer than this one."""
    return _tasks(connection, _OPENED_SINCE, known=task_id)


def addresses(connection: Connection, rows: Sequence[TaskRow]) -> dict[MemberRef, tuple[str, str]]:
    """The (channel, address) that each member of these tasks wrote from last; any of theirs, if they never did."""
    points = reaching.contact_points(connection, [row.member for row in rows]).values()
    known = sorted((p for p in points if p["status"] == "active"), key=lambda p: p["last_inbound_at"] or _NEVER)
    return {MemberRef(p["bucket"], p["member_id"]): (p["channel"], p["address"]) for p in known}


def task_by_id(connection: Connection, task_id: int) -> TaskRow | None:
    return next(iter(_tasks(connection, _TASK, wanted=task_id)), None)


def close(connection: Connection, rows: Sequence[TaskRow], outcome: str, by: str, now: datetime) -> list[TaskRow]:
    """Without those that somebody has closed before."""
    wanted = given_keys((row.member.bucket, row.id) for row in rows)
    closed = set(connection.scalars(_CLOSED, wanted | {"now": now, "who": by, "what": outcome}))
    return [row for row in rows if row.id in closed]


_NOW = bindparam("now", type_=Instant())
_CLOSED = (
    update(task)
    .where(in_given_keys(task), beside_index(T.closed_at).is_(None))
    .values(closed_at=_NOW, closed_by=bindparam("who"), outcome=bindparam("what"))
    .returning(T.id)
)


# --- notices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueNotice:
    bucket: int
    id: int
    team: str
    attempts: int
    task: TaskRow


_DUE_NOTICES = Claim(notice, select(notice).where(IS_UNTOLD, N.due_at <= _NOW).order_by(N.due_at, N.id))
_HELD_NOTICES = update(notice).where(in_given_keys(notice)).values(due_at=bindparam("until", type_=Instant()))
_ANY_NOTICE = select(N.id).where(IS_UNTOLD, N.due_at <= _NOW).order_by(N.due_at).limit(1)
_NEXT_NOTICE = select(func.min(N.due_at)).where(IS_UNTOLD, N.due_at > _NOW)


def due_notices(connection: Connection, now: datetime, limit: int) -> list[DueNotice]:
    rows = _DUE_NOTICES.take(connection, now, limit)
    wanted = given_keys((row.bucket, row.task_id) for row in rows)
    tasks = {t.id: t for t in _tasks(connection, _THESE, **wanted)} if rows else {}
    return [DueNotice(row.bucket, row.id, row.team, row.attempts, tasks[row.task_id]) for row in rows]


def any_notice_due(connection: Connection, now: datetime) -> bool:
    return connection.scalar(_ANY_NOTICE, {"now": now}) is not None


def claim_notices(connection: Connection, now: datetime, limit: int, lease: timedelta) -> list[DueNotice]:
    """Take what is due: nobody else tells it until the lease has ended."""
    due = due_notices(connection, now, limit)
    if due:
        keys = given_keys((each.bucket, each.id) for each in due)
        connection.execute(_HELD_NOTICES, keys | {"until": now + lease})
    return due


def settle_notices(connection: Connection, rows: Sequence[tuple[DueNotice, dict[str, Any]]]) -> None:
    change_rows(connection, notice, [{"bucket": due.bucket, "id": due.id} | values for due, values in rows])


def next_notice_due(connection: Connection, now: datetime) -> datetime | None:
    earliest: datetime | None = connection.scalar(_NEXT_NOTICE, {"now": now})
    return earliest
