"""How fast a provider may be called, counted over all daemons: each call has a time slot of its own.

One row of `state` for each channel with a limit says up to when slots are given away. Dividing the limit among daemons
instead would need to know how many live, and would leave unused what the idle ones have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from engage.store import state
from engage.store.database import upsert
from engage.store.tables import state as state_table

_AHEAD = timedelta(seconds=1)  # slots are given away this far ahead: well within the life of an intent


@dataclass(frozen=True, slots=True)
class Slots:
    """One call at `begin`, one at each `every` after it. What comes after the last is nobody's yet."""

    begin: datetime
    every: timedelta
    count: int

    def at(self, number: int) -> datetime:
        return self.begin + self.every * number


def take_slots(connection: Connection, channel: str, per_second: float, wanted: int, now: datetime) -> Slots:
    """As many as there are, up to `wanted`. They are taken inside the caller's transaction: a rollback gives them back;
    until it ends, nobody else takes any of this channel's."""
    key, every = f"rate:{channel}", timedelta(seconds=1 / per_second)
    connection.execute(_FIRST_OF_ALL, {"of_key": key, "since": now.isoformat(), "then": now})
    free_from = max(datetime.fromisoformat(connection.scalar(_FREE_FROM, {"of_key": key})), now)
    free = math.ceil((now + _AHEAD - free_from) / every)
    slots = Slots(free_from, every, max(0, min(wanted, free)))
    if slots.count:
        state.put(connection, key, slots.at(slots.count).isoformat(), now)
    return slots


_FIRST_OF_ALL = (
    upsert(state_table)
    .values(key=bindparam("of_key"), value=bindparam("since", type_=state_table.c.value.type), at=bindparam("then"))
    .on_conflict_do_nothing()
)
_FREE_FROM = select(state_table.c.value).where(state_table.c.key == bindparam("of_key")).with_for_update()
