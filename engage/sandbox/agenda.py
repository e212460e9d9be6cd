"""What is still to happen, in the order in which it will: by moment, then by key, never by who asked first."""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Generic, TypeVar

Action = TypeVar("Action")


class Agenda(Generic[Action]):
    """Not thread-safe: its owner holds a lock. A key stands for one entry; a second with the same key is ignored."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._actions: dict[str, Action] = {}

    def add(self, at: datetime, key: str, action: Action) -> None:
        if key not in self._actions:
            self._actions[key] = action
            heapq.heappush(self._heap, (at, key))

    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: datetime) -> Action | None:
        """Take off the first entry that is due, if any is."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, key = heapq.heappop(self._heap)
        return self._actions.pop(key)

    def entries(self) -> tuple[tuple[datetime, str], ...]:
        """When and what, in order; for comparing two worlds."""
        return tuple(sorted(self._heap))
