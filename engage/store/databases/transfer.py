"""All rows of a SQLite file into an empty PostgreSQL database: for whoever outgrows one machine.

All or nothing: one transaction over there, in which what has arrived is read back and compared with what was read
here, table by table. Nobody writes here meanwhile. The file is marked as moved before the other side commits, so that
there is no moment at which both would send; whoever died in between does it again. Rows stream; none is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg import DatabaseError
from psycopg.sql import SQL, Identifier
from sqlalchemy import Boolean, Column, Connection, Double, Table, func, inspect, literal, select, text

from engage.errors import EngageError
from engage.store import state
from engage.store.databases.database import Database, shown_address
from engage.store.databases.migrating import MOVED, require_here
from engage.store.databases.months import BY_MONTH, make_months
from engage.store.tables import Instant, SearchedJson, metadata
from engage.store.tables import state as state_table

_CAME = "came"  # of `state` over there: from which move
_AT_ONCE = 5_000  # rows read from the file at a time


class NotEmpty(EngageError):
    """There are rows in the other database already. Take an empty one."""


class NotTaken(EngageError):
    """The other database refuses a row. The message says which, never what is in it."""


def require_room(source: Database, target: Database) -> None:
    """Before anything is changed over there, whatever its schema. Raises NotEmpty, or DatabaseMoved."""
    with target.read() as there, source.read() as here:
        _require_room(here, there, shown_address(target.url))


def transfer(source: Database, target: Database, now: datetime, told: Callable[[str], None]) -> int:
    """Both are at the schema this version needs. `told`: a line for each table, when it is over there and compared.
    Returns how many rows went. Raises NotEmpty or NotTaken; then nothing has happened."""
    to, rows = shown_address(target.url), 0
    with target.write() as there, source.write() as here:
        _require_room(here, there, to)
        make_months(there, now, since=_oldest(here))
        for table in metadata.sorted_tables:
            came = _copy(here, there, table)
            told(f"  {table.name} {came:,}")
            rows += came
        _go_on_numbering(there)
        there.execute(text("ANALYZE"))  # until it knows the sizes of its tables, PostgreSQL plans as if they were small
        state.put(there, _CAME, now.isoformat(), now)
        state.put(here, MOVED, {"to": to, "at": now.isoformat()}, now)
    return rows


def _require_room(here: Connection, there: Connection, to: str) -> None:
    made = set(inspect(there).get_table_names())
    moved = state.get(here, MOVED)
    if moved is not None and (moved["to"] != to or _came(there, made) == moved["at"]):
        require_here(here)
    for table in metadata.sorted_tables:
        if table.name in made and there.scalar(select(literal(1)).select_from(table).limit(1)) is not None:
            raise NotEmpty(
                f"there are rows in the other database already ({table.name}); take an empty one",
                f"另一个数据库里已经有数据（{table.name}）；请换一个空的",
            )


def _came(there: Connection, made: Container[str]) -> Any:
    return state.get(there, _CAME) if state_table.name in made else None


def _oldest(here: Connection) -> datetime | None:
    """Of what is cut into months over there."""
    moments = [here.scalar(select(func.min(column))) for column in BY_MONTH.values()]
    return min((moment for moment in moments if moment is not None), default=None)


def _go_on_numbering(there: Connection) -> None:
    """Columns that number themselves go on after the last row that came."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            last = f"(SELECT max({column.name}) FROM {table.name})"  # noqa: S608 — names of our own
            there.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), {last})"))


# --- one table --------------------------------------------------------------------------------------------------


def _copy(here: Connection, there: Connection, table: Table) -> int:
    """How many rows there are. Raises NotTaken if they cannot be taken over as they are."""
    sent = _Sum(table.columns)
    _send(there, table, sent.watching(_rows_here(here, table)), here)
    came = _Sum(table.columns)
    for _ in came.watching(_rows_there(there, table)):
        pass
    if (sent.rows, sent.sum) != (came.rows, came.sum):
        raise NotTaken(
            f"{table.name} did not arrive as it was sent: {sent.rows} rows here, {came.rows} there",
            f"{table.name} 搬过去后和原来不一致：这边 {sent.rows} 行，那边 {came.rows} 行",
        )
    return sent.rows


def _rows_here(here: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """As SQLite keeps them: times as UTC text, JSON as text. PostgreSQL reads all of that as it stands."""
    asked = f"SELECT {_names(table)} FROM {table.name} {_but_the_mark(table)} ORDER BY {_key(table)}"  # noqa: S608
    cursor = here.exec_driver_sql(asked).cursor
    while some := cursor.fetchmany(_AT_ONCE):
        yield from some


def _send(there: Connection, table: Table, rows: Iterable[Sequence[Any]], here: Connection) -> None:
    columns = SQL(", ").join(Identifier(column.name) for column in table.columns)
    wanted = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), columns)
    cursor: Any = there.connection.cursor()
    try:
        with cursor.copy(wanted) as copy:
            for row in rows:
                copy.write_row(row)
    except DatabaseError as error:
        raise NotTaken(*_where(here, table, error)) from None  # what it quotes may be personal


def _where(here: Connection, table: Table, error: DatabaseError) -> tuple[str, str]:
    """In both languages."""
    place = re.match(r"COPY \w+, line (\d+)(?:, column (\w+))?", error.diag.context or "")
    en = f"the other database refuses a row of {table.name} ({type(error).__name__})"
    zh = f"另一个数据库拒绝了 {table.name} 的一行（{type(error).__name__}）"
    if place is None:
        return en, zh
    nth = f"SELECT {_key(table)} FROM {table.name} {_but_the_mark(table)} ORDER BY {_key(table)} LIMIT 1 OFFSET ?"  # noqa: S608
    key = here.exec_driver_sql(nth, (int(place[1]) - 1,)).one()
    named = ", ".join(f"{column.name} {value}" for column, value in zip(table.primary_key, key, strict=True))
    return (
        f"{en}, the one with {named}; look at its {place[2] or 'columns'}",
        f"{zh}：{named}；请看它的 {place[2] or '各列'}",
    )


def _rows_there(there: Connection, table: Table) -> Iterator[tuple[str | None, ...]]:
    """As text, each value spelt as SQLite would."""
    columns = SQL(", ").join(_spelt(column) for column in table.columns)
    asked = SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(columns, Identifier(table.name))
    cursor: Any = there.connection.cursor()
    with cursor.copy(asked) as copy:
        yield from copy.rows()


def _spelt(column: Column[Any]) -> Any:
    name = Identifier(column.name)
    if isinstance(column.type, Instant):
        return SQL("to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')").format(name)
    return SQL("{}::int").format(name) if isinstance(column.type, Boolean) else name


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _key(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.primary_key)


def _but_the_mark(table: Table) -> str:
    return f"WHERE key <> '{MOVED}'" if table is state_table else ""


# --- the same rows, in whatever order ---------------------------------------------------------------------------


class _Sum:
    """How many rows have passed, and the sum of their hashes."""

    def __init__(self, columns: Iterable[Column[Any]]) -> None:
        self.rows = 0
        self.sum = 0
        self._numbers: list[int] = []
        self._documents: list[int] = []
        for place, column in enumerate(columns):
            if isinstance(column.type, Double):
                self._numbers.append(place)
            elif column.type is SearchedJson:
                self._documents.append(place)

    def watching(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            self.rows += 1
            self.sum = (self.sum + hash(self._plain(row))) & 0xFFFF_FFFF_FFFF_FFFF
            yield row

    def _plain(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        plain = [None if value is None else str(value) for value in row]
        for place in self._numbers:
            plain[place] = None if row[place] is None else repr(float(row[place]))
        for place in self._documents:
            plain[place] = None if row[place] is None else _document(str(row[place]))
        return tuple(plain)


def _document(written: str) -> str:
    """`jsonb` has an order of keys and a spelling of numbers of its own."""
    return json.dumps(json.loads(written, parse_int=float), sort_keys=True)
