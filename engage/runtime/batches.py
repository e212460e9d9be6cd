"""Cutting what comes in order into as few batches as can be read or written at once. Nobody's own order changes: what
comes with the same key stays as it came; what shares none may change places."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def each_once(items: Iterable[T], keys_of: Callable[[T], Iterable[Hashable]]) -> list[list[T]]:
    """Batches in which no key stands twice."""
    batches: list[list[T]] = []
    following: dict[Hashable, int] = {}  # the batch after the last one that has met this key
    for item in items:
        keys = list(keys_of(item))
        number = max((following.get(key, 0) for key in keys), default=0)
        if number == len(batches):
            batches.append([])
        batches[number].append(item)
        following |= dict.fromkeys(keys, number + 1)
    return batches


def of_each_kind(
    items: Iterable[T], kind_of: Callable[[T], K], keys_of: Callable[[T], Iterable[Hashable]]
) -> Iterator[tuple[K, list[T]]]:
    """Batches of one kind each, whatever stood between their items."""
    rounds: list[dict[K, list[T]]] = []
    last: dict[Hashable, tuple[int, K]] = {}  # where the last item with this key is
    for item in items:
        kind, keys = kind_of(item), list(keys_of(item))
        before = [last[key] for key in keys if key in last]
        number = max((n if of == kind else n + 1 for n, of in before), default=0)
        if number == len(rounds):
            rounds.append({})
        rounds[number].setdefault(kind, []).append(item)
        last |= dict.fromkeys(keys, (number, kind))
    for batches in rounds:
        yield from batches.items()
