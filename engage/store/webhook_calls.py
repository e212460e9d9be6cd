"""Queries of the calls that webhook steps make: an outbox of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from engage.core.turn import Call
from engage.core.webhook_call import CALL_LEASE, CallStatus, Settled
from engage.store.advancing import RunRow, given_runs
from engage.store.statements.claims import Claim
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.rows import add_rows
from engage.store.tables import IS_LIVE, IS_OPEN_CALL, Instant, enrolment, webhook_call

C, E = webhook_call.c, enrolment.c


@dataclass(frozen=True, slots=True)
class NewCall:
    """One for each run, step and visit."""

    run: RunRow
    step_id: str
    webhook: str
    key: str
    body: str
    give_up_at: datetime


def queue(connection: Connection, calls: Sequence[NewCall], now: datetime) -> None:
    if not calls:
        return
    rows = [
        {
            "bucket": call.run.member.bucket,
            "id": call_id,
            "enrolment_id": call.run.id,
            "journey_id": call.run.journey_id,
            "step_id": call.step_id,
            "visit": call.run.visit,
            "webhook": call.webhook,
            "key": call.key,
            "body": call.body,
            "status": CallStatus.OPEN,
            "queued_at": now,
            "due_at": now,
            "give_up_at": call.give_up_at,
        }
        for call, call_id in zip(calls, take_ids(connection, "webhook_call", len(calls)), strict=True)
    ]
    add_rows(connection, webhook_call, rows, unless_there=True)


def calls_of(connection: Connection, runs: Sequence[RunRow], step_id: str) -> dict[int, Call]:
    """By run id: how the call of this step stands, on the visit that the run is on."""
    visit_of = {run.id: run.visit for run in runs}
    rows = connection.execute(_CALLS_OF, given_runs(runs) | {"of_step": step_id})
    return {i: Call(CallStatus(status), reason) for i, visit, status, reason in rows if visit_of[i] == visit}


_CALLS_OF = select(C.enrolment_id, C.visit, C.status, C.reason).where(
    in_given_keys(webhook_call, "enrolment_id"), C.step_id == bindparam("of_step")
)


# --- claim and settle -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call this process holds until its lease ends."""

    bucket: int
    id: int
    enrolment_id: int
    webhook: str
    key: str
    body: str
    attempts: int  # this one included
    fence: int
    give_up_at: datetime


_NOW = bindparam("now", type_=Instant())
_ANYTHING_DUE = select(C.id).where(IS_OPEN_CALL, C.due_at <= _NOW).order_by(C.due_at).limit(1)
_NEXT_DUE = select(func.min(C.due_at)).where(IS_OPEN_CALL, C.due_at > _NOW)


def anything_due(connection: Connection, now: datetime) -> bool:
    return connection.scalar(_ANYTHING_DUE, {"now": now}) is not None


def next_due(connection: Connection, now: datetime) -> datetime | None:
    earliest: datetime | None = connection.scalar(_NEXT_DUE, {"now": now})
    return earliest


def claim(connection: Connection, now: datetime, limit: int, paused: Collection[str]) -> list[DueCall]:
    """Take what is due, the oldest first: attempt + 1, fence + 1, a lease. `paused`: journeys that hold their calls. A
    call whose run has ended, or has gone on without it, is closed instead."""
    rows = _DUE.take(connection, now, limit, paused=sorted(paused))
    live = connection.execute(_LIVE_RUNS, given_keys({(row.bucket, row.enrolment_id) for row in rows}))
    awaited = {tuple(run) for run in live}
    waited_for = {row.id: (row.bucket, row.enrolment_id, row.step_id, row.visit) in awaited for row in rows}
    held = [row for row in rows if waited_for[row.id]]
    _close(connection, [row for row in rows if not waited_for[row.id]], now)
    _hold(connection, held, now)
    return [
        DueCall(
            row.bucket, row.id, row.enrolment_id, row.webhook, row.key, row.body, row.attempts + 1, row.fence + 1,
            row.give_up_at,
        )
        for row in held
    ]  # fmt: skip


def _hold(connection: Connection, rows: Sequence[Any], now: datetime) -> None:
    if rows:
        connection.execute(_HELD, _given(rows) | {"until": now + CALL_LEASE})


def _close(connection: Connection, rows: Sequence[Any], now: datetime) -> None:
    if rows:
        connection.execute(_CLOSED, _given(rows) | {"now": now})


def _given(rows: Iterable[Any]) -> dict[str, str]:
    return given_keys((row.bucket, row.id) for row in rows)


_DUE = Claim(
    webhook_call,
    select(webhook_call)
    .where(IS_OPEN_CALL, C.due_at <= _NOW, C.journey_id.not_in(bindparam("paused", expanding=True)))
    .order_by(C.due_at, C.id),
)
_LIVE_RUNS = select(E.bucket, E.id, E.step_id, E.visit).where(IS_LIVE, in_given_keys(enrolment))
_THESE = update(webhook_call).where(in_given_keys(webhook_call))
_HELD = _THESE.values(fence=C.fence + 1, attempts=C.attempts + 1, due_at=bindparam("until", type_=Instant()))
_CLOSED = _THESE.values(status=CallStatus.FAILED, reason="its run no longer waits for it", settled_at=_NOW)


def settle(connection: Connection, results: Sequence[tuple[DueCall, Settled]], now: datetime) -> None:
    """Record what the attempts came to, unless somebody else holds the call by now, and wake the runs that wait."""
    for call, result in sorted(results, key=lambda pair: (pair[0].bucket, pair[0].id)):
        held = {"of_bucket": call.bucket, "of_id": call.id, "held_by": call.fence}
        outcome = {"is_now": result.status, "why": result.reason and result.reason[:300]}
        if result.due_at is not None:
            connection.execute(_PUT_OFF, held | outcome | {"again_at": result.due_at})
        elif connection.execute(_SETTLED, held | outcome | {"now": now}).rowcount:
            connection.execute(_WOKEN, {"of_bucket": call.bucket, "of_id": call.enrolment_id, "now": now})


_MINE = and_(C.bucket == bindparam("of_bucket"), C.id == bindparam("of_id"), C.fence == bindparam("held_by"))
_OUTCOME = update(webhook_call).where(_MINE).values(status=bindparam("is_now"), reason=bindparam("why"))
_PUT_OFF = _OUTCOME.values(due_at=bindparam("again_at"))
_SETTLED = _OUTCOME.values(settled_at=_NOW)
_WOKEN = (
    update(enrolment).where(E.bucket == bindparam("of_bucket"), E.id == bindparam("of_id"), IS_LIVE).values(due_at=_NOW)
)


# --- how they do ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallsOf:
    """Of one webhook: calls that are tried again and again, and those lately given up."""

    webhook: str
    waiting: int
    failed: int
    reason: str | None  # why the last of them did not succeed


def in_trouble(connection: Connection, since: datetime) -> list[CallsOf]:
    """Webhooks with open calls that have failed before, or with calls given up since then."""
    struggling = and_(C.status == CallStatus.OPEN, C.attempts > 0, C.reason.is_not(None))
    given_up = and_(C.status == CallStatus.FAILED, C.attempts > 0, C.settled_at >= since)
    query = (
        select(C.webhook, func.count(C.id).filter(struggling), func.count(C.id).filter(given_up), func.max(C.reason))
        .where(or_(struggling, given_up))
        .group_by(C.webhook)
        .order_by(C.webhook)
    )
    return [CallsOf(*row) for row in connection.execute(query)]
