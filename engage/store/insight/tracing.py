"""Rows by any handle somebody may have of them: for `engage trace`, which follows one thing through the tables.

Handles carry no bucket. It comes second in every key, so that what goes first in it is enough to look for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, or_, select

from engage.store.databases.dialects import beside_index
from engage.store.ledger import of_member, read_whole
from engage.store.members import MemberRef
from engage.store.tables import Row, answer, decision, delivery, enrolment, event, inbound, notice, task

_NUMBERED: Mapping[str, Table] = {
    "delivery": delivery,
    "inbound": inbound,
    "event": event,
    "task": task,
    "run": enrolment,
}


def by_id(connection: Connection, kind: str, row_id: int) -> Row | None:
    """`kind`: delivery, inbound, event, task or run."""
    table = _NUMBERED[kind]
    return next(iter(_fetch(connection, select(table).where(table.c.id == row_id))), None)


def deliveries_named(connection: Connection, handle: str, channels: Iterable[str]) -> list[Row]:
    """By the provider's id, or by the key of the message they belong to."""
    d = delivery.c
    by_provider = d.channel.in_(sorted(channels)) & (d.provider_id == handle)
    return [*_rows(connection, delivery, by_provider), *_rows(connection, delivery, d.message_key == handle)]


def events_named(connection: Connection, key: str) -> list[Row]:
    """By the key the outside gave: an order's number."""
    return _rows(connection, event, event.c.dedupe_key == key)


def inbound_named(connection: Connection, key: str, sources: Iterable[str]) -> list[Row]:
    return _rows(connection, inbound, inbound.c.source.in_(sorted(sources)), inbound.c.key == key)


# --- what belongs to it -----------------------------------------------------------------------------------------


def hops_of(connection: Connection, ref: MemberRef, message_key: str) -> list[Row]:
    return _rows(connection, delivery, delivery.c.bucket == ref.bucket, delivery.c.message_key == message_key)


def deliveries_of(connection: Connection, ref: MemberRef, most: int) -> list[Row]:
    """The member's newest, oldest first."""
    query = select(delivery).where(of_member(ref.bucket, ref.id)).order_by(delivery.c.id.desc()).limit(most)
    return _fetch(connection, query)[::-1]


def events_of(
    connection: Connection,
    ref: MemberRef,
    *,
    delivery_id: int | None = None,
    inbound_id: int | None = None,
    most: int = 1000,
) -> list[Row]:
    """The member's events: those about a delivery, those read from a record, or the newest ones."""
    e = event.c
    here = (e.bucket == ref.bucket) & (e.member_id == ref.id)
    wanted = [e.delivery_id == delivery_id] if delivery_id is not None else []
    wanted += [e.inbound_id == inbound_id] if inbound_id is not None else []
    newest = select(event).where(here, *wanted).order_by(beside_index(e.id).desc()).limit(most)
    return _fetch(connection, newest)[::-1]


def runs_of(connection: Connection, ref: MemberRef) -> list[Row]:
    return _rows(connection, enrolment, enrolment.c.bucket == ref.bucket, enrolment.c.member_id == ref.id)


def decisions_of(connection: Connection, ref: MemberRef, run_ids: Sequence[int]) -> list[Row]:
    return _rows(connection, decision, decision.c.bucket == ref.bucket, decision.c.enrolment_id.in_(list(run_ids)))


def answers_to(connection: Connection, ref: MemberRef, run_id: int, delivery_id: int) -> list[Row]:
    """What was answered to a message of this run."""
    of_run = (answer.c.bucket == ref.bucket) & (answer.c.enrolment_id == run_id)
    return _rows(connection, answer, of_run, answer.c.delivery_id == delivery_id)


def tasks_keyed(connection: Connection, ref: MemberRef, keys: Sequence[str], begins: str) -> list[Row]:
    """The member's, by their keys: these ones, or those that begin so."""
    of_member = (task.c.bucket == ref.bucket) & (task.c.member_id == ref.id)
    keyed = or_(task.c.key.in_(list(keys)), task.c.key.startswith(begins, autoescape=True))
    return _rows(connection, task, of_member, keyed)


def notices_of(connection: Connection, bucket: int, task_id: int) -> list[Row]:
    return _rows(connection, notice, notice.c.bucket == bucket, notice.c.task_id == task_id)


def _rows(connection: Connection, table: Table, *where: ColumnElement[bool]) -> list[Row]:
    """Found by what is asked, then put in order: a key that is in order leads through the whole table."""
    return _fetch(connection, select(table).where(*where).order_by(beside_index(table.c.id)))


def _fetch(connection: Connection, query: Select[Any]) -> list[Row]:
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return read_whole(connection, rows) if delivery in query.get_final_froms() else rows
