"""The rows of a batch, by their keys. Each is a bucket and what is looked for there: an id, a member's, a run's, or the
key of a message or an event. One look-up for each.

Statements are made once, and told whenever they are executed which rows they are about: making one takes SQLAlchemy
longer than SQLite needs to answer it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, String, bindparam, update

from engage.store.database import upsert
from engage.store.dialects import in_bucket_with, pairs_in_text

Key = tuple[int, int] | tuple[int, str]


def in_given_keys(table: Any, column: str = "id") -> Any:
    """Rows of the keys that the statement is executed with, see `given_keys`."""
    return in_bucket_with(
        table.c.bucket,
        table.c[column],
        bindparam("given_pairs", type_=String()),
        bindparam("given_buckets", type_=String()),
    )


def given_keys(keys: Iterable[Key]) -> dict[str, str]:
    """What a statement with `in_given_keys` is executed with."""
    pairs, buckets = pairs_in_text(list(keys))
    return {"given_pairs": pairs, "given_buckets": buckets}


def put_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace by primary key. All rows have the same columns."""
    if rows:
        connection.execute(_replacing(table, tuple(rows[0])), [dict(row) for row in rows])


@cache
def _replacing(table: Any, names: tuple[str, ...]) -> Any:
    """The statement for rows of these columns."""
    keys = [column.name for column in table.primary_key]
    statement = upsert(table)
    changes = {name: statement.excluded[name] for name in names if name not in keys}
    if not changes:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def change_rows(connection: Connection, table: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Set columns: each row has its bucket and id, and what is new. Those that set the same columns are one statement,
    in key order: two that are about the same rows wait for one another."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["bucket"], row["id"])):
        names = tuple(sorted(row.keys() - {"bucket", "id"}))
        alike[names].append({f"given_{name}": value for name, value in row.items()})
    for names, given in alike.items():
        connection.execute(_changing(table, names), given)


@cache
def _changing(table: Any, names: tuple[str, ...]) -> Any:
    """The statement for rows that set these columns."""
    here = (table.c.bucket == bindparam("given_bucket")) & (table.c.id == bindparam("given_id"))
    return update(table).where(here).values({n: bindparam(f"given_{n}", type_=table.c[n].type) for n in names})
