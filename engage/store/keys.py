"""The rows of a batch, by their keys. Each is a bucket and what is looked for there: an id, a member's, a run's, or the
key of a message or an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engage.store.dialects import beside_index, is_one_of

Key = tuple[int, int] | tuple[int, str]


def in_keys(table: Any, keys: Iterable[Key], column: str = "id") -> Any:
    """One look-up for each. The buckets are spelt out as well: by them a statement finds its servers, see `tables`."""
    pairs = list(keys)
    buckets = sorted({bucket for bucket, _ in pairs})
    return beside_index(table.c.bucket).in_(buckets) & is_one_of(table.c.bucket, table.c[column], pairs)
