"""The same message once more, on another channel: queued behind the first, dropped when the next one overtakes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from engage.core.delivery import Status
from engage.core.turn import Purpose
from engage.store.members import MemberRef
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.tables import Instant, delivery

D = delivery.c


def queue_next_hop(connection: Connection, ref: MemberRef, delivery_id: int, due_at: datetime, now: datetime) -> None:
    """The same message once more, on a channel that is still to be chosen. If it already waits, it waits no longer
    than until `due_at`; if it has gone out already, that was the once more. Reminders and replies have no next hop."""
    row = connection.execute(_THIS, {"of_bucket": ref.bucket, "of_id": delivery_id}).one()
    if row.purpose not in (Purpose.SEND, Purpose.ASK):
        return
    same = {"of_bucket": ref.bucket, "of_key": row.message_key}
    later = same | {"after_hop": row.hop, "for_purpose": row.purpose}
    if connection.scalar(_GONE_ON, later) is not None:
        connection.execute(_BROUGHT_FORWARD, later | {"to": due_at})
        return
    highest = connection.scalar(_HIGHEST_HOP, same) or 0
    (next_id,) = take_ids(connection, "delivery", 1)
    copied = {name: row._mapping[name] for name in _OF_EVERY_HOP}
    late_at = due_at + (row.late_at - row.queued_at) if row.late_at is not None else None  # as late as the first one
    fresh = {"id": next_id, "hop": highest + 1, "status": Status.PENDING, "queued_at": now, "due_at": due_at}
    fresh["late_at"] = late_at
    connection.execute(_NEXT_HOP, copied | fresh)


_OF_EVERY_HOP = (
    "bucket", "member_id", "message_key", "purpose", "enrolment_id", "journey_id", "version", "pinned_version",
    "step_id", "visit", "topic", "priority", "template", "repeats_left",
)  # fmt: skip
_THIS = select(delivery).where(D.bucket == bindparam("of_bucket"), D.id == bindparam("of_id"))
_SAME = and_(D.bucket == bindparam("of_bucket"), D.message_key == bindparam("of_key"))
_LATER = and_(_SAME, D.hop > bindparam("after_hop"), D.purpose == bindparam("for_purpose"))
_GONE_ON = select(D.id).where(_LATER).limit(1)
_TO = bindparam("to", type_=Instant())
_BROUGHT_FORWARD = update(delivery).where(_LATER, D.status == Status.PENDING, D.due_at > _TO).values(due_at=_TO)
_HIGHEST_HOP = select(func.max(D.hop)).where(_SAME)
_NEXT_HOP = insert(delivery)


def drop_fallbacks(connection: Connection, runs: Sequence[tuple[int, int]], why: str) -> None:
    """Fallbacks of earlier messages die with the next one. Runs are (bucket, enrolment id)."""
    if runs:
        connection.execute(_DROPPED, given_keys(runs) | {"why": why})


_NOT_SENT = D.status.in_([Status.PENDING, Status.CLAIMED])
_DROPPED = (
    update(delivery)
    .where(in_given_keys(delivery, "enrolment_id"), _NOT_SENT, D.hop > 0, D.purpose == Purpose.SEND)
    .values(status=Status.CANCELLED, reason=bindparam("why"))
)
