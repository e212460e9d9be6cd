"""Time in a world: the true one, which only the harness knows, and the one the servers' clock shows."""

from __future__ import annotations

from datetime import datetime, timedelta


class SkippingClock:
    """A `Clock` for the engine. `true` only moves on; what `now` shows may be set forward and back."""

    def __init__(self, start: datetime) -> None:
        self.true = start
        self.off_by = timedelta(0)
        self.jumped: list[timedelta] = []

    def now(self) -> datetime:
        return self.true + self.off_by

    def uptime(self) -> float:
        return self.true.timestamp()

    def passes(self, time: timedelta) -> None:
        self.true += max(time, timedelta(0))

    def jumps(self, by: timedelta) -> None:
        self.off_by += by
        self.jumped.append(by)
