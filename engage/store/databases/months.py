"""Tables that only grow, cut into months on PostgreSQL: a month that nobody needs any more is dropped in an instant,
and its pages are never vacuumed. On SQLite they are whole, and what is too old is deleted bit by bit. The statements
that write and read them are the same.

Only tables that no loop looks anything up in by member: who asks without a moment asks every month. So `event` is whole
(measured: docs/scaling.md), and `delivery` must be, since its key has to be unique over all time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Table, select, text

from engage.store.statements.keys import drop_rows
from engage.store.tables import decision, delivery_ledger

# The column that says to which month a row belongs.
BY_MONTH: Mapping[Table, Column[datetime]] = {
    decision: decision.c.at,
    delivery_ledger: delivery_ledger.c.queued_at,
}
_AHEAD = 2  # months that are there before anything happens in them
_PATIENCE = "SET LOCAL lock_timeout = '2s'"  # who must wait longer lets the others pass, and tries again


def is_month(table_name: str) -> bool:
    """Whether this is the name of a month's part, or of the part for rows of no month that was made."""
    return any(re.fullmatch(rf"{table.name}_(\d{{4}}_\d\d|other)", table_name) for table in BY_MONTH)


def make_months(connection: Connection, now: datetime, since: datetime | None = None) -> int:
    """Those of now and of the next ones, where they are missing; `since`: earlier ones as well. Returns how many were
    made."""
    if connection.dialect.name != "postgresql":
        return 0
    made = make_catch_all(connection)
    for table, first in _missing(connection, since or now, now, _AHEAD):
        span = f"FOR VALUES FROM ('{first:%Y-%m-%d} 00:00:00+00') TO ('{_after(first):%Y-%m-%d} 00:00:00+00')"
        _make(connection, table, _name(first), span)
        made += 1
    return made


def missing_months(connection: Connection, now: datetime) -> list[str]:
    """Parts for this month and the next that `make_months` should have made long ago."""
    if connection.dialect.name != "postgresql":
        return []
    return [f"{table.name}_{_name(first)}" for table, first in _missing(connection, now, now, ahead=1)]


def strayed(connection: Connection) -> list[str]:
    """Parts for what is of no month that have rows: a month was not made in time."""
    if connection.dialect.name != "postgresql":
        return []
    others = [f"{table.name}_other" for table in BY_MONTH if "other" in _parts(connection, table)]
    return [part for part in others if connection.execute(text(f"SELECT 1 FROM {part} LIMIT 1")).first() is not None]  # noqa: S608 — names of our own


def make_catch_all(connection: Connection) -> int:
    """The parts for what is of no month that was made, so that nothing is ever refused."""
    if connection.dialect.name != "postgresql":
        return 0
    missing = [table for table in BY_MONTH if "other" not in _parts(connection, table)]
    for table in missing:
        _make(connection, table, "other", "DEFAULT")
    return len(missing)


def drop_before(connection: Connection, moment: datetime, table: Table, most: int) -> int:
    """Whole months that lie before it; then rows, at most so many. Returns how many parts and rows went."""
    dropped = 0
    if connection.dialect.name == "postgresql":
        for part in sorted(_parts(connection, table) - {"other"}):
            if _after(_month(part)) <= moment:
                connection.execute(text(_PATIENCE))
                connection.execute(text(f"DROP TABLE {table.name}_{part}"))
                dropped += 1
    return dropped + drop_rows(connection, table, BY_MONTH[table] < moment, most=most)


def _parts(connection: Connection, table: Table) -> set[str]:
    """The names of the parts it has, after its own."""
    asked = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
        "WHERE inhparent = CAST(:parent AS regclass)"
    )
    names = connection.scalars(asked, {"parent": table.name})
    return {name.removeprefix(f"{table.name}_") for name in names if is_month(name)}


def _make(connection: Connection, table: Table, part: str, span: str) -> None:
    connection.execute(text(_PATIENCE))
    connection.execute(text(f"CREATE TABLE {table.name}_{part} PARTITION OF {table.name} {span}"))


def _missing(connection: Connection, since: datetime, now: datetime, ahead: int) -> Iterator[tuple[Table, datetime]]:
    """Months that are not there and can be made, by their first moments."""
    for table in BY_MONTH:
        there = _parts(connection, table)
        for first in _months(since, now, ahead):
            if _name(first) not in there and not _strays(connection, table, first):
                yield table, first


def _strays(connection: Connection, table: Table, first: datetime) -> bool:
    """Whether rows of the month stand in the part for all others, where they stay: the month is not made any more."""
    column = BY_MONTH[table]
    of_month = column >= first, column < _after(first)
    return connection.execute(select(column).where(*of_month).limit(1)).first() is not None


def _months(since: datetime, now: datetime, ahead: int) -> Iterator[datetime]:
    first = datetime(since.year, since.month, 1, tzinfo=UTC)
    until = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(ahead):
        until = _after(until)
    while first <= until:
        yield first
        first = _after(first)


def _after(first: datetime) -> datetime:
    return datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)


def _name(first: datetime) -> str:
    return f"{first:%Y_%m}"


def _month(part: str) -> datetime:
    year, month = part.split("_")
    return datetime(int(year), int(month), 1, tzinfo=UTC)
