"""What is due and not done: asked every few seconds by whoever watches, of databases of any size. Found by the partial
indexes of what waits, and counted up to a ceiling: a backlog of millions costs no more to look at than `MOST` rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal_column, select

from engage.core.delivery import LEASE, Status
from engage.store import state
from engage.store.tables import (
    IS_LIVE,
    IS_OPEN_CALL,
    IS_UNREAD,
    IS_UNSETTLED,
    IS_UNTOLD,
    Instant,
    delivery,
    enrolment,
    event,
    inbound,
    notice,
    webhook_call,
)

MOST = 20_000  # rows looked at for each figure; more are counted as so many
D, E = delivery.c, enrolment.c
_NOW = bindparam("now", type_=Instant())
_SOON = bindparam("soon", type_=Instant())


@dataclass(frozen=True, slots=True)
class DueRuns:
    """Runs at one step whose time has come and that have not been moved."""

    journey_id: str
    step_id: str | None
    runs: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Messages of one status that are due, under way, or waiting for somebody. `channel`: empty until one is chosen."""

    status: str
    channel: str
    messages: int


@dataclass(frozen=True, slots=True)
class Backlog:
    runs: list[DueRuns]
    messages: list[Unsettled]
    unread: int  # callbacks and facts that came in
    fresh_events: int
    calls: int  # of webhook steps
    oldest: Mapping[str, datetime]  # since when the oldest of each kind waits; without kinds of which none does


def backlog(connection: Connection, now: datetime) -> Backlog:
    given = {"now": now, "soon": now + LEASE}
    runs = [DueRuns(*row) for row in connection.execute(_DUE_RUNS, given)]
    messages = [Unsettled(*row) for query in _UNSETTLED for row in connection.execute(query, given)]
    return Backlog(
        runs=runs,
        messages=messages,
        unread=connection.scalar(_UNREAD) or 0,
        fresh_events=connection.scalar(_FRESH) or 0,
        calls=connection.scalar(_CALLS, given) or 0,
        oldest=_oldest(connection, now),
    )


def _oldest(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Without what a pause holds: it waits because somebody wants it to."""
    paused = state.paused(connection)
    held = {
        kind: [scope.removeprefix(kind) for scope in paused if scope.startswith(kind)]
        for kind in ("channel:", "journey:")
    }
    given = {"now": now, "channels": held["channel:"], "journeys": held["journey:"]}
    found = {kind: connection.scalar(_OLDEST[kind], given) for kind in QUEUES if not _HELD_BY[kind] & paused}
    return {kind: at for kind, at in found.items() if at is not None}


def _up_to_most(query: Any) -> Any:
    return select(func.count()).select_from(query.limit(MOST).subquery())


_DUE = select(E.journey_id, E.step_id).where(IS_LIVE, E.due_at <= _NOW).order_by(E.due_at).limit(MOST).subquery()
_DUE_RUNS = (
    select(_DUE.c.journey_id, _DUE.c.step_id, func.count())
    .group_by(_DUE.c.journey_id, _DUE.c.step_id)
    .order_by(_DUE.c.journey_id, _DUE.c.step_id)
)


def _by_status(query: Any) -> Any:
    some = query.limit(MOST).subquery()
    channel = func.coalesce(some.c.channel, literal_column("''"))
    return (
        select(some.c.status, channel, func.count()).group_by(some.c.status, channel).order_by(some.c.status, channel)
    )


# A lease ends within LEASE; what is due later is neither late nor under way. Ambiguous ones nobody will repeat have no
# moment at which they are due.
_OUTBOX = select(D.status, D.channel)
_UNDER_WAY = (Status.PENDING, Status.CLAIMED, Status.SENDING, Status.AMBIGUOUS)
_UNSETTLED = (
    # Status by status, as the index has them: to sort a whole backlog would cost what is stored.
    *(_by_status(_OUTBOX.where(IS_UNSETTLED, D.status == status, D.due_at <= _SOON)) for status in _UNDER_WAY),
    _by_status(_OUTBOX.where(IS_UNSETTLED, D.due_at.is_(None))),
)
_UNREAD = _up_to_most(select(inbound.c.id).where(IS_UNREAD))
_FRESH = _up_to_most(select(event.c.id).where(event.c.fresh))
_CALLS = _up_to_most(select(webhook_call.c.id).where(IS_OPEN_CALL, webhook_call.c.due_at <= _NOW))
_DUE_MESSAGES = (
    select(D.due_at, D.channel)
    .where(IS_UNSETTLED, D.status == Status.PENDING, D.due_at <= _NOW)
    .order_by(D.due_at)
    .limit(MOST)
    .subquery()
)
_HELD_MESSAGES = _DUE_MESSAGES.c.channel.in_(bindparam("channels", expanding=True))
_HELD_CALLS = webhook_call.c.journey_id.in_(bindparam("journeys", expanding=True))
_OLDEST = {
    "runs": select(func.min(E.due_at)).where(IS_LIVE, E.due_at <= _NOW),
    "inbound": select(inbound.c.received_at).where(IS_UNREAD).order_by(inbound.c.id).limit(1),
    "events": select(event.c.recorded_at).where(event.c.fresh).order_by(event.c.id).limit(1),
    "calls": select(func.min(webhook_call.c.due_at)).where(IS_OPEN_CALL, webhook_call.c.due_at <= _NOW, ~_HELD_CALLS),
    "notices": select(func.min(notice.c.due_at)).where(IS_UNTOLD, notice.c.due_at <= _NOW),
    "messages": select(func.min(_DUE_MESSAGES.c.due_at)).where(_DUE_MESSAGES.c.channel.is_(None) | ~_HELD_MESSAGES),
}
QUEUES = tuple(_OLDEST)
# A pause of everything ends sends and calls; on a database that was brought back only what comes in is still read.
_HELD_BY = {kind: frozenset({state.RESTORED}) for kind in QUEUES} | {
    "inbound": frozenset(),
    "calls": state.EVERYTHING,
    "messages": state.EVERYTHING,
}
