"""The inbox: every inbound fact as received, stored once before it is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, case, select, update

from engage.store.database import upsert
from engage.store.tables import IS_UNREAD, Instant, inbound

# Our own sources; their bodies are facts as JSON (core.fact_json). Providers' sources are named in channels.registry.
PAGE = "page"
API = "api"
FILE = "file"
# What the shop tells comes by the thousand; what members do must not wait behind it: an opt-out may be among it.
_is_bulk = case((inbound.c.source.in_([API, FILE]), 1), else_=0)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One record to store: unique per (source, key)."""

    source: str
    key: str
    body: str


def put(connection: Connection, records: Sequence[Arrived], now: datetime) -> int:
    """Store what is new; what was stored before is left alone. Returns how many were new."""
    if not records:
        return 0
    rows = [{"source": r.source, "key": r.key, "body": r.body, "received_at": now} for r in records]
    return len(connection.scalars(_PUT, rows).all())


_PUT = upsert(inbound).on_conflict_do_nothing(index_elements=["source", "key"]).returning(inbound.c.id)


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record that nothing has read yet."""

    id: int
    source: str
    key: str
    body: str


def unread(connection: Connection, limit: int, *, bulk: bool) -> list[Record]:
    """The oldest unread records of one class, in the order they arrived. `bulk`: what the shop told, by API or file;
    else what members and providers did.

    The class is an expression on purpose: it keeps SQLite on the small index of unread rows, where a plain comparison
    of `source` would walk through every record ever stored.
    """
    return [Record(*row) for row in connection.execute(_UNREAD, {"bulk": int(bulk), "most": limit})]


_UNREAD = (
    select(inbound.c.id, inbound.c.source, inbound.c.key, inbound.c.body)
    .where(IS_UNREAD, _is_bulk == bindparam("bulk", type_=Integer()))
    .order_by(inbound.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_ANY_UNREAD = select(inbound.c.id).where(IS_UNREAD).limit(1)


def any_unread(connection: Connection) -> bool:
    return connection.scalar(_ANY_UNREAD) is not None


def still_unread(connection: Connection, records: Sequence[Record]) -> list[Record]:
    """Without those that another process has read meanwhile."""
    unread_ids = set(connection.scalars(_STILL_UNREAD, {"given": [record.id for record in records]}))
    return [record for record in records if record.id in unread_ids]


def mark_read(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    if ids:
        connection.execute(_READ, {"given": ids, "now": now})


_GIVEN = inbound.c.id.in_(bindparam("given", expanding=True))
_STILL_UNREAD = select(inbound.c.id).where(IS_UNREAD, _GIVEN)
_READ = update(inbound).where(_GIVEN).values(status="done", processed_at=bindparam("now", type_=Instant()))


def mark_unreadable(connection: Connection, record_id: int, error: str, now: datetime) -> None:
    """Kept as it came, with the reason, for someone to look at."""
    statement = update(inbound).where(inbound.c.id == record_id)
    connection.execute(statement.values(status="unreadable", processed_at=now, error=error[:500]))
