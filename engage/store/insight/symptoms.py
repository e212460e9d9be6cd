"""What an examination asks of the database beside the backlog: leases nobody ended, messages that became ambiguous, who
called back when, and what the server's clock says. By index, or over the newest rows only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from engage.core.delivery import Status
from engage.store.databases.database import Database
from engage.store.tables import IS_IN_HAND, delivery, inbound

_NEWEST = 20_000  # records that came in
D = delivery.c


def stuck_leases(connection: Connection, now: datetime, over_for: timedelta) -> int:
    """Messages that were claimed or called, whose lease is long over and that nobody has taken up."""
    held = D.status.in_([Status.CLAIMED, Status.SENDING])
    query = select(func.count()).select_from(delivery).where(IS_IN_HAND, D.due_at <= now - over_for, held)
    return connection.scalar(query) or 0


def became_ambiguous(connection: Connection, since: datetime) -> Mapping[str, int]:
    """By channel: messages that have become so since then, and still are, whether they wait for a receipt, for somebody
    or for their repeat."""
    still = (IS_IN_HAND, D.status == Status.AMBIGUOUS)
    query = select(D.channel, func.count()).where(*still, D.recorded_at >= since).group_by(D.channel)
    return {row[0]: row[1] for row in connection.execute(query)}


def last_came_in(connection: Connection) -> Mapping[str, datetime]:
    """When each source was heard of last, among the newest records."""
    newest = select(inbound.c.source, inbound.c.received_at).order_by(inbound.c.id.desc()).limit(_NEWEST).subquery()
    rows = connection.execute(
        select(newest.c.source, func.max(newest.c.received_at).label("at")).group_by(newest.c.source)
    )
    return {row.source: row.at for row in rows}


def unreadable(connection: Connection) -> int:
    """Of the newest records."""
    newest = select(inbound.c.status).order_by(inbound.c.id.desc()).limit(_NEWEST).subquery()
    return connection.scalar(select(func.count()).select_from(newest).where(newest.c.status == "unreadable")) or 0


def server_time(database: Database, connection: Connection) -> datetime | None:
    """What the database takes for now; None where it has no clock of its own."""
    at: datetime | None = connection.scalar(select(func.clock_timestamp())) if database.is_server else None
    return at
