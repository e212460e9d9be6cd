"""The inbox: every inbound fact as received, stored once before it is acknowledged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Boolean, Connection, Integer, bindparam, delete, select, text, update

from engage.store.statements.keys import batches
from engage.store.statements.rows import add_rows
from engage.store.tables import IS_UNREAD, Instant, early_receipt, inbound

# Our own sources; their bodies are facts as JSON (core.fact_json). Providers' sources are named in channels.registry.
PAGE = "page"
API = "api"
FILE = "file"
# What the shop tells comes by the thousand; what members do must not wait behind it: an opt-out may be among it.
_BULK = frozenset({API, FILE})


class Arrived(NamedTuple):
    """One record to store: unique per (source, key)."""

    source: str
    key: str
    body: str


def put(connection: Connection, records: Sequence[Arrived], now: datetime) -> int:
    """Store what is new; what was stored before is left alone. Returns how many were new."""
    rows = [
        {"source": r.source, "key": r.key, "bulk": r.source in _BULK, "body": r.body, "received_at": now}
        for r in records
    ]
    return add_rows(connection, inbound, rows, unless_there=True)


class Record(NamedTuple):
    """A stored record that nothing has read yet."""

    id: int
    source: str
    key: str
    body: str


def unread(connection: Connection, limit: int, *, bulk: bool, besides: Collection[str] = ()) -> list[Record]:
    """The oldest unread records of one class, in the order they arrived. `bulk`: what the shop told, by API or file;
    else what members and providers did. `besides`: sources whose records are left where they are."""
    statement = _UNREAD.where(inbound.c.source.not_in(sorted(besides))) if besides else _UNREAD
    return [Record(*row) for row in connection.execute(statement, {"bulk": bulk, "most": limit})]


# In an order that only the index of the unread has. PostgreSQL would else go by the primary key, through all that was
# ever read, while it believes that most of it is unread; and it does not take what is equal for ordered.
_CLASS = bindparam("bulk", type_=Boolean())
_OF_CLASS, _IN_ORDER = inbound.c.bulk.between(_CLASS, _CLASS), (inbound.c.bulk, inbound.c.id)
_UNREAD = (
    select(inbound.c.id, inbound.c.source, inbound.c.key, inbound.c.body)
    .where(IS_UNREAD, _OF_CLASS)
    .order_by(*_IN_ORDER)
    .limit(bindparam("most", type_=Integer()))
)
_FIRST_UNREAD = select(inbound.c.received_at).where(IS_UNREAD, _OF_CLASS).order_by(*_IN_ORDER).limit(1)


def unread_since(connection: Connection, *, bulk: bool) -> datetime | None:
    """When the first unread record of the class came in; None: there is none."""
    since: datetime | None = connection.scalar(_FIRST_UNREAD, {"bulk": bulk})
    return since


def still_unread(connection: Connection, record: Record) -> list[Record]:
    """Nothing if another process has read it meanwhile."""
    return [record] if connection.scalar(_STILL_UNREAD, {"given": [record.id]}) is not None else []


def mark_read(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    if ids:
        connection.execute(_READ, {"given": ids, "now": now})


_GIVEN = inbound.c.id.in_(bindparam("given", expanding=True))
_STILL_UNREAD = select(inbound.c.id).where(IS_UNREAD, _GIVEN)
_READ = update(inbound).where(IS_UNREAD, _GIVEN).values(status="done", processed_at=bindparam("now", type_=Instant()))


def mark_unreadable(connection: Connection, record_id: int, error: str, now: datetime) -> None:
    """Kept as it came, with the reason, for someone to look at."""
    statement = update(inbound).where(inbound.c.id == record_id)
    connection.execute(statement.values(status="unreadable", processed_at=now, error=error[:500]))


def unreadable(connection: Connection) -> list[int]:
    """Records that could not be read, the oldest first."""
    return list(connection.scalars(_UNREADABLE))


def read_again(connection: Connection, ids: Sequence[int]) -> None:
    """Those of them that could not be read are unread again."""
    for some in batches(ids):
        connection.execute(_AGAIN, {"given": some})


_UNREADABLE = select(inbound.c.id).where(inbound.c.status == "unreadable").order_by(inbound.c.id)
_AGAIN = (
    update(inbound).where(inbound.c.status == "unreadable", _GIVEN).values(status="new", processed_at=None, error=None)
)


# --- receipts that are quicker than our own record --------------------------------------------------------------


def begin_laying_by(connection: Connection) -> None:
    """Wait for all who are taking up; whoever comes to do so waits until this transaction ends. On SQLite whoever
    writes is alone as it is."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE)


def lay_by(connection: Connection, early: Iterable[tuple[int, str, str]]) -> None:
    """Receipts that name a message by the provider's own id, which is not on record yet: (record id, channel, that id).
    They are read once more when it is."""
    given = list(early)
    if given:
        rows = [{"channel": channel, "provider_id": of, "inbound_id": record_id} for record_id, channel, of in given]
        add_rows(connection, early_receipt, rows, unless_there=True)
        connection.execute(_LAID_BY, {"given": sorted({record_id for record_id, _, _ in given})})


def take_up(connection: Connection, now_known: Iterable[tuple[str, str]]) -> None:
    """What was told too early about these messages, (channel, the provider's id), is unread again. Whoever looks for
    them waits from here on until this transaction ends, and finds what it has put on record. Any number may take up at
    once."""
    by_channel: dict[str, list[str]] = defaultdict(list)
    for channel, provider_id in now_known:
        by_channel[channel].append(provider_id)
    for channel, ids in sorted(by_channel.items()):
        waited = connection.scalars(_WAITED, {"of_channel": channel, "whose": sorted(ids)}).all()
        if waited:
            connection.execute(_TAKEN_UP, {"given": sorted(set(waited))})


# A table's lock, not a row's, as in `journeys`. It is that of every DELETE, taken before it looks, that keeps this out.
_ALONE = text(f"LOCK TABLE {early_receipt.name} IN EXCLUSIVE MODE")
_LAID_BY = update(inbound).where(_GIVEN).values(status="early")
_WAITED = (
    delete(early_receipt)
    .where(
        early_receipt.c.channel == bindparam("of_channel"),
        early_receipt.c.provider_id.in_(bindparam("whose", expanding=True)),
    )
    .returning(early_receipt.c.inbound_id)
)
_TAKEN_UP = update(inbound).where(inbound.c.status == "early", _GIVEN).values(status="new")
