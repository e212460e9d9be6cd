"""What came due while nobody was at work: it goes out one after the other, or not at all, never in one burst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

_AT_ONCE = ""


@dataclass(frozen=True, slots=True)
class Arrears:
    """What was due by `until`; what was due by `dropped_until` is not sent any more: it may have been, as the database
    stood before it was brought back. `next_at`: when the next one may leave; of those that have to wait for an hour of
    their own, by that hour."""

    until: datetime
    dropped_until: datetime | None = None
    next_at: Mapping[str, datetime] = field(default_factory=dict)

    def has(self, due_at: datetime) -> bool:
        return due_at <= self.until

    def has_dropped(self, due_at: datetime) -> bool:
        return self.dropped_until is not None and due_at <= self.dropped_until

    def up_to(self, until: datetime, *, dropped: bool = False) -> Self:
        """Nobody was at work up to then, either."""
        return replace(self, until=until, dropped_until=until if dropped else self.dropped_until)

    def queue_up(self, earliest: datetime, now: datetime, an_hour: int) -> tuple[datetime, Self]:
        """When one of them may go that may not go before `earliest`, and how the rest queue up behind it."""
        line = _AT_ONCE if earliest <= now else earliest.replace(second=0, microsecond=0).isoformat()
        at = max(self.next_at.get(line, earliest), earliest, now)
        following = at + timedelta(hours=1) / an_hour
        waiting = {name: moment for name, moment in self.next_at.items() if moment > now}
        return at, replace(self, next_at={**waiting, line: following})

    def as_data(self) -> dict[str, Any]:
        lines = {line: at.isoformat() for line, at in self.next_at.items()}
        dropped = self.dropped_until.isoformat() if self.dropped_until is not None else None
        return {"until": self.until.isoformat(), "dropped_until": dropped, "next_at": lines}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        lines = {line: datetime.fromisoformat(at) for line, at in data["next_at"].items()}
        dropped = data["dropped_until"]
        until = datetime.fromisoformat(data["until"])
        return cls(until, datetime.fromisoformat(dropped) if dropped is not None else None, lines)
