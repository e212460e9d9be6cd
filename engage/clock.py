"""The one clock. It is injected everywhere; `datetime.now` and `time.time` are banned outside this module."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

# Linux's also counts while the machine is suspended.
_RUNS_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    def now(self) -> datetime:
        """The current moment, aware, UTC. It may be set, forward and back."""
        ...

    def uptime(self) -> float:
        """Seconds since some moment, the same one while the process lives. Nobody can set it."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def uptime(self) -> float:
        return time.clock_gettime(_RUNS_ON)


class VirtualClock:
    """Stands still until it is told to move; never moves back."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def uptime(self) -> float:
        return self.now().timestamp()

    def advance_to(self, moment: datetime) -> None:
        with self._lock:
            self._now = max(self._now, moment.astimezone(UTC))
