"""The rows of a batch, by their keys. Each is a bucket and what is looked for there: an id, a member's, a run's, or the
key of a message or an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engage.store.dialects import in_bucket_with

Key = tuple[int, int] | tuple[int, str]


def in_keys(table: Any, keys: Iterable[Key], column: str = "id") -> Any:
    """One look-up for each."""
    return in_bucket_with(table.c.bucket, table.c[column], list(keys))
