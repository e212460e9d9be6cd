"""What is too old, or of no more use: a small batch at a time. Each function returns how much went; at 0 all did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, select, tuple_

from engage.store.statements.keys import drop_rows
from engage.store.tables import early_receipt, enrolment, event, inbound, job_slot, notice, plan, webhook_call

BATCH = 1_000  # rows in one transaction


def drop_inbound(connection: Connection, before: datetime) -> int:
    """What came in before that moment, as it was received. What was read of it stays: events, answers, consents."""
    oldest = select(inbound.c.id, inbound.c.received_at).order_by(inbound.c.id).limit(BATCH)
    gone = [i for i, received_at in connection.execute(oldest) if received_at < before]
    if gone:
        connection.execute(delete(early_receipt).where(early_receipt.c.inbound_id.in_(gone)))
        connection.execute(delete(inbound).where(inbound.c.id.in_(gone)))
    return len(gone)


def drop_events(connection: Connection, before: datetime) -> int:
    """What happened before that moment. Counts that are kept stay as they are; who tells it once more is believed."""
    name = connection.scalar(select(func.min(event.c.name)))
    while name is not None:
        gone = drop_rows(connection, event, event.c.name == name, event.c.at < before, most=BATCH)
        if gone:
            return gone
        name = connection.scalar(select(func.min(event.c.name)).where(event.c.name > name))
    return 0


def drop_calls(connection: Connection, before: datetime) -> int:
    """Calls of webhook steps that were settled before that moment, of runs that have ended: no step looks for them."""
    c = webhook_call.c
    over = exists().where(
        enrolment.c.bucket == c.bucket, enrolment.c.id == c.enrolment_id, enrolment.c.status == "ended"
    )
    return drop_rows(connection, webhook_call, c.settled_at < before, over, most=BATCH)


def drop_notices(connection: Connection, before: datetime) -> int:
    """Word to staff that went out, or was given up, before that moment."""
    return drop_rows(connection, notice, notice.c.status != "pending", notice.c.due_at < before, most=BATCH)


def drop_plans(connection: Connection, before: datetime) -> int:
    """Plans that were shown before that moment and never applied."""
    some = select(plan.c.id).where(plan.c.made_at < before, plan.c.applied_at.is_(None)).limit(BATCH)
    return connection.execute(delete(plan).where(plan.c.id.in_(some))).rowcount


def drop_slots(connection: Connection, before: datetime) -> int:
    """Marks of what was done once, so long ago that nobody could be late with it any more."""
    old = select(job_slot.c.job, job_slot.c.slot).where(job_slot.c.done_at < before).limit(BATCH)
    here = tuple_(job_slot.c.job, job_slot.c.slot).in_(old)
    return connection.execute(delete(job_slot).where(here)).rowcount
