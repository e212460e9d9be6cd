"""Whether this database is the one that was worked with last: a count that only grows, kept inside it and beside it.

A copy that is brought back, by whatever means, has an earlier count than what stands beside it, stands beside nothing,
or runs on another server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.exc import DBAPIError

from engage.core.delivery import Status
from engage.store import dispatching, state
from engage.store.databases.database import Database
from engage.store.lanes import UNSENT
from engage.store.statements import ids
from engage.store.tables import IS_IN_HAND, IS_LIVE, delivery, enrolment
from engage.store.tables import state as states

D = delivery.c
LIFE = "life"
COPIED_AT = "copied_at"  # set in a copy that `engage db backup` makes


@dataclass(frozen=True, slots=True)
class Life:
    """`epoch` grows when a copy is taken for the true one, `count` with every sign of life; together they only grow."""

    born: str
    at: datetime
    epoch: int = 0
    count: int = 0
    beside: bool = True  # whether it could be written beside the database, too
    server: Mapping[str, Any] | None = None  # the one it runs on, if it is one

    @property
    def mark(self) -> tuple[int, int]:
        return self.epoch, self.count

    def onward(self, now: datetime) -> Life:
        return replace(self, at=now, count=self.count + 1)

    def as_data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"at": self.at.isoformat()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """A newer version beside this one may keep more in it."""
        known = {name: value for name, value in data.items() if name in cls.__slots__}
        return cls(**{**known, "at": datetime.fromisoformat(data["at"])})


def life(connection: Connection, *, to_change: bool = False) -> Life | None:
    """None if no daemon has ever run on it. `to_change`: of many daemons one counts at a time; from one that was frozen
    between its look and its word, an earlier count would come, as from a copy."""
    value = state.get(connection, LIFE, to_change=to_change)
    return Life.from_data(value) if value is not None else None


def put_life(connection: Connection, now_lived: Life) -> None:
    state.put(connection, LIFE, now_lived.as_data(), now_lived.at)


def note_beside(connection: Connection, beside: bool) -> None:
    """Others may have counted on meanwhile."""
    lived = life(connection, to_change=True)
    if lived is not None:
        put_life(connection, replace(lived, beside=beside))


def copied_at(connection: Connection) -> datetime | None:
    """When it was copied, if it is a copy that nobody has taken for the true one yet."""
    return state.moment(connection, COPIED_AT)


def server_of(database: Database, connection: Connection) -> dict[str, Any] | None:
    """What tells one server, one database on it and one history of it from another; None on SQLite, or where it may
    not be asked."""
    if not database.is_server:
        return None
    try:
        with connection.begin_nested():
            row = connection.execute(text(_SERVER)).one()
    except DBAPIError:
        return None
    return dict(row._mapping)


_SERVER = """
SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline
"""


# --- taking a copy for the true one -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stake:
    """What would go on at once: `since` is the last sign of life, `messages` wait and are due, or are ambiguous and to
    be repeated; `runs` have come to a moment at which they move on. `on_the_wire`: messages whose call was under way in
    the copy."""

    since: datetime | None
    messages: int
    runs: int
    on_the_wire: int


def at_stake(connection: Connection, now: datetime) -> Stake:
    lived = life(connection)
    messages = select(func.count()).where(UNSENT.c.due_at <= now)
    again = select(func.count()).where(IS_IN_HAND, D.status == Status.AMBIGUOUS, D.due_at.is_not(None))
    runs = select(func.count()).where(IS_LIVE, enrolment.c.due_at <= now)
    since = lived.at if lived is not None else copied_at(connection)
    calls = select(func.count()).where(IS_IN_HAND, D.status == Status.SENDING)
    counts = [connection.scalar(query) or 0 for query in (messages, again, runs, calls)]
    return Stake(since, counts[0] + counts[1], *counts[2:])


def take_for_true(
    database: Database, connection: Connection, beyond: int, now: datetime, *, drop_due: bool
) -> Life | None:
    """It goes on from here, in an epoch later than any that is known, and gives out no id that it may have given out
    after the copy was made. `drop_due`: what was due by now is not sent."""
    ids.leap(connection, now)
    dispatching.take_over(connection, now, drop=drop_due)
    state.fall_into_arrears(connection, now, now, dropped=drop_due)
    state.resume_scopes(connection, [state.RESTORED])
    connection.execute(delete(states).where(states.c.key == COPIED_AT))
    lived = life(connection)
    if lived is None:
        return None
    server = server_of(database, connection)
    lived = replace(lived, epoch=max(lived.epoch, beyond) + 1, count=0, at=now, server=server)
    put_life(connection, lived)
    return lived
