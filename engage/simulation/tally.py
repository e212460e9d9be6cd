"""Counting what goes out while a world lives, so that nothing has to be kept: by day, by hour, by member and day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from engage.store.insight.forecasting import Sent


@dataclass(frozen=True, slots=True)
class Busiest:
    """The most that one member gets in one day."""

    messages: int
    who: str
    day: date


@dataclass
class Tally:
    """`volume`: messages by local day and channel; `hours`: by local hour."""

    zone: ZoneInfo
    volume: dict[date, Counter[str]] = field(default_factory=dict)
    hours: Counter[int] = field(default_factory=Counter)
    busiest: Busiest | None = None
    _today: date | None = None
    _by_member: Counter[int] = field(default_factory=Counter)

    def note(self, messages: Iterable[Sent], at: datetime) -> None:
        local = at.astimezone(self.zone)
        if local.date() != self._today:
            self._today = local.date()
            self._by_member.clear()
        by_channel = self.volume.setdefault(local.date(), Counter())
        for message in messages:
            by_channel[message.channel] += 1
            self.hours[local.hour] += 1
            self._by_member[message.member_id] += 1
            most = self._by_member[message.member_id]
            if self.busiest is None or most > self.busiest.messages:
                self.busiest = Busiest(most, message.external_id or f"#{message.member_id}", local.date())
