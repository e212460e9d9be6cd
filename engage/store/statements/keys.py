"""The rows of a batch, by their keys. Each is a bucket and what is looked for there: an id, a member's, a run's, or the
key of a message or an event. One look-up for each.

Statements are made once, and told whenever they are executed which rows they are about: making one takes SQLAlchemy
longer than SQLite needs to answer it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, String, bindparam, delete, select, tuple_

from engage.store.databases.dialects import in_bucket_with, pairs_in_text
from engage.store.tables import BUCKETS

Key = tuple[int, int] | tuple[int, str]
T = TypeVar("T")
_BATCH = 1000


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement is told of."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


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


def drop_rows(connection: Connection, table: Any, *where: ColumnElement[bool], most: int) -> int:
    """At most so many of the rows of members' that are so. Returns how many."""
    everywhere = table.c.bucket.between(0, BUCKETS - 1)
    some = select(*table.primary_key).where(*where).limit(most)
    return connection.execute(delete(table).where(everywhere, tuple_(*table.primary_key).in_(some))).rowcount
