"""A database that does not answer: one line when it goes, one a while, one when it is back. Not one for every bell.

A full disk is told the same way, and rests the loops: an intent that could still be written, and an outcome that then
could not, would be a message nobody can tell the fate of. Counted by the uptime: a clock that is set back meanwhile
makes no outage longer, and no rest.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from engage.clock import Clock
from engage.errors import DatabaseConflict, DatabaseUnavailable, DiskFull

_TOLD_EVERY = 60.0  # seconds
_RESTS_FOR = 15.0  # seconds, after a write that found no room
log = structlog.get_logger("engage.daemon")


class Outage:
    """Shared by all loops of a process, and by whatever else needs its database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}  # by loop, of those that have come to nothing over it
        self._told_at: float | None = None
        self._rests_until: float | None = None

    def rests(self) -> bool:
        """Whether loops are to leave it for now."""
        return self._rests_until is not None and self._clock.uptime() < self._rests_until

    def begun(self, loop: str, error: DatabaseUnavailable) -> None:
        """A loop's batch came to nothing over it."""
        if isinstance(error, DatabaseConflict):
            log.warning("database_conflict", loop=loop)
            return
        now = self._clock.uptime()
        with self._lock:
            if isinstance(error, DiskFull):
                self._rests_until = now + _RESTS_FOR
            since = min(self._since.setdefault(loop, now), *self._since.values())
            due = self._told_at is None or now - self._told_at >= _TOLD_EVERY
            self._told_at = now if due else self._told_at
        if due:
            began = self._clock.now() - timedelta(seconds=now - since)
            log.error("database_unavailable", since=began.isoformat(timespec="seconds"), loop=loop, error=str(error))

    def over(self, loop: str) -> None:
        """This loop has done its work. The last one of those that had not tells."""
        if loop not in self._since:
            return
        with self._lock:
            since = min(self._since.values())
            del self._since[loop]
            is_back = not self._since
            if is_back:
                self._told_at = None
        if is_back:
            log.info("database_is_back", seconds=round(self._clock.uptime() - since, 1))
