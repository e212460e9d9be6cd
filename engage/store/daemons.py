"""Presence: which daemons run on this database, when each was heard of last, and what it had to say of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, text

from engage.store import state
from engage.store.databases.database import Database
from engage.store.tables import state as states

_KEY = "daemon:"
HEARD_OF_WITHIN = timedelta(seconds=45)  # several signs of life; a daemon not heard of for longer is not counted on
_FORGOTTEN_AFTER = timedelta(days=1)  # one that ended without a word


@dataclass(frozen=True, slots=True)
class DaemonSign:
    """`name`: its machine and process. `said`: what it tells about itself: version, loops that are stuck."""

    name: str
    at: datetime
    said: Mapping[str, Any]


def put_sign(connection: Connection, sign: DaemonSign) -> None:
    state.put(connection, f"{_KEY}{sign.name}", dict(sign.said), sign.at)


def drop_sign(connection: Connection, name: str, now: datetime) -> None:
    """It has ended in good order. Those nobody has heard of for long go with it."""
    mine = states.c.key == f"{_KEY}{name}"
    long_ago = states.c.key.startswith(_KEY) & (states.c.at < now - _FORGOTTEN_AFTER)
    connection.execute(delete(states).where(mine | long_ago))


@contextmanager
def kept_out(database: Database) -> Iterator[None]:
    """A daemon that is started on this server meanwhile does nothing: its first sign of life waits, and so does every
    turn it would take. A table's lock, which lives as long as its transaction; a file has one of its own."""
    with database.read() as connection:
        if database.is_server:
            connection.execute(text(f"LOCK TABLE {states.name} IN EXCLUSIVE MODE"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


def signs(connection: Connection) -> list[DaemonSign]:
    """The latest first."""
    query = select(states.c.key, states.c.at, states.c.value).where(states.c.key.startswith(_KEY))
    rows = connection.execute(query.order_by(states.c.at.desc(), states.c.key))
    return [DaemonSign(key.removeprefix(_KEY), at, value) for key, at, value in rows]
