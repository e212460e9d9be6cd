"""Cutting what comes in order into batches that can be written at once, because nobody stands in one of them twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


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
