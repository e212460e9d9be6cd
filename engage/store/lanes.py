"""What waits in the outbox, found a batch at a time: by priority, and by the channel it waits for.

A campaign leaves a million messages of one priority that are due at the same moment. To sort them for every batch would
cost what is stored; so they are read in the order of an index, lane by lane: a lane is a priority and a channel, or no
channel yet. Which lanes there are, and when the first of each is due, is found by hops along the same index. A lane
whose channel is full is not looked into, however much waits there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Integer, String, and_, bindparam, func, or_, select, text, union_all

from engage.core.delivery import Status
from engage.store.databases.dialects import is_spread
from engage.store.statements.claims import Claim
from engage.store.tables import IS_IN_HAND, IS_PENDING, Instant, delivery

D = delivery.c


_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lane:
    """`channel`: the one these messages wait for; None: it is still to be chosen. `due_at`: of the first of them."""

    priority: int
    channel: str | None
    due_at: datetime


def take_due(
    connection: Connection, now: datetime, most: int, full: Collection[str] = (), besides: Collection[str | None] = ()
) -> list[Any]:
    """Rows of the outbox that may be taken up, locked until the transaction ends. First what has been called before and
    is to be repeated; then lane by lane, the most important first, and what waits for a channel that has room before
    what has none yet. `besides`: journeys whose messages are left where they are; None: those that have none."""
    only = _of_no_journey_in(besides) if besides else None
    rows = _REPEATABLE.take(connection, now, most, only, full=sorted(full))
    for lane in lanes(connection):
        if len(rows) >= most:
            break
        if lane.due_at > now:
            continue
        if lane.channel is None:
            rows += _UNCHOSEN.take(connection, now, most - len(rows), only, of_priority=lane.priority)
        elif lane.channel not in full:
            wanted = {"of_priority": lane.priority, "of_channel": lane.channel}
            rows += _CHOSEN.take(connection, now, most - len(rows), only, **wanted)
    return rows


def _of_no_journey_in(besides: Collection[str | None]) -> Any:
    named = D.journey_id.not_in(sorted(each for each in besides if each is not None))
    return and_(D.journey_id.is_not(None), named) if None in besides else or_(D.journey_id.is_(None), named)


def lanes(connection: Connection, after: datetime = _EVER) -> list[Lane]:
    """The most important first. `after`: as if what is due by then had left."""
    rows = connection.execute(_LANES_ANYWHERE if is_spread(connection.dialect) else _LANES, {"after": after})
    return [Lane(*row) for row in rows]


def waiting(connection: Connection, lane: Lane, until: datetime, most: int) -> int:
    """How many are due by then; `most` if there are more."""
    given = {"of_priority": lane.priority, "now": until, "most": most}
    if lane.channel is None:
        return connection.scalar(_HOW_MANY_UNCHOSEN, given) or 0
    return connection.scalar(_HOW_MANY_CHOSEN, given | {"of_channel": lane.channel}) or 0


_NOW = bindparam("now", type_=Instant())
_AFTER = bindparam("after", type_=Instant())

# What has not gone out: it waits, or is being judged. One after the other, each by its index.
_OF_THE_UNSENT = (D.bucket, D.enrolment_id, D.journey_id, D.step_id, D.pinned_version, D.due_at)
UNSENT = union_all(
    select(*_OF_THE_UNSENT).where(IS_PENDING),
    select(*_OF_THE_UNSENT).where(IS_IN_HAND, D.status == Status.CLAIMED),
).subquery("unsent")
# What `dispatching.held` reads; the decision and other long columns are left where they are.
_TAKEN = (
    D.bucket, D.id, D.member_id, D.message_key, D.hop, D.purpose, D.topic, D.priority, D.template, D.status,
    D.queued_at, D.due_at, D.late_at, D.enrolment_id, D.journey_id, D.pinned_version, D.step_id, D.visit, D.channel,
    D.fence, D.attempts, D.address, D.mode, D.payload, D.text, D.segments, D.cost, D.repeat_until, D.repeats_left,
    D.first_sent_at,
)  # fmt: skip
_ROOM = or_(D.channel.is_(None), D.channel.not_in(bindparam("full", expanding=True)))
_AGAIN = or_(D.repeat_until > _NOW, D.repeats_left > 0)
_REPEATABLE = Claim(
    delivery,
    select(*_TAKEN).where(IS_IN_HAND, D.status == Status.AMBIGUOUS, D.due_at <= _NOW, _AGAIN, _ROOM).order_by(D.due_at),
)
# PostgreSQL does not see that what has no channel is in the order of the index, unless it is asked for that very order.
_ITS_ORDER = (D.channel, D.due_at, D.id)
_IS_DUE = (IS_PENDING, D.priority == bindparam("of_priority"), D.due_at <= _NOW)
_IS_UNCHOSEN, _IS_CHOSEN = D.channel.is_(None), D.channel == bindparam("of_channel", type_=String())
_UNCHOSEN, _CHOSEN = (
    Claim(delivery, select(*_TAKEN).where(*_IS_DUE, which).order_by(*_ITS_ORDER))
    for which in (_IS_UNCHOSEN, _IS_CHOSEN)
)
_HOW_MANY_UNCHOSEN, _HOW_MANY_CHOSEN = (
    select(func.count()).select_from(
        select(D.id).where(*_IS_DUE, which).limit(bindparam("most", type_=Integer())).subquery()
    )
    for which in (_IS_UNCHOSEN, _IS_CHOSEN)
)

# Each hop is one look-up along `ix_delivery_waiting`. The lane without a channel is the last of its priority.
_LANES = (
    text("""WITH RECURSIVE held_priority (priority) AS (
        SELECT (SELECT priority FROM delivery WHERE status = 'pending' ORDER BY priority DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT delivery.priority FROM delivery
                WHERE delivery.status = 'pending' AND delivery.priority < held_priority.priority
                ORDER BY delivery.priority DESC LIMIT 1)
        FROM held_priority WHERE held_priority.priority IS NOT NULL
    ), lane (priority, channel) AS (
        SELECT held_priority.priority,
               (SELECT delivery.channel FROM delivery
                WHERE delivery.status = 'pending' AND delivery.priority = held_priority.priority
                  AND delivery.channel IS NOT NULL
                ORDER BY delivery.channel LIMIT 1)
        FROM held_priority WHERE held_priority.priority IS NOT NULL
        UNION ALL
        SELECT lane.priority,
               (SELECT delivery.channel FROM delivery
                WHERE delivery.status = 'pending' AND delivery.priority = lane.priority
                  AND delivery.channel > lane.channel
                ORDER BY delivery.channel LIMIT 1)
        FROM lane WHERE lane.channel IS NOT NULL
    ), with_first (priority, channel, due_at) AS (
        SELECT priority, channel,
               CASE WHEN channel IS NULL
               THEN (SELECT delivery.due_at FROM delivery
                     WHERE delivery.status = 'pending' AND delivery.priority = lane.priority
                       AND delivery.channel IS NULL AND delivery.due_at > :after
                     ORDER BY delivery.channel, delivery.due_at LIMIT 1)
               ELSE (SELECT delivery.due_at FROM delivery
                     WHERE delivery.status = 'pending' AND delivery.priority = lane.priority
                       AND delivery.channel = lane.channel AND delivery.due_at > :after
                     ORDER BY delivery.due_at LIMIT 1)
               END
        FROM lane
    )
    SELECT priority, channel, due_at FROM with_first WHERE due_at IS NOT NULL
    ORDER BY priority DESC, channel IS NULL, channel
""")
    .bindparams(_AFTER)
    .columns(D.priority, D.channel, D.due_at)
)
# Citus does not follow hops from server to server; each counts up its own.
_LANES_ANYWHERE = (
    select(D.priority, D.channel, func.min(D.due_at))
    .where(IS_PENDING, D.due_at > _AFTER)
    .group_by(D.priority, D.channel)
    .order_by(D.priority.desc(), D.channel.is_(None), D.channel)
)
