"""How many a loop takes at once. As many as it may where many write at once; on SQLite, where all others wait
meanwhile, and among them callers who want an answer, no more than can be dealt with in a moment.

A look at the watch would make worlds of virtual time differ from run to run: there it is always as many as it may.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engage.clock import SystemClock
from engage.runtime.context import Context

_MOMENT = 0.025  # seconds; a callback waits for two of them at most, and is to be answered within 0.2
FEWEST = 20  # a batch of fewer was all there was


class Stride:
    """Of one loop."""

    def __init__(self, most: int, context: Context) -> None:
        self.length = most
        self._most = most
        self._alone = not context.database.is_server and isinstance(context.clock, SystemClock)

    @contextmanager
    def over(self, count: int) -> Iterator[None]:
        """Around what a transaction does with so many."""
        began = time.monotonic()
        yield
        if self._alone:
            self._measure(count, time.monotonic() - began)

    def _measure(self, count: int, seconds: float) -> None:
        if seconds > _MOMENT:
            self.length = max(FEWEST, min(self.length, int(count * _MOMENT / seconds)))
        elif count >= self.length and seconds < _MOMENT / 2:
            self.length = min(self._most, self.length * 2)
