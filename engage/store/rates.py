"""How fast a provider may be called, counted over all daemons: each call has a beat of its own.

One row of `state` for each channel with a limit says up to when beats are given away. Dividing the limit among daemons
instead would need to know how many live, and would leave unused what the idle ones have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from engage.store import state
from engage.store.databases.database import upsert
from engage.store.tables import state as state_table

_AHEAD = timedelta(seconds=1)  # beats are given away this far ahead: well within the life of an intent


@dataclass(frozen=True, slots=True)
class Beats:
    """One call at `begin`, one at each `every` after it. What comes after the last is nobody's yet."""

    begin: datetime
    every: timedelta
    count: int

    def at(self, number: int) -> datetime:
        return self.begin + self.every * number


def take_beats(connection: Connection, channel: str, per_second: float, wanted: int, now: datetime) -> Beats:
    """As many as there are, up to `wanted`. They are taken inside the caller's transaction: a rollback gives them back;
    until it ends, nobody else takes any of this channel's."""
    key, every = f"rate:{channel}", timedelta(seconds=1 / per_second)
    connection.execute(_FIRST_OF_ALL, {"of_key": key, "since": now.isoformat(), "then": now})
    given_away = connection.execute(_GIVEN_AWAY.with_for_update(), {"of_key": key}).one()
    begin = state.still_ahead(*given_away, now) or now
    free = math.ceil((now + _AHEAD - begin) / every)
    beats = Beats(begin, every, max(0, min(wanted, free)))
    if beats.count:
        state.put(connection, key, beats.at(beats.count).isoformat(), now)
    return beats


def free_from(connection: Connection, channel: str, now: datetime) -> datetime:
    """When the channel may be called again, for one without a limit: now, unless it backs off."""
    given_away = connection.execute(_GIVEN_AWAY, {"of_key": f"rate:{channel}"}).first()
    return (state.still_ahead(*given_away, now) if given_away is not None else None) or now


def left(connection: Connection, channel: str, per_second: float, now: datetime) -> int:
    """How many calls of the coming second nobody has taken yet; none while the channel backs off."""
    free = (now + _AHEAD - free_from(connection, channel, now)) / timedelta(seconds=1 / per_second)
    return max(0, math.ceil(free))


def back_off(connection: Connection, channel: str, until: datetime, now: datetime) -> bool:
    """No beats before that. False if it backs off already: of many calls that were on the wire together each puts the
    next one off anew, and the first one says so."""
    begins = free_from(connection, channel, now)
    if begins < until:
        state.put(connection, f"rate:{channel}", until.isoformat(), now)
    return begins <= now + _AHEAD


_FIRST_OF_ALL = (
    upsert(state_table)
    .values(key=bindparam("of_key"), value=bindparam("since", type_=state_table.c.value.type), at=bindparam("then"))
    .on_conflict_do_nothing()
)
_GIVEN_AWAY = select(state_table.c.value, state_table.c.at).where(state_table.c.key == bindparam("of_key"))
