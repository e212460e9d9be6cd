"""Rows written a batch at a time: one statement however many they are, told its rows as one text.

What all rows of a batch agree on is told once, the rest row by row, as a list of lists in JSON. Both databases read
that in C: measured per row of the outbox, SQLite takes 14 µs instead of 37 for a statement of its own, PostgreSQL 23
instead of 49, and of these the client 4 instead of 29.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Connection, Date, Dialect, bindparam, select, true, update
from sqlalchemy.types import TypeEngine

from engage.store.databases.database import upsert
from engage.store.databases.dialects import each_row, value_in
from engage.store.tables import Instant, moment_in_text

Row = Mapping[str, Any]
_MOST_KEPT = 500  # statements
# Columns of a kind of rows that have differed within some batch. They are told row by row from then on, so that a kind
# of rows needs at most as many statements as it has columns: making one takes longer than writing a hundred rows.
_have_differed: dict[tuple[str, tuple[str, ...]], frozenset[str]] = {}


def add_rows(connection: Connection, table: Any, rows: Sequence[Row], *, unless_there: bool = False) -> int:
    """New rows, all with the same columns. `unless_there`: one whose key is taken already is left out in silence.
    Returns how many were added."""
    if not rows:
        return 0
    told = _tell(connection, table, rows)
    adding = _adding(table, told.names, told.varying, unless_there)
    return connection.execute(adding, told.given, execution_options={"preserve_rowcount": True}).rowcount


def put_rows(connection: Connection, table: Any, rows: Sequence[Row]) -> None:
    """Insert or replace by primary key; of two with the same key the later one. All rows have the same columns."""
    if rows:
        keys = [column.name for column in table.primary_key]
        told = _tell(connection, table, _last_of_each(rows, keys))
        connection.execute(_replacing(table, told.names, told.varying), told.given)


_KEY = ("bucket", "id")


def change_rows(
    connection: Connection, table: Any, rows: Iterable[Row], *, by: tuple[str, ...] = _KEY, only: Any = None
) -> None:
    """Set columns: each row has those `by` which it is found, and what is new. Those that set the same columns are one
    statement, in key order: two that are about the same rows wait for one another. `only`: a condition, made once, that
    must hold of a row as it stands."""
    alike: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=itemgetter(*by)):
        alike[tuple(sorted(row))].append(row)
    for same in alike.values():
        told = _tell(connection, table, _last_of_each(same, by))
        connection.execute(_changing(table, told.names, told.varying, by, only), told.given)


def _last_of_each(rows: Iterable[Row], keys: Sequence[str]) -> list[Row]:
    return list({tuple(row[key] for key in keys): row for row in rows}.values())


# --- statements -------------------------------------------------------------------------------------------------


@lru_cache(_MOST_KEPT)
def _adding(table: Any, names: tuple[str, ...], varying: tuple[str, ...], unless_there: bool) -> Any:
    statement = upsert(table).from_select(names, _rows(table, names, varying))
    return statement.on_conflict_do_nothing() if unless_there else statement


@lru_cache(_MOST_KEPT)
def _replacing(table: Any, names: tuple[str, ...], varying: tuple[str, ...]) -> Any:
    keys = [column.name for column in table.primary_key]
    statement = upsert(table).from_select(names, _rows(table, names, varying))
    changes = {name: statement.excluded[name] for name in names if name not in keys}
    if not changes:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


@lru_cache(_MOST_KEPT)
def _changing(table: Any, names: tuple[str, ...], varying: tuple[str, ...], by: tuple[str, ...], only: Any) -> Any:
    new = _values(table, names, varying)
    here = [table.c[name] == new[name] for name in by]
    if only is not None:
        here.append(only)
    return update(table).where(*here).values({name: new[name] for name in names if name not in by})


def _rows(table: Any, names: tuple[str, ...], varying: tuple[str, ...]) -> Any:
    # SQLite would take the ON of ON CONFLICT for that of a join, if no WHERE came before it.
    values = _values(table, names, varying)
    return select(*(values[name].label(name) for name in names)).where(true())


_EACH = each_row(bindparam("given_rows"))


def _values(table: Any, names: tuple[str, ...], varying: tuple[str, ...]) -> dict[str, Any]:
    place = {name: number for number, name in enumerate(varying)}
    return {
        name: value_in(_EACH, place[name], table.c[name].type)
        if name in place
        else bindparam(f"given_{name}", type_=table.c[name].type)
        for name in names
    }


# --- what they are told -----------------------------------------------------------------------------------------

_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # `json.dumps` makes one for each value


@dataclass(frozen=True, slots=True)
class _Told:
    """Columns of the rows, those that differ from row to row, and what the statement is executed with."""

    names: tuple[str, ...]
    varying: tuple[str, ...]
    given: dict[str, Any]


def _tell(connection: Connection, table: Any, rows: Sequence[Row]) -> _Told:
    """A row that is alone agrees with itself on all there is: its statement is a plain one."""
    names = tuple(rows[0])
    columns = {name: [row[name] for row in rows] for name in names}
    varying = _varying(table, columns) if len(rows) > 1 else ()
    given = {f"given_{name}": columns[name][0] for name in names if name not in varying}
    if varying:
        written = [_written(table.c[name].type, connection.dialect, columns[name]) for name in varying]
        each = list(zip(*written, strict=True))
        given["given_rows"] = _as_json(each)
    return _Told(names, varying, given)


def _varying(table: Any, columns: Mapping[str, list[Any]]) -> tuple[str, ...]:
    kind = table.name, tuple(columns)
    differ = {name for name, values in columns.items() if not _agree(table.c[name].type, values)}
    _have_differed[kind] = known = _have_differed.get(kind, frozenset()) | differ
    return tuple(name for name in columns if name in known)


def _agree(kept_as: TypeEngine[Any], values: list[Any]) -> bool:
    """To Python 1 and true are equal, however deep inside they are; in JSON they are not the same."""
    same = None if isinstance(kept_as, JSON) else values[0]
    return values.count(same) == len(values)


def _written(kept_as: TypeEngine[Any], dialect: Dialect, values: list[Any]) -> list[Any]:
    """As JSON, each database can read it into such a column."""
    write = _writer(kept_as, dialect)
    return values if write is None else [None if value is None else write(value) for value in values]


def _writer(kept_as: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], str] | None:
    match kept_as:
        case Instant():
            return moment_in_text(dialect)
        case Date():
            return date.isoformat
        case JSON():
            return _as_json
        case _:
            return None
