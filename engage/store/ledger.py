"""The ledger of messages: what was said, and why, of those that are long over. Rows of the outbox keep all by which
they are found, counted, and never repeated; the rest of them is read here as if it had never left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, insert, null, select, union_all, update

from engage.store.databases.dialects import beside_index
from engage.store.statements.claims import Claim
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.tables import IS_TO_FILE, Instant, Row, delivery, delivery_ledger, enrolment

D, L = delivery.c, delivery_ledger.c
_FILED = ("decision", "payload", "text")


def file_some(connection: Connection, before: datetime, now: datetime, most: int) -> int:
    """Of messages that are settled and were queued before that moment, at most so many. Returns how many."""
    keys = [(bucket, i) for bucket, i in _TO_FILE.take(connection, now, most, before=before)]
    if keys:
        connection.execute(_FILED_AWAY, given_keys(keys))
        connection.execute(_EMPTIED, given_keys(keys) | {"now": now})
    return len(keys)


_BEFORE = bindparam("before", type_=Instant())
_TO_FILE = Claim(delivery, select(D.bucket, D.id).where(IS_TO_FILE, D.queued_at < _BEFORE).order_by(D.queued_at))
_COLUMNS = ("bucket", "id", "queued_at", *_FILED)
_FILED_AWAY = insert(delivery_ledger).from_select(
    _COLUMNS, select(*(D[name] for name in _COLUMNS)).where(in_given_keys(delivery))
)
_EMPTIED = (
    update(delivery)
    .where(in_given_keys(delivery))
    .values(dict.fromkeys(_FILED, null()) | {"filed_at": bindparam("now", type_=Instant())})
)


def of_member(bucket: Any, member_id: Any) -> ColumnElement[bool]:
    """All messages of one member: those of their runs, and those of none."""
    of_run = and_(_E.bucket == _D.bucket, beside_index(_E.id) == _D.enrolment_id)  # runs first, then their messages
    of_runs = select(_D.id).join(enrolment, of_run).where(_E.bucket == bucket, _E.member_id == member_id)
    of_none = select(_D.id).where(_D.bucket == bucket, _D.member_id == member_id, _D.enrolment_id.is_(None))
    return and_(D.bucket == bucket, D.id.in_(union_all(of_runs, of_none)))


_D, _E = delivery.alias("theirs").c, enrolment.c


def with_ledger(query: Select[Any]) -> Select[Any]:
    """A query of `delivery` that may read `whole` columns, too."""
    return query.outerjoin(delivery_ledger, and_(L.bucket == D.bucket, L.id == D.id, L.queued_at == D.queued_at))


def whole(name: str) -> ColumnElement[Any]:
    """The column wherever its value is."""
    return func.coalesce(D[name], L[name]).label(name)


def read_whole(connection: Connection, rows: Iterable[Row]) -> list[Row]:
    """Rows of the outbox with what was filed of them."""
    found = list(rows)
    filed = [(row["bucket"], row["id"]) for row in found if row["filed_at"] is not None]
    if not filed:
        return found
    kept = {row["id"]: row for row in connection.execute(_KEPT, given_keys(filed)).mappings()}
    return [row | {name: kept[row["id"]][name] for name in _FILED} if row["id"] in kept else row for row in found]


_KEPT = select(L.id, *(L[name] for name in _FILED)).where(in_given_keys(delivery_ledger))
