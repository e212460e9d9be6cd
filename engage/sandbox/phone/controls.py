"""What the phone page asks of whoever drives the demo: the time, and what the engine is doing with a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class JourneyLine:
    """One journey that a person is in, in words for people."""

    title: str
    step: str
    next_at: datetime | None = None  # when the journey goes on by itself; None: nothing is due


class Controls(Protocol):
    """Called from several threads at once."""

    def now(self) -> datetime: ...

    def forward(self, period: timedelta) -> None:
        """Let that much time pass, with all that happens in it; returns when it has passed."""
        ...

    def journeys(self, key: str) -> Sequence[JourneyLine] | None:
        """The journeys of one person; None where nobody can tell, and the panel is left out."""
        ...
