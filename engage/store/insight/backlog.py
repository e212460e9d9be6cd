"""What is due and not done: asked every few seconds by whoever watches, of databases of any size. Found by the partial
indexes of what waits, and counted up to a ceiling: a backlog of millions costs no more to look at than `MOST` rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal_column, select

from engage.core.delivery import LEASE, Status
from engage.store import inbound as inbox
from engage.store import lanes, state
from engage.store.lanes import Lane
from engage.store.tables import (
    IS_IN_HAND,
    IS_LIVE,
    IS_OPEN_CALL,
    IS_UNREAD,
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
    ways = lanes.lanes(connection)
    in_hand = [Unsettled(*row) for query in _IN_HAND for row in connection.execute(query, given)]
    return Backlog(
        runs=runs,
        messages=_waiting(connection, ways, now + LEASE) + in_hand,
        unread=connection.scalar(_UNREAD) or 0,
        fresh_events=connection.scalar(_FRESH) or 0,
        calls=connection.scalar(_CALLS, given) or 0,
        oldest=_oldest(connection, ways, now),
    )


def _waiting(connection: Connection, ways: Sequence[Lane], until: datetime) -> list[Unsettled]:
    by_channel: Counter[str] = Counter()
    for lane in ways:
        left = MOST - by_channel.total()
        if lane.due_at <= until and left > 0:
            by_channel[lane.channel or ""] += lanes.waiting(connection, lane, until, left)
    return [Unsettled(Status.PENDING, channel, messages) for channel, messages in sorted(by_channel.items())]


def _oldest(connection: Connection, ways: Sequence[Lane], now: datetime) -> dict[str, datetime]:
    """Without what a pause holds: it waits because somebody wants it to."""
    paused = state.paused(connection)
    held = {
        kind: [scope.removeprefix(kind) for scope in paused if scope.startswith(kind)]
        for kind in ("channel:", "journey:")
    }
    given = {"now": now, "journeys": held["journey:"]}
    due = [lane.due_at for lane in ways if lane.due_at <= now and lane.channel not in held["channel:"]]
    unread = [at for bulk in (False, True) if (at := inbox.unread_since(connection, bulk=bulk)) is not None]
    found = {"messages": min(due, default=None), "inbound": min(unread, default=None)}
    found |= {kind: connection.scalar(query, given) for kind, query in _OLDEST.items()}
    return {kind: at for kind, at in found.items() if at is not None and not _HELD_BY[kind] & paused}


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
_OUTBOX = select(D.status, D.channel).where(IS_IN_HAND)
_IN_HAND = (
    # Status by status, as the index has them.
    *(
        _by_status(_OUTBOX.where(D.status == status, D.due_at <= _SOON))
        for status in (Status.CLAIMED, Status.SENDING, Status.AMBIGUOUS)
    ),
    _by_status(_OUTBOX.where(D.status == Status.AMBIGUOUS, D.due_at.is_(None))),
)
# In the order of their indexes, which is what keeps a planner on those.
_UNREAD = _up_to_most(select(inbound.c.id).where(IS_UNREAD).order_by(inbound.c.bulk, inbound.c.id))
_FRESH = _up_to_most(select(event.c.id).where(event.c.fresh).order_by(event.c.id))
_OPEN = select(webhook_call.c.id).where(IS_OPEN_CALL, webhook_call.c.due_at <= _NOW)
_CALLS = _up_to_most(_OPEN.order_by(webhook_call.c.due_at))
_HELD_CALLS = webhook_call.c.journey_id.in_(bindparam("journeys", expanding=True))
_OLDEST = {
    "runs": select(func.min(E.due_at)).where(IS_LIVE, E.due_at <= _NOW),
    "events": select(event.c.recorded_at).where(event.c.fresh).order_by(event.c.id).limit(1),
    "calls": select(func.min(webhook_call.c.due_at)).where(IS_OPEN_CALL, webhook_call.c.due_at <= _NOW, ~_HELD_CALLS),
    "notices": select(func.min(notice.c.due_at)).where(IS_UNTOLD, notice.c.due_at <= _NOW),
}
QUEUES = ("messages", "inbound", *_OLDEST)
# A pause of everything ends sends and calls; on a database that was brought back only what comes in is still read.
_HELD_BY = {kind: frozenset({state.RESTORED}) for kind in QUEUES} | {
    "inbound": frozenset(),
    "calls": state.EVERYTHING,
    "messages": state.EVERYTHING,
}
