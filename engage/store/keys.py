"""The rows of a batch, by their keys. Each is a bucket and what is looked for there: an id, a member's, a run's, or the
key of a message or an event. One look-up for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import String, bindparam, literal

from engage.store.dialects import in_bucket_with, pairs_in_text

# How many statements of a kind are kept as they were made: of all conditions of all journeys in force, and some more.
STATEMENTS = 512

Key = tuple[int, int] | tuple[int, str]


def in_keys(table: Any, keys: Iterable[Key], column: str = "id") -> Any:
    """For a statement that is made for these keys."""
    pairs, buckets = pairs_in_text(list(keys))
    return in_bucket_with(table.c.bucket, table.c[column], literal(pairs, String()), literal(buckets, String()))


def in_given_keys(table: Any, column: str = "id") -> Any:
    """For a statement that is made once: `given_keys` are told whenever it is executed."""
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
