"""Who of a batch may go out now: as many as a channel's lane takes, and no faster than its provider allows, or takes.

The others go back to the outbox, each until a moment of its own: a channel with a limit and a long queue would else
look at the whole queue again and again, to send a few of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engage.runtime.context import Context
from engage.runtime.dispatching.drafting import Draft, Ready
from engage.runtime.dispatching.handover import Calls
from engage.store.rates import Beats, free_from, take_beats

_BUSY_FOR = timedelta(seconds=1)
# An important message that comes now is not to stand behind all of the queue for longer than this.
_LONGEST_QUEUE = timedelta(minutes=5)


class Pacing:
    """Of one dispatch loop."""

    def __init__(self, context: Context, calls: Calls) -> None:
        self._context = context
        self._calls = calls
        self._queue_ends: dict[str, datetime] = {}

    def berths(self, connection: Connection, drafts: Iterable[Draft], now: datetime) -> Berths:
        wanted = Counter(draft.clear.channel for draft in drafts if isinstance(draft, Ready))
        beats: dict[str, Beats] = {}
        for name, count in wanted.items():
            limit = self._context.channels[name].per_second
            if limit is not None:
                beats[name] = take_beats(connection, name, limit, min(count, self._calls.room(name)), now)
            elif (again := free_from(connection, name, now)) > now:
                beats[name] = Beats(again, timedelta(0), 0)
        room = {name: beats[name].count if name in beats else self._calls.room(name) for name in wanted}
        return Berths(now, room, beats, self._queue_ends)


@dataclass
class Berths:
    """For one batch."""

    _now: datetime
    _room: dict[str, int]
    _beats: dict[str, Beats]
    _queue_ends: dict[str, datetime]

    def any(self, channel: str) -> bool:
        return self._room[channel] > 0

    def take(self, channel: str) -> datetime:
        """Not to be called before that."""
        self._room[channel] -= 1
        beats = self._beats.get(channel)
        return beats.at(beats.count - 1 - self._room[channel]) if beats is not None else self._now

    def again_at(self, channel: str) -> datetime:
        """When one for which there is no room may ask again."""
        beats = self._beats.get(channel)
        if beats is None:
            return self._now + _BUSY_FOR
        behind = max(self._queue_ends.get(channel, self._now), beats.at(beats.count)) + beats.every
        self._queue_ends[channel] = min(behind, self._now + _LONGEST_QUEUE)
        return self._queue_ends[channel]
