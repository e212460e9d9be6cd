"""Cutting what comes in order into batches that can be read or written at once, so that nobody's own order changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def each_once(items: Iterable[T], keys_of: Callable[[T], Iterable[Hashable]]) -> Iterator[list[T]]:
    """The items in their order. A new batch begins before an item one of whose keys the batch has met."""
    batch: list[T] = []
    met: set[Hashable] = set()
    for item in items:
        keys = set(keys_of(item))
        if batch and keys & met:
            yield batch
            batch, met = [], set()
        batch.append(item)
        met |= keys
    if batch:
        yield batch


def of_each_kind(items: Iterable[T], kind_of: Callable[[T], K], keys_of: Callable[[T], Iterable[Hashable]]) -> Iterator[tuple[K, list[T]]]:
    """The items of one kind together, whatever stands between them, as long as no key comes with two kinds: before an
    item that would be the first, everything so far is given out."""
    batches: dict[K, list[T]] = {}
    met: dict[Hashable, K] = {}
    for item in items:
        kind, keys = kind_of(item), list(keys_of(item))
        if any(met.get(key, kind) != kind for key in keys):
            yield from batches.items()
            batches, met = {}, {}
        batches.setdefault(kind, []).append(item)
        met |= dict.fromkeys(keys, kind)
    yield from batches.items()
