"""Putting a copy of a database back to an earlier day, as far as that can be known: for `engage replay`, never for a
database that anybody lives by.

What members are and have agreed to stays as it is now: their past is not on file. What happened to them is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS, Catalog
from engage.store import events, segments
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.state import forget_time
from engage.store.tables import (
    answer,
    arm,
    contact_point,
    decision,
    delivery,
    delivery_ledger,
    enrolment,
    event,
    member,
    notice,
    split_decision,
    state,
    task,
    webhook_call,
)

# Journeys begin on an empty page: what they did and sent is not to stand in the way of what they would have done.
_OF_JOURNEYS = (answer, arm, decision, delivery, delivery_ledger, enrolment, notice, task, webhook_call)
# What would have happened by itself, or did because of what was sent: it is not told again.
_NOT_TOLD = frozenset({*RESPONSE_EVENTS, *MEMBER_EVENTS}) - {"member_created", "wechat_followed"}


def rewind(connection: Connection, catalog: Catalog, since: datetime) -> None:
    """To how it was at `since`: nothing that happened later is on record, computed fields are counted from what is, and
    whoever belonged into a segment then is in it."""
    for table in _OF_JOURNEYS:
        connection.execute(delete(table).where(_everywhere(table)))
    connection.execute(delete(split_decision))
    connection.execute(delete(event).where(_everywhere(event), event.c.at >= since))
    forget_time(connection)
    connection.execute(delete(state).where(state.c.key.startswith("resting:", autoescape=True)))
    _close_windows(connection, since)
    events.recount_all(connection, catalog)
    for name in catalog.segments:
        segments.settle(connection, catalog, name, since)


def _close_windows(connection: Connection, since: datetime) -> None:
    """Reply windows that were opened later."""
    c = contact_point.c
    shut = {"window_act": None, "window_opened_at": None, "window_used": 0}
    opened = _everywhere(contact_point) & (c.window_opened_at >= since)
    connection.execute(update(contact_point).where(opened).values(shut))
    acted = _everywhere(contact_point) & (c.last_inbound_at >= since)
    connection.execute(update(contact_point).where(acted).values(last_inbound_at=None))


def _everywhere(table: Any) -> Any:
    return table.c.bucket.between(0, 255)


def told(connection: Connection, since: datetime, until: datetime) -> Iterator[NewEvent]:
    """What the outside told in that time, oldest first. Of the database as it is, not of the copy that was put back."""
    e = event.c
    columns = (e.bucket, e.member_id, e.name, e.at, e.dedupe_key, e.payload, e.channel)
    query = select(*columns).where(e.at >= since, e.at < until, e.name.not_in(sorted(_NOT_TOLD)))
    for row in connection.execution_options(stream_results=True).execute(query.order_by(e.at, e.id)):
        ref = MemberRef(row.bucket, row.member_id)
        yield NewEvent(ref, row.name, row.at, row.dedupe_key, row.payload, channel=row.channel)


def really_sent(connection: Connection, journey_id: str, since: datetime, until: datetime) -> int:
    """How many messages of this journey went out in that time."""
    d = delivery.c
    here = (d.journey_id == journey_id) & (d.first_sent_at >= since) & (d.first_sent_at < until)
    return connection.scalar(select(func.count()).where(here)) or 0


@dataclass(frozen=True, slots=True)
class WouldBe:
    """A message that went out in a replay."""

    at: datetime
    member_id: int
    external_id: str | None
    journey_id: str
    step_id: str | None
    channel: str


def would_have_sent(connection: Connection) -> Iterator[WouldBe]:
    """In order."""
    d = delivery.c
    columns = (d.first_sent_at, d.member_id, member.c.external_id, d.journey_id, d.step_id, d.channel)
    query = (
        select(*columns)
        .join_from(delivery, member, (member.c.bucket == d.bucket) & (member.c.id == d.member_id))
        .where(d.journey_id.is_not(None), d.first_sent_at.is_not(None))
        .order_by(d.first_sent_at, d.id)
    )
    return (WouldBe(*row) for row in connection.execute(query))
